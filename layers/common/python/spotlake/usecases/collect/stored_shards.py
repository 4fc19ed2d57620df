"""Writes and reads the shard of an attempt, region and data set. A shard is written once per attempt."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from spotlake import keys
from spotlake.models import Dataset, Run
from spotlake.reports import CollectorReport
from spotlake.shard_rows import ShardRow
from spotlake.shards import ShardHeader, encode_shard, report_of
from spotlake.stores.documents import put_once
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

_CONTENT_TYPE = "application/gzip"


def write_shard(
    objects: ObjectStore,
    run: Run,
    report: CollectorReport,
    rows: Iterable[ShardRow],
    *,
    source: str,
    collected_at: datetime,
) -> CollectorReport:
    """Write a collector's shard. Returns the stored report.

    If a repeated collector finds a shard of its attempt, the shard stays and its report is returned.

    Raises:
        StoreError: It cannot be written.
        ShardRefusedError: The object under the key is no shard of this attempt.
    """
    header = ShardHeader(
        dataset=report.dataset,
        run_id=run.run_id,
        attempt=run.attempt,
        region=report.region,
        source=source,
        collected_at=collected_at,
        report=report,
    )
    key = keys.shard(report.dataset, run.slot_at, report.region, run.attempt)
    body = encode_shard(header, rows)
    stored = put_once(objects, key, body, content_type=_CONTENT_TYPE)
    return report if stored == body else _report(stored, key, report.dataset, run, report.region)


def stored_report(objects: ReadOnlyObjects, dataset: Dataset, run: Run, region: str) -> CollectorReport | None:
    """The report in the stored shard of this attempt; None when there is no shard yet."""
    key = keys.shard(dataset, run.slot_at, region, run.attempt)
    stored = objects.get(key)
    return None if stored is None else _report(stored.body, key, dataset, run, region)


def _report(body: bytes, key: str, dataset: Dataset, run: Run, region: str) -> CollectorReport:
    return report_of(body, key=key, dataset=dataset, run_id=run.run_id, region=region, attempt=run.attempt)
