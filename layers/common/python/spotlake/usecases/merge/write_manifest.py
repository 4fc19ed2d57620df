"""The manifest of a slot: put together from what was merged, and written last, never over that of more attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import orjson

from spotlake import keys
from spotlake.errors import ConflictError, StoreError
from spotlake.events import MergeResult
from spotlake.merge import manifest
from spotlake.merge.ages import score_ages
from spotlake.merge.price_findings import price_findings
from spotlake.merge.slot import SlotRead
from spotlake.merge.view import View
from spotlake.models import Run, to_iso
from spotlake.settings import Settings
from spotlake.stores.objects import ObjectStore
from spotlake.stores.workloads import Upserted
from spotlake.usecases.merge.second_witness import Witnesses

_ROUNDS = 8


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a merge came to.

    Attributes:
        run: The attempt that was merged.
        slot: Its slot, with all attempts, without the rows.
        newest: The newest state.
        rows: Rows by data set, and live workloads after the slot ("merged").
        listed: Region -> sizes with a spot price in this slot.
        upserted: What was written to the table.
        outputs: Keys that were written.
        seconds: How long each part took.
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
    """Write the slot's manifest, unless a merge of more attempts has written it.

    Raises:
        StoreError: It cannot be read or written.
    """
    key = keys.manifest(merged.run.slot_at)
    attempts = {attempt.record.run.attempt for attempt in merged.slot.attempts}
    content = _content(objects, merged, settings, key)
    for _ in range(_ROUNDS):
        stored = objects.get(key)
        before = None if stored is None else orjson.loads(stored.body)
        if before is not None and _attempts_of(before) > attempts:
            return
        body = orjson.dumps(content | _written(merged.upserted, before))
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
    """What Merge returns to the state machine: numbers of the slot's manifest. Raises StoreError."""
    key = keys.manifest(run.slot_at)
    stored = objects.get(key)
    if stored is None:
        raise StoreError(f"{key} is missing after it was written")
    content = orjson.loads(stored.body)
    names = (
        "status", "coverage_percent", "coverage_sufficient", "rows", "changed_rows", "written_items", "items_left",
        "consumed_write_units", "sps_calls", "throttled_calls", "stale_regions", "score_age_median_minutes",
        "score_age_p95_minutes", "oldest_score_age_minutes", "rows_difference_percent", "unconfirmed_percent",
    )  # fmt: skip
    return cast("MergeResult", {**{name: content[name] for name in names}, "manifest_key": key})


def _attempts_of(content: Mapping[str, Any]) -> set[int]:
    """The attempts of a stored manifest; one of the first schema names none."""
    return {one["attempt"] for one in content["attempts"]} if content["schema"] == manifest.SCHEMA else set()


def _content(objects: ObjectStore, merged: Merged, settings: Settings, key: str) -> dict[str, Any]:
    told = manifest.collected(merged.slot)
    ages, by_count = score_ages(merged.newest)
    is_short = told["status"] == "complete" and merged.upserted.left
    return {
        "schema": manifest.SCHEMA,
        "complete": True,
        **told,
        "status": "partial" if is_short else told["status"],
        "coverage_sufficient": told["coverage_percent"] >= settings.minimum_coverage_percent,
        "rows": merged.rows,
        "rows_difference_percent": None if told["filtered"] else _rows_difference(objects, merged),
        "score_ages": [one.to_dict() for one in by_count],
        "score_age_median_minutes": ages.median_minutes,
        "score_age_p95_minutes": ages.p95_minutes,
        "oldest_score_age_minutes": ages.oldest_minutes,
        **price_findings(merged.slot),
        "price_witness": [one.to_dict() for one in merged.witnesses],
        "seconds": merged.seconds,
        "merged_at": to_iso(merged.merged_at),
        "outputs": [*merged.outputs, key],
    }


def _written(upserted: Upserted, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """What was written to the table for this slot, over all its merges: a repeated merge writes nothing more."""
    old = {} if before is None else before
    return {
        # What an earlier merge had left is among what this one found changed.
        "changed_rows": old.get("changed_rows", 0) - old.get("items_left", 0) + upserted.done + upserted.left,
        "written_items": old.get("written_items", 0) + upserted.written,
        "overtaken_items": old.get("overtaken_items", 0) + upserted.overtaken,
        "items_left": upserted.left,
        "consumed_write_units": round(old.get("consumed_write_units", 0.0) + upserted.write_units, 1),
        "write_throttles": old.get("write_throttles", 0) + upserted.throttles,
    }


def _rows_difference(objects: ObjectStore, merged: Merged) -> float | None:
    """Against the same slot of the day before, unless only a part of that was asked."""
    stored = objects.get(keys.manifest(merged.run.slot_at - timedelta(days=1)))
    if stored is None:
        return None
    before = orjson.loads(stored.body)
    return None if before.get("filtered", True) else manifest.rows_difference_percent(merged.rows, before["rows"])
