"""What the page shows of one run, gathered from the objects that the run has written."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import orjson

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.models import from_iso, slot_of_run_id
from spotlake.reporting.figures import Figures, compared_values, snapshot_rows
from spotlake.stores.objects import ReadOnlyObjects

_MANIFEST_FIELDS = (
    "run_id", "mode", "status", "desired_counts", "regions_requested", "regions_complete", "pairs", "coverage",
    "coverage_percent", "coverage_sufficient", "sps_calls", "calls_planned", "calls_waiting", "calls_unsent",
    "throttled_calls", "oldest_score_age_minutes", "stale", "refused_shards", "rows", "changed_rows", "written_items",
    "consumed_write_units", "seconds",
)  # fmt: skip
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
    manifest = _json(objects, keys.manifest(slot_at))
    if manifest is None:
        raise StoreError(f"{keys.manifest(slot_at)} is missing: the run has not finished")
    before = _json(objects, _manifest_before(objects, slot_at)) if compare else None
    execution = _json(objects, keys.execution(slot_at))
    return {
        "slot_at": slot_at.isoformat(),
        "manifest": {name: manifest.get(name) for name in _MANIFEST_FIELDS},
        "regions": sorted({one["region"] for one in (*manifest["collectors"], *manifest["stale"])}),
        "collectors": [_collector(one) for one in manifest["collectors"]],
        "before": {name: before.get(name) for name in _BEFORE_FIELDS} if before else None,
        "execution": execution,
        "memory": _samples(objects, slot_at),
        "figures": _figures(objects, slot_at, slot_of_run_id(before["run_id"]) if before else None),
    }


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
