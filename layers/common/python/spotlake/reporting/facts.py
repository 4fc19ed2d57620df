"""Gathers what the page shows of one run, from the objects that the run wrote."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypedDict

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.models import Dataset, from_iso, run_id_of, slot_of_run_id
from spotlake.reporting.jobs import job_ends
from spotlake.reporting.verdict import JudgedManifest, judge
from spotlake.run_files import CollectorEntry, Execution, Manifest, parse_execution, parse_manifest
from spotlake.snapshot_figures import THRESHOLDS, SnapshotFigures, without_moves
from spotlake.state.figures import read_figures
from spotlake.stores.objects import ReadOnlyObjects

_MANIFEST_FIELDS = (
    "run_id", "mode", "status", "verdict", "error", "cause", "waits", "attempts", "desired_counts",
    "regions_requested", "regions_complete", "pairs", "coverage", "coverage_reasons", "coverage_percent",
    "coverage_sufficient", "sps_calls", "calls_planned", "calls_waiting", "calls_unsent", "quota_left",
    "throttled_calls", "oldest_waiting_minutes", "score_ages", "score_age_median_minutes", "score_age_p95_minutes",
    "oldest_score_age_minutes", "stale", "refused_shards", "rows", "changed_rows", "written_items",
    "overtaken_items", "value_ages", "consumed_write_units", "seconds",
)  # fmt: skip
_BEST_FIRST = ("complete", "partial", "failed")
_BEFORE_FIELDS = ("run_id", "desired_counts", "coverage_percent", "rows", "changed_rows", "sps_calls", "seconds")


class Came(TypedDict):
    """How one data set of one region came: "complete", "partial" or "failed"."""

    region: str
    dataset: str
    came: str


class CollectorLine(TypedDict):
    """One collector, with the counts of its faults alone."""

    dataset: str
    region: str
    status: str
    rows: int
    seconds: float
    faults: dict[str, int]


class Sample(TypedDict):
    """Memory of a process, in MB (2**20 bytes), so many seconds after the first sample."""

    service: str
    second: float
    mb: float


class AskedCount(TypedDict):
    """A desired count that was asked, and how many live workloads have a score at the count (None: not known)."""

    count: int | None
    scored: int | None


class RunFacts(TypedDict):
    """What the page's script reads of one run; ``manifest`` and ``before`` hold fields of the manifests."""

    run_id: str
    slot_at: str
    manifest: dict[str, object]
    regions: list[str]
    came: list[Came]
    collectors: list[CollectorLine]
    before: dict[str, object] | None
    execution: Execution | None
    memory: list[Sample]
    figures: SnapshotFigures | None
    asked: list[AskedCount]


def gather(objects: ReadOnlyObjects, slot_at: datetime, *, compare: bool = True) -> RunFacts:
    """Gather the facts of a finished run, as the page's script reads them.

    Args:
        objects: The write bucket, or a copy of it.
        slot_at: The run's slot.
        compare: Whether to read the run before too, to show changes.

    Raises:
        StoreError: There is no manifest of that slot, or an object cannot be read or is damaged.
    """
    stored = _manifest(objects, keys.manifest(slot_at))
    if stored is None:
        raise StoreError(f"{keys.manifest(slot_at)} is missing: the run has not finished")
    manifest = judge(stored, job_ends(objects, stored["run_id"], stored["attempts"]))
    before = _manifest(objects, _manifest_before(objects, slot_at)) if compare else None
    came = what_came(manifest)
    figures = _figures(objects, slot_at, slot_of_run_id(before["run_id"]) if before else None)
    return {
        "run_id": manifest["run_id"],
        "slot_at": slot_at.isoformat(),
        "manifest": {name: value for name, value in manifest.items() if name in _MANIFEST_FIELDS},
        "regions": sorted({region for region, _ in came}),
        "came": [{"region": region, "dataset": dataset, "came": how} for (region, dataset), how in came.items()],
        "collectors": [_collector(one) for one in manifest["collectors"]],
        "before": {name: value for name, value in before.items() if name in _BEFORE_FIELDS} if before else None,
        "execution": _execution(objects, slot_at),
        "memory": _samples(objects, slot_at),
        "figures": figures,
        "asked": counts_asked(manifest, figures),
    }


def counts_asked(manifest: Manifest, figures: SnapshotFigures | None) -> list[AskedCount]:
    """Desired counts that were asked so far, each with how many live workloads have a score at it.

    A manifest of the first schema does not name them. Then the counts of its own run count, and those that T3 and T2
    name.
    """
    if manifest["score_ages"]:
        return [{"count": one["desired_count"], "scored": one["scored"]} for one in manifest["score_ages"]]
    known = set(manifest["desired_counts"]) if manifest["rows"]["sps"] else set()
    for region in figures["regions"].values() if figures else ():
        for place, count in enumerate(THRESHOLDS):
            if count and (region["t3"][place] or region["t2"][place]):
                known.add(count)
    return [{"count": count, "scored": None} for count in sorted(known)]


def what_came(manifest: JudgedManifest) -> dict[tuple[str, str], str]:
    """(Region, data set) -> "complete", "partial" or "failed"; nothing where nothing was asked.

    Scores count for the scored region, whichever region's collector sent the calls.
    """
    came: dict[tuple[str, str], str] = {}
    for one in manifest["collectors"]:
        place = one["region"], one["dataset"]
        is_listing = one["dataset"] != Dataset.SPS.value
        if is_listing or not manifest["accounts"]:
            # Of several attempts the best one counts, because attempts add to each other.
            came[place] = min(one["status"], came.get(place, "failed"), key=_BEST_FIRST.index)
    for account in manifest["accounts"]:
        place = account["region"], Dataset.SPS.value
        missing = sum(account["unanswered"].values())
        how = "complete" if not missing else "failed" if missing == account["asked"] else "partial"
        came[place] = how if came.get(place, how) == how else "partial"
    for stale in manifest["stale"]:
        place = stale["region"], stale["dataset"]
        if stale["region"] and came.get(place, "complete") == "complete":
            came[place] = "failed"
    return came


def _collector(one: CollectorEntry) -> CollectorLine:
    faults = {name: one["counts"][name] for name in ("throttles", "retries") if one["counts"].get(name)}
    return {
        "dataset": one["dataset"],
        "region": one["region"],
        "status": one["status"],
        "rows": one["rows"],
        "seconds": one["seconds"],
        "faults": faults,
    }


def _manifest_before(objects: ReadOnlyObjects, slot_at: datetime) -> str | None:
    """The newest manifest before the slot, from the same day or the day before."""
    own = keys.manifest(slot_at)
    for day in (slot_at, slot_at - timedelta(days=1)):
        found = [key for key in objects.keys(keys.manifest_day(day)) if key.endswith(".json") and key < own]
        if found:
            return max(found)
    return None


def _figures(objects: ReadOnlyObjects, slot_at: datetime, before_at: datetime | None) -> SnapshotFigures | None:
    """The figures that Merge kept, if it compared with the same run; else they are counted from the snapshots."""
    kept = read_figures(objects, slot_at)
    figures = kept["figures"] if kept else None
    if kept and figures and before_at is None:
        return without_moves(figures)
    if kept and figures and before_at and kept["before"] == run_id_of(before_at):
        return figures
    return _counted(objects, slot_at, before_at)


def _counted(objects: ReadOnlyObjects, slot_at: datetime, before_at: datetime | None) -> SnapshotFigures | None:
    stored = objects.get(keys.snapshot(slot_at))
    if stored is None:
        return None
    from spotlake.reporting.snapshots import rows_figures, snapshot_rows  # NumPy, which a new run's page needs not

    old = objects.get(keys.snapshot(before_at)) if before_at else None
    try:
        return rows_figures(slot_at, snapshot_rows(stored.body), snapshot_rows(old.body) if old else None)
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise StoreError(f"a snapshot of {slot_at:%Y-%m-%d %H:%M} or before is damaged: {error}") from error


def _samples(objects: ReadOnlyObjects, slot_at: datetime) -> list[Sample]:
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


def _manifest(objects: ReadOnlyObjects, key: str | None) -> Manifest | None:
    stored = objects.get(key) if key else None
    return parse_manifest(stored.body, key) if stored and key else None


def _execution(objects: ReadOnlyObjects, slot_at: datetime) -> Execution | None:
    stored = objects.get(keys.execution(slot_at))
    return parse_execution(stored.body, keys.execution(slot_at)) if stored else None
