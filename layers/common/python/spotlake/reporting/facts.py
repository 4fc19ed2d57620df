"""What the page shows of one run, gathered from the objects that the run has written."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.models import Dataset, from_iso, slot_of_run_id
from spotlake.reporting.figures import THRESHOLDS, Figures, compared_values, snapshot_rows
from spotlake.reporting.jobs import job_records
from spotlake.reporting.told import told
from spotlake.stores.objects import ReadOnlyObjects

_MANIFEST_FIELDS = (
    "run_id", "mode", "status", "verdict", "error", "cause", "waits", "attempts", "desired_counts",
    "regions_requested", "regions_complete", "pairs", "coverage", "coverage_reasons", "coverage_percent",
    "coverage_sufficient", "sps_calls", "calls_planned", "calls_waiting", "calls_unsent", "quota_left",
    "throttled_calls", "oldest_waiting_minutes", "score_ages", "score_age_median_minutes", "score_age_p95_minutes",
    "oldest_score_age_minutes", "stale", "refused_shards", "rows", "changed_rows", "written_items",
    "consumed_write_units", "seconds",
)  # fmt: skip
_BEST_FIRST = ("complete", "partial", "failed")
_BEFORE_FIELDS = ("run_id", "desired_counts", "coverage_percent", "rows", "changed_rows", "sps_calls", "seconds")


def gather(objects: ReadOnlyObjects, slot_at: datetime, *, compare: bool = True) -> dict[str, Any]:
    """The facts of a finished run, as the page's script reads them.

    Args:
        objects: The write bucket, or a copy of it.
        slot_at: The run's slot.
        compare: Whether to read the run before too, for what changed.

    Raises:
        StoreError: There is no manifest of that slot, or an object cannot be read or is damaged.
    """
    stored = _json(objects, keys.manifest(slot_at))
    if stored is None:
        raise StoreError(f"{keys.manifest(slot_at)} is missing: the run has not finished")
    manifest = told(stored, job_records(objects, stored))
    before = _json(objects, _manifest_before(objects, slot_at)) if compare else None
    execution = _json(objects, keys.execution(slot_at))
    came = what_came(manifest)
    figures = _figures(objects, slot_at, slot_of_run_id(before["run_id"]) if before else None)
    return {
        "slot_at": slot_at.isoformat(),
        "manifest": {name: manifest.get(name) for name in _MANIFEST_FIELDS},
        "regions": sorted({region for region, _ in came}),
        "came": [{"region": region, "dataset": dataset, "came": how} for (region, dataset), how in came.items()],
        "collectors": [_collector(one) for one in manifest["collectors"]],
        "before": {name: before.get(name) for name in _BEFORE_FIELDS} if before else None,
        "execution": execution,
        "memory": _samples(objects, slot_at),
        "figures": figures,
        "asked": counts_asked(manifest, figures),
    }


def counts_asked(manifest: Mapping[str, Any], figures: Mapping[str, Any] | None) -> list[dict[str, int | None]]:
    """Desired counts that were asked so far, each with how many live workloads have a score at it.

    A manifest of the first schema does not say; then those of its own run, and those that T3 and T2 name.
    """
    if manifest["score_ages"]:
        return [{"count": one["desired_count"], "scored": one["scored"]} for one in manifest["score_ages"]]
    known = set(manifest["desired_counts"]) if manifest["rows"]["sps"] else set()
    for region in figures["regions"].values() if figures else ():
        for place, count in enumerate(THRESHOLDS):
            if count and (region["t3"][place] or region["t2"][place]):
                known.add(count)
    return [{"count": count, "scored": None} for count in sorted(known)]


def what_came(manifest: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """(Region, data set) -> "complete", "partial" or "failed"; nothing where nothing was asked.

    Scores are told of the region that was scored, whichever region's collector sent the calls.
    """
    came: dict[tuple[str, str], str] = {}
    for one in manifest["collectors"]:
        place = one["region"], one["dataset"]
        is_listing = one["dataset"] != Dataset.SPS.value
        if is_listing or not manifest["accounts"]:
            # Of several attempts the best counts: they add to each other.
            came[place] = min(one["status"], came.get(place, "failed"), key=_BEST_FIRST.index)
    for one in manifest["accounts"]:
        place = one["region"], Dataset.SPS.value
        missing = sum(one["unanswered"].values())
        how = "complete" if not missing else "failed" if missing == one["asked"] else "partial"
        came[place] = how if came.get(place, how) == how else "partial"
    for one in manifest["stale"]:
        place = one["region"], one["dataset"]
        if one["region"] and came.get(place, "complete") == "complete":
            came[place] = "failed"
    return came


def _collector(one: dict[str, Any]) -> dict[str, Any]:
    """What the coverage map and the faults need: no counts but those of faults."""
    faults = {name: one["counts"][name] for name in ("throttles", "retries") if one["counts"].get(name)}
    return {**{name: one[name] for name in ("dataset", "region", "status", "rows", "seconds")}, "faults": faults}


def _manifest_before(objects: ReadOnlyObjects, slot_at: datetime) -> str | None:
    """The newest manifest before the slot, of its day or the one before."""
    own = keys.manifest(slot_at)
    for day in (slot_at, slot_at - timedelta(days=1)):
        found = [key for key in objects.keys(keys.manifest_day(day)) if key.endswith(".json") and key < own]
        if found:
            return max(found)
    return None


def _figures(objects: ReadOnlyObjects, slot_at: datetime, before_at: datetime | None) -> dict[str, Any] | None:
    stored = objects.get(keys.snapshot(slot_at))
    if stored is None:
        return None
    old = objects.get(keys.snapshot(before_at)) if before_at else None
    try:
        before = compared_values(snapshot_rows(old.body)) if old else None
        del old
        return Figures(slot_at, before).read(snapshot_rows(stored.body)).to_dict()
    except (OSError, EOFError, ValueError) as error:
        raise StoreError(f"a snapshot of {slot_at:%Y-%m-%d %H:%M} or before is damaged: {error}") from error


def _samples(objects: ReadOnlyObjects, slot_at: datetime) -> list[dict[str, Any]]:
    stored = objects.get(keys.memory_samples(slot_at))
    if stored is None:
        return []
    rows: Iterable[dict[str, str]] = csv.DictReader(io.StringIO(gzip.decompress(stored.body).decode()))
    samples = [one for one in rows if one["Kind"] == "sample"]
    if not samples:
        return []
    began_at = min(from_iso(one["Timestamp"]) for one in samples)
    return [
        {
            "service": one["Service"],
            "second": (from_iso(one["Timestamp"]) - began_at).total_seconds(),
            "mb": float(one["Memory_MB"]),
        }
        for one in samples
    ]


def _json(objects: ReadOnlyObjects, key: str | None) -> dict[str, Any] | None:
    stored = objects.get(key) if key else None
    content: dict[str, Any] | None = orjson.loads(stored.body) if stored else None
    return content
