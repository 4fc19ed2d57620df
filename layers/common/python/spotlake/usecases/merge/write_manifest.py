"""Writes the manifest of a slot, last of all. It never replaces the manifest of more attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import orjson

from spotlake import keys
from spotlake.errors import ConflictError, StoreError
from spotlake.events import MergeResult
from spotlake.merge import manifest
from spotlake.merge.ages import score_ages, slots_since_scores, value_ages
from spotlake.merge.price_findings import price_findings
from spotlake.merge.slot import SlotRead
from spotlake.merge.view import View
from spotlake.models import Run, to_iso
from spotlake.run_files import MANIFEST_SCHEMA, Collected, Manifest, Written, parse_manifest
from spotlake.settings import Settings
from spotlake.stores.objects import ObjectStore
from spotlake.stores.workloads import Upserted
from spotlake.usecases.merge.second_witness import Witnesses

_ROUNDS = 8
_NOTHING_WRITTEN = Written(
    changed_rows=0, written_items=0, overtaken_items=0, items_left=0, consumed_write_units=0.0, write_throttles=0
)


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The result of a merge.

    Attributes:
        run: The attempt that was merged.
        slot: The attempt's slot with all attempts, without rows.
        newest: The newest state.
        rows: Number of rows by data set, and of live workloads after the slot ("merged").
        listed: Region -> sizes with a spot price in this slot.
        upserted: Result of the upsert.
        outputs: Written keys.
        seconds: Duration of each part.
        merged_at: When the merge ended.
        witnesses: Regions whose second witness of prices was asked.
    """

    run: Run
    slot: SlotRead
    newest: View
    rows: Mapping[str, int]
    listed: Mapping[str, Sequence[str]]
    upserted: Upserted
    outputs: Sequence[str]
    seconds: Mapping[str, float]
    merged_at: datetime
    witnesses: Sequence[Witnesses] = ()


def write_manifest(objects: ObjectStore, merged: Merged, settings: Settings) -> None:
    """Write the slot's manifest, unless a merge of more attempts has written one.

    Raises:
        StoreError: It cannot be read or written.
    """
    key = keys.manifest(merged.run.slot_at)
    attempts = {attempt.record.run.attempt for attempt in merged.slot.attempts}
    content = _content(objects, merged, settings, key)
    for _ in range(_ROUNDS):
        stored = objects.get(key)
        before = None if stored is None else _parsed(stored.body, key)
        if before is not None and {one["attempt"] for one in before["attempts"]} > attempts:
            return
        body = orjson.dumps({**content, **_written(merged.upserted, before)})
        try:
            objects.put(
                key,
                body,
                content_type="application/json",
                if_absent=stored is None,
                if_etag=stored.etag if stored else None,
            )
        except ConflictError:
            continue
        return
    raise StoreError(f"{key}: others replaced it {_ROUNDS} times in a row")


def result_of(objects: ObjectStore, run: Run) -> MergeResult:
    """The result of Merge for the state machine: numbers of the slot's manifest. Raises StoreError."""
    key = keys.manifest(run.slot_at)
    stored = objects.get(key)
    if stored is None:
        raise StoreError(f"{key} is missing after it was written")
    content = parse_manifest(stored.body, key)
    names = (
        "status", "coverage_percent", "coverage_sufficient", "rows", "changed_rows", "written_items",
        "overtaken_items", "invalid_items", "items_left", "consumed_write_units", "sps_calls", "throttled_calls",
        "stale_regions",
        "score_age_median_minutes", "score_age_p95_minutes", "oldest_score_age_minutes", "rows_difference_percent",
        "unconfirmed_percent", "filtered", "quota_left",
    )  # fmt: skip
    numbers = {name: value for name, value in content.items() if name in names}
    # A missing shard is a collector's failure, which the coverage counts; a refused one lies there and cannot be read.
    refused = sum(one["reason"] != "missing" for one in content["refused_shards"])
    return cast("MergeResult", {**numbers, "refused_shards": refused, "manifest_key": key})


def _content(objects: ObjectStore, merged: Merged, settings: Settings, key: str) -> Manifest:
    collected = manifest.collected(merged.slot)
    slots = slots_since_scores(merged.newest)
    ages, by_count = score_ages(merged.newest, slots)
    is_short = collected["status"] == "complete" and (merged.upserted.left or merged.upserted.invalid)
    return {
        "schema": MANIFEST_SCHEMA,
        "complete": True,
        **collected,
        "status": "partial" if is_short else collected["status"],
        "coverage_sufficient": collected["coverage_percent"] >= settings.minimum_coverage_percent,
        "rows": dict(merged.rows),
        "rows_difference_percent": None if collected["filtered"] else _rows_difference(objects, merged, collected),
        "score_ages": [one.to_dict() for one in by_count],
        "score_age_median_minutes": ages.median_minutes,
        "score_age_p95_minutes": ages.p95_minutes,
        "oldest_score_age_minutes": ages.oldest_minutes,
        "unknown_zone_rows": merged.slot.unknown_zone_rows,
        "value_ages": value_ages(merged.newest, slots),
        **price_findings(merged.slot),
        "price_witness": [one.to_dict() for one in merged.witnesses],
        "seconds": dict(merged.seconds),
        "merged_at": to_iso(merged.merged_at),
        "outputs": [*merged.outputs, key],
        **_written(merged.upserted, None),
    }


def _written(upserted: Upserted, before: Written | None) -> Written:
    """Numbers of the table's writes for this slot, over all its merges."""
    old = _NOTHING_WRITTEN if before is None else before
    return {
        # Items that an earlier merge left are among the changes of this merge.
        "changed_rows": old["changed_rows"] - old["items_left"] + upserted.done + upserted.left,
        "written_items": old["written_items"] + upserted.written,
        "overtaken_items": old["overtaken_items"] + upserted.overtaken,
        "invalid_items": old.get("invalid_items", 0) + upserted.invalid,
        "items_left": upserted.left,
        "consumed_write_units": round(old["consumed_write_units"] + upserted.write_units, 1),
        "write_throttles": old["write_throttles"] + upserted.throttles,
    }


def _parsed(body: bytes, key: str) -> Manifest | None:
    """A stored manifest; None when it is damaged. A merge makes its own slot's again, and needs no other one."""
    try:
        return parse_manifest(body, key)
    except StoreError:
        return None


def _rows_difference(objects: ObjectStore, merged: Merged, now: Collected) -> float | None:
    """Difference from the same slot of the day before; None if that slot collected only a part."""
    key = keys.manifest(merged.run.slot_at - timedelta(days=1))
    stored = objects.get(key)
    if stored is None:
        return None
    before = _parsed(stored.body, key)
    if before is None or before["filtered"]:
        return None
    comparable = manifest.listed_everywhere(now) & manifest.listed_everywhere(before)
    known = {name: rows for name, rows in before["rows"].items() if name in comparable}
    return manifest.rows_difference_percent(merged.rows, known)
