"""Reading what a run collected: its request, and every shard that the request expects."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any

from spotlake import keys
from spotlake.errors import ShardRefusedError, StoreError
from spotlake.merge.columns import Columns
from spotlake.models import CollectorReport, Dataset, run_id_of
from spotlake.planning.run_input import matches
from spotlake.shards import open_shard
from spotlake.stores.objects import ReadOnlyObjects, read_json

REQUEST_SCHEMA = 1
_READ_THREADS = 16
# A full run whose job ended before it had prepared anything: nothing was planned, all stays as it was.
_UNPREPARED: dict[str, Any] = {
    "regions": [],
    "shards": {one.value: [] for one in Dataset},
    "pairs": 0,
    "calls_planned": 0,
    "calls_waiting": 0,
    "oldest_score_age_minutes": None,
    "blocks": {},
    "calls_by_region": {},
    "catalogue": None,
    "collected_at": {},
}


@dataclass
class RunRows:
    """The shards of one run, as read.

    Attributes:
        columns: Their rows.
        reports: What the collectors say of themselves.
        refused: Shards that are missing or cannot be merged: key, dataset, region, reason.
        digest: Differs when any shard's bytes do.
    """

    columns: Columns = field(default_factory=Columns)
    reports: list[CollectorReport] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    digest: str = ""


def read_request(objects: ReadOnlyObjects, slot_at: datetime) -> Mapping[str, Any]:
    """What was asked of the run. Raises StoreError when it was never planned."""
    content, _ = read_json(objects, keys.run_request(slot_at), schema=REQUEST_SCHEMA)
    if content is None:
        raise StoreError(f"{keys.run_request(slot_at)} is missing: the run was never planned")
    request: Mapping[str, Any] = _UNPREPARED | content
    return request


def read_rows(objects: ReadOnlyObjects, slot_at: datetime, request: Mapping[str, Any]) -> RunRows:
    """Every expected shard; one that is missing or refused costs only itself.

    Raises:
        StoreError: A shard could not be read (other than not being there).
    """
    read = RunRows()
    expected = [(Dataset(name), region) for name, regions in request["shards"].items() for region in regions]
    regions = frozenset(request["regions"])
    digest = blake2b(digest_size=8)
    with ThreadPoolExecutor(_READ_THREADS) as pool:
        found = pool.map(lambda one: objects.get(keys.shard(one[0], slot_at, one[1])), expected)
        for (dataset, region), stored in zip(expected, found, strict=True):
            body = None if stored is None else stored.body
            # Gzip ends in a checksum of the whole content.
            digest.update(b"-" if body is None else body[-64:] + len(body).to_bytes(8))
            _read_one(read, dataset, region, body, slot_at, regions)
    read.digest = digest.hexdigest()
    globs = request["asked"]["instance_types"]
    if globs:
        read.columns.keep(functools.cache(lambda size: matches(size, globs)))
    return read


def _read_one(
    read: RunRows, dataset: Dataset, region: str, body: bytes | None, slot_at: datetime, regions: frozenset[str]
) -> None:
    key = keys.shard(dataset, slot_at, region)
    if body is None:
        read.refused.append({"key": key, "dataset": dataset.value, "region": region, "reason": "missing"})
        return
    try:
        shard = open_shard(body, key=key, dataset=dataset, run_id=run_id_of(slot_at), region=region)
        if dataset is Dataset.SPS:
            read.columns.read_scores(shard, key, regions=regions)
        elif dataset is Dataset.PRICE:
            read.columns.read_prices(shard, key)
        else:
            read.columns.read_evictions(shard, key)
        read.reports.append(shard.header.report)
    except ShardRefusedError as error:
        read.refused.append({"key": key, "dataset": dataset.value, "region": region, "reason": error.reason})
