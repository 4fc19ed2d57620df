"""What price listings have taught (pure): what sells nothing, which prices are not there, what was told already.

It is advice: without it everything is asked again, and told again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil

from spotlake.models import Dataset, from_iso, to_iso
from spotlake.reports import CollectorReport, Findings

# A region that listed nothing so often, on so many full runs, is asked once a week from then on.
LOOKS_UNTIL_WEEKLY = 3
UNSOLD_AGAIN_AFTER = timedelta(days=7)
# Holes of 2026 lasted 6 to 18 hours, and a listing shows by itself what is back; on-demand is listed once a day.
ABSENT_AGAIN_AFTER = {"spot": timedelta(hours=6), "ondemand": timedelta(days=7)}
WITNESS_AGAIN_AFTER = timedelta(hours=24)
_WITNESS_ROUND_SLOTS = 72  # so many slots ask all regions once: half a day, so a lost slot is made good
_TOLD_FOR = timedelta(days=40)  # what was not seen so long is told again
_MOST_TOLD = 1000
UNKNOWN_KIND, DISAGREEMENT = "unknown_kind", "price_disagreement"


@dataclass(frozen=True, kw_only=True)
class Unsold:
    """A region that Azure lists and that listed no price: slot (ISO) of the last look, and how many looks."""

    at: str
    looks: int


@dataclass(frozen=True, kw_only=True)
class Told:
    """Slots (ISO) in which something odd was first and last seen."""

    first: str
    last: str


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The last comparison of a region's two witnesses: its slot (ISO), and the sizes, None without an answer."""

    at: str
    agreeing: int | None = None
    disagreeing: int | None = None

    @property
    def disagreement_percent(self) -> float | None:
        """Percent of the sizes of which the two say different prices; None when nothing was compared."""
        both = (self.agreeing or 0) + (self.disagreeing or 0)
        return round(100 * (self.disagreeing or 0) / both, 2) if both else None


@dataclass(frozen=True, kw_only=True)
class PriceMemory:
    """What is remembered.

    Attributes:
        unsold: Region -> when it was last seen to sell nothing.
        absent: Region -> "spot" or "ondemand" -> size (ARM casing) -> slot (ISO) in which a narrow request did not
            find the price either.
        told: ``UNKNOWN_KIND`` or ``DISAGREEMENT`` -> its name -> when it was seen.
        witnessed: Region -> its last comparison.
    """

    unsold: Mapping[str, Unsold] = field(default_factory=dict)
    absent: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    told: Mapping[str, Mapping[str, Told]] = field(default_factory=dict)
    witnessed: Mapping[str, Compared] = field(default_factory=dict)

    def is_listing_due(self, region: str, slot_at: datetime) -> bool:
        """Whether a region outside the catalogue is to be listed: one that sells nothing once a week."""
        seen = self.unsold.get(region)
        if seen is None or seen.looks < LOOKS_UNTIL_WEEKLY:
            return True
        return slot_at - from_iso(seen.at) >= UNSOLD_AGAIN_AFTER

    def absent_sizes(self, region: str, kind: str, slot_at: datetime) -> tuple[str, ...]:
        """Sizes whose price of this kind is known not to be there: not asked for narrowly again yet."""
        found = self.absent.get(region, {}).get(kind, {})
        return tuple(sorted(size for size, at in found.items() if slot_at - from_iso(at) < ABSENT_AGAIN_AFTER[kind]))

    def witnesses_due(self, regions: Iterable[str], slot_at: datetime) -> frozenset[str]:
        """Regions whose second witness is asked in this slot: few, those that wait longest."""
        asked = sorted(regions)
        due = [
            region
            for region in asked
            if region not in self.witnessed or slot_at - from_iso(self.witnessed[region].at) >= WITNESS_AGAIN_AFTER
        ]
        due.sort(key=lambda region: (self.witnessed[region].at if region in self.witnessed else "", region))
        return frozenset(due[: ceil(len(asked) / _WITNESS_ROUND_SLOTS)])

    def new_in(self, kind: str, slot_at: datetime) -> int:
        """How many oddities of a kind were seen in this slot for the first time."""
        slot = to_iso(slot_at)
        return sum(one.first == slot for one in self.told.get(kind, {}).values())

    def worst_disagreement_percent(self) -> float | None:
        """The largest share of a region's sizes that its two witnesses differ on, by their last comparisons."""
        shares = [one.disagreement_percent for one in self.witnessed.values()]
        return max((share for share in shares if share is not None), default=None)


def fold_prices(
    memory: PriceMemory,
    slot_at: datetime,
    reports: Iterable[CollectorReport],
    compared: Mapping[str, Compared],
) -> PriceMemory:
    """What is remembered after a slot; folding a slot twice changes nothing.

    Args:
        memory: Before.
        slot_at: The slot.
        reports: Of collectors that listed whole regions; those of prices that are complete count.
        compared: Region -> the comparison of its witnesses in this slot.
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
    """What is remembered after one region was listed: whether it sells anything at all."""
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
    """What a listing found stands no more in it; what was not looked for stays as it was."""
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
    """The newest, without what was not seen for long."""
    ordered = sorted(names.items(), key=lambda one: (one[1].last, one[0]), reverse=True)
    return {name: one for name, one in ordered[:_MOST_TOLD] if one.last >= oldest}
