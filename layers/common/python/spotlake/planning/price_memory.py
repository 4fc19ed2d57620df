"""Lessons from price listings (pure): regions that sell nothing, absent prices, findings that were reported.

This memory is advice: without it, everything is asked and reported again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil

from spotlake.models import Dataset, from_iso, to_iso
from spotlake.reports import CollectorReport, Findings

# After this many full runs without a price, a region is listed once a week.
LOOKS_UNTIL_WEEKLY = 3
UNSOLD_AGAIN_AFTER = timedelta(days=7)
# Holes of 2026 lasted 6 to 18 hours, and a listing shows by itself what is back; on-demand is listed once a day.
ABSENT_AGAIN_AFTER = {"spot": timedelta(hours=6), "ondemand": timedelta(days=7)}
WITNESS_AGAIN_AFTER = timedelta(hours=24)
_WITNESS_ROUND_SLOTS = 72  # so many slots ask all regions once: half a day, so a lost slot is made good
_TOLD_FOR = timedelta(days=40)  # a finding not seen for this long is reported again
_MOST_TOLD = 1000
UNKNOWN_KIND, DISAGREEMENT = "unknown_kind", "price_disagreement"


@dataclass(frozen=True, kw_only=True)
class Unsold:
    """A listed region without any price: slot of the last look (ISO), and number of looks."""

    at: str
    looks: int


@dataclass(frozen=True, kw_only=True)
class Told:
    """Slots in which an odd finding was first and last seen (ISO)."""

    first: str
    last: str


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The last comparison of a region's two price sources: its slot (ISO), and the sizes; None without an answer."""

    at: str
    agreeing: int | None = None
    disagreeing: int | None = None

    @property
    def disagreement_percent(self) -> float | None:
        """Percent of the sizes whose prices differ between the sources; None when nothing was compared."""
        both = (self.agreeing or 0) + (self.disagreeing or 0)
        return round(100 * (self.disagreeing or 0) / both, 2) if both else None


@dataclass(frozen=True, kw_only=True)
class PriceMemory:
    """The memory of price listings.

    Attributes:
        unsold: Region -> when the region was last seen to sell nothing.
        absent: Region -> "spot" or "ondemand" -> size (ARM casing) -> slot in which a narrow request found no price
            either (ISO).
        told: ``UNKNOWN_KIND`` or ``DISAGREEMENT`` -> name of the finding -> when it was seen.
        witnessed: Region -> last comparison of the region.
    """

    unsold: Mapping[str, Unsold] = field(default_factory=dict)
    absent: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    told: Mapping[str, Mapping[str, Told]] = field(default_factory=dict)
    witnessed: Mapping[str, Compared] = field(default_factory=dict)

    def is_listing_due(self, region: str, slot_at: datetime) -> bool:
        """Whether to list a region outside the catalogue. A region that sells nothing is listed once a week."""
        seen = self.unsold.get(region)
        if seen is None or seen.looks < LOOKS_UNTIL_WEEKLY:
            return True
        return slot_at - from_iso(seen.at) >= UNSOLD_AGAIN_AFTER

    def absent_sizes(self, region: str, kind: str, slot_at: datetime) -> tuple[str, ...]:
        """Sizes without a price of this kind, which are not asked for narrowly again yet."""
        found = self.absent.get(region, {}).get(kind, {})
        return tuple(sorted(size for size, at in found.items() if slot_at - from_iso(at) < ABSENT_AGAIN_AFTER[kind]))

    def witnesses_due(self, regions: Iterable[str], slot_at: datetime) -> frozenset[str]:
        """The few regions whose price history is asked in this slot: those that wait longest."""
        asked = sorted(regions)
        due = [
            region
            for region in asked
            if region not in self.witnessed or slot_at - from_iso(self.witnessed[region].at) >= WITNESS_AGAIN_AFTER
        ]
        due.sort(key=lambda region: (self.witnessed[region].at if region in self.witnessed else "", region))
        return frozenset(due[: ceil(len(asked) / _WITNESS_ROUND_SLOTS)])

    def new_in(self, kind: str, slot_at: datetime) -> int:
        """Number of odd findings of a kind that were first seen in this slot."""
        slot = to_iso(slot_at)
        return sum(one.first == slot for one in self.told.get(kind, {}).values())

    def worst_disagreement_percent(self) -> float | None:
        """The largest share of a region's sizes whose prices differ, by the last comparisons."""
        shares = [one.disagreement_percent for one in self.witnessed.values()]
        return max((share for share in shares if share is not None), default=None)


def fold_prices(
    memory: PriceMemory,
    slot_at: datetime,
    reports: Iterable[CollectorReport],
    compared: Mapping[str, Compared],
) -> PriceMemory:
    """Add a slot to the memory. Adding a slot twice changes nothing.

    Args:
        memory: The memory before the slot.
        slot_at: The slot.
        reports: Reports of collectors that listed whole regions. Complete reports of prices count.
        compared: Region -> comparison of its two price sources in this slot.
    """
    slot = to_iso(slot_at)
    listings = [one for one in reports if one.dataset is Dataset.PRICE and one.status == "complete"]
    for report in listings:
        memory = note_listing(memory, slot_at, report.region, sells=report.rows > 0)
    absent = dict(memory.absent)
    told = {kind: dict(names) for kind, names in memory.told.items()}
    for report in listings:
        absent[report.region] = _absent_after(absent.get(report.region, {}), report, slot)
        for kind, names in _oddities(report.region, report.found).items():
            known = told.setdefault(kind, {})
            for name in names:
                before = known.get(name, Told(first=slot, last=slot))
                known[name] = Told(first=min(before.first, slot), last=max(before.last, slot))
    oldest = to_iso(slot_at - _TOLD_FOR)
    newer = {
        region: one
        for region, one in compared.items()
        if region not in memory.witnessed or one.at >= memory.witnessed[region].at
    }
    return replace(
        memory,
        absent={region: kinds for region, kinds in absent.items() if any(kinds.values())},
        told={kind: _kept(names, oldest) for kind, names in told.items()},
        witnessed={**memory.witnessed, **newer},
    )


def note_listing(memory: PriceMemory, slot_at: datetime, region: str, *, sells: bool) -> PriceMemory:
    """Add whether a listed region sells anything."""
    slot, before = to_iso(slot_at), memory.unsold.get(region)
    if before is not None and before.at >= slot:
        return memory
    unsold = {name: one for name, one in memory.unsold.items() if name != region}
    if not sells:
        unsold[region] = Unsold(at=slot, looks=(before.looks if before else 0) + 1)
    return replace(memory, unsold=unsold)


def _absent_after(
    before: Mapping[str, Mapping[str, str]], report: CollectorReport, slot: str
) -> dict[str, dict[str, str]]:
    """Remove prices that a listing found. Prices that were not asked for stay."""
    found = report.found
    unconfirmed = frozenset(found.unconfirmed_sizes)
    kinds = {"spot": found.absent_spot, "ondemand": found.absent_ondemand}
    after = {}
    for kind, sizes in kinds.items():
        was_looked_for = kind == "spot" or report.counts.get("ondemand_asked")
        kept = {size: at for size, at in before.get(kind, {}).items() if not was_looked_for or size in unconfirmed}
        after[kind] = {**kept, **{size: max(slot, kept.get(size, "")) for size in sizes}}
    return after


def _oddities(region: str, found: Findings) -> dict[str, set[str]]:
    return {
        UNKNOWN_KIND: {str(sample.get("kind")) for sample in found.unknown_kinds},
        DISAGREEMENT: {f"{region} {name}" for name in found.disagreeing_sizes},
    }


def _kept(names: Mapping[str, Told], oldest: str) -> dict[str, Told]:
    """Keep the newest findings, and drop those not seen for long."""
    ordered = sorted(names.items(), key=lambda one: (one[1].last, one[0]), reverse=True)
    return {name: one for name, one in ordered[:_MOST_TOLD] if one.last >= oldest}
