"""Gaps: slots without a run, and slots whose run does not have all that it owed, as a CSV file a month (pure).

A workload's values continue through a gap; the rows say where nobody looked. docs/history.md describes the columns.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from spotlake.errors import DamagedStateError
from spotlake.merge.manifest import NOT_DUE
from spotlake.models import SLOT_MINUTES, from_iso, to_iso
from spotlake.run_files import Manifest

COLUMNS: Final = ("slot_at", "status", "coverage_percent", "stale_regions", "reason")
MISSING, UNFINISHED, PART = "missing", "unfinished", "part"
_SLOT = timedelta(minutes=SLOT_MINUTES)
_REASONS = 5  # told at most; the manifest has all


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One slot.

    Attributes:
        slot_at: The slot.
        status: ``missing`` (no run), ``unfinished`` (no manifest), ``part`` (only parts were asked for), ``partial`` or
            ``failed`` as in the manifest.
        coverage_percent: Share of what was owed that was answered; "" without a manifest.
        stale_regions: Number of regions that keep old values; "" without a manifest.
        reason: In words.
    """

    slot_at: datetime
    status: str
    coverage_percent: str = ""
    stale_regions: str = ""
    reason: str


def gap_of(slot_at: datetime, manifest: Manifest | None) -> Gap | None:
    """The gap that a merged slot is; None for a slot that has all it owed.

    Args:
        slot_at: The slot.
        manifest: Its manifest; None when there is none.
    """
    if manifest is None:
        return Gap(slot_at=slot_at, status=UNFINISHED, reason="the run wrote no manifest")
    status = manifest["status"]
    if status == "complete" and not manifest["filtered"]:
        return None
    return Gap(
        slot_at=slot_at,
        status=PART if status == "complete" else status,
        coverage_percent=f"{manifest['coverage_percent']:g}",
        stale_regions=str(manifest["stale_regions"]),
        reason=_reason(manifest),
    )


def missing_between(merged: Iterable[datetime]) -> Iterator[Gap]:
    """The slots without a run between the first and the last of merged slots, which are in order."""
    before: datetime | None = None
    for slot_at in merged:
        while before is not None and (before := before + _SLOT) < slot_at:
            yield Gap(slot_at=before, status=MISSING, reason="no run")
        before = slot_at


def with_gaps(
    body: bytes | None, month: date, found: Mapping[datetime, Gap | None], *, between: tuple[datetime, datetime]
) -> bytes:
    """The month's file after some slots were looked at.

    Args:
        body: The file before; None for no file.
        month: Any day of the month.
        found: By slot that was looked at: its gap, or None for none.
        between: First and last slot of which ``found`` has every missing one.

    Raises:
        DamagedStateError: The file before is damaged.
    """
    gaps = {
        one.slot_at: one
        for one in _read(body)
        if not (one.status == MISSING and between[0] <= one.slot_at <= between[1])
    }
    for slot_at, gap in found.items():
        if (slot_at.year, slot_at.month) == (month.year, month.month):
            gaps.pop(slot_at, None)
            if gap is not None:
                gaps[slot_at] = gap
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for _, one in sorted(gaps.items()):
        writer.writerow((to_iso(one.slot_at), one.status, one.coverage_percent, one.stale_regions, one.reason))
    return text.getvalue().encode()


def _read(body: bytes | None) -> Iterator[Gap]:
    if body is None:
        return
    try:
        for row in csv.DictReader(io.StringIO(body.decode()), strict=True):
            values = {name: _whole(row[name]) for name in COLUMNS[1:]}
            yield Gap(slot_at=from_iso(row["slot_at"]), **values)
    except (KeyError, ValueError, csv.Error) as error:
        raise DamagedStateError(f"a file of gaps is damaged ({type(error).__name__}: {error})") from error


def _whole(value: str | None) -> str:
    if value is None:
        raise ValueError("a row is cut off")
    return value


def _reason(manifest: Manifest) -> str:
    told = [
        f"{dataset}: {reason}" for dataset, reason in sorted(manifest["coverage_reasons"].items()) if reason != NOT_DUE
    ]
    counted = Counter((one["dataset"], one["error"] or "missing") for one in manifest["stale"])
    told += [f"{dataset}: {error} in {_regions(times)}" for (dataset, error), times in counted.most_common()]
    if manifest["filtered"]:
        told.insert(0, "only parts were asked for")
    more = [f"and {len(told) - _REASONS} more"] if len(told) > _REASONS else []
    return "; ".join([*told[:_REASONS], *more])


def _regions(number: int) -> str:
    return "1 region" if number == 1 else f"{number} regions"
