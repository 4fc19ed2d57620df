"""The document ``last_good.json.gz``: by region, the last whole slot and rows of each data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import NotRequired, TypedDict

from spotlake import keys
from spotlake.models import SLOT_MINUTES, Dataset, from_iso, to_iso
from spotlake.reports import CollectorReport, PairAccount
from spotlake.state.kinds import Memory
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LastGoodJson(TypedDict):
    """The document; see ``LastGood``."""

    rows: Mapping[str, Mapping[str, int]]
    collected_at: NotRequired[Mapping[str, Mapping[str, str]]]
    ondemand_at: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class LastGood:
    """The last whole slot of each data set, by region.

    Attributes:
        rows: Region -> data set -> number of rows in the last whole listing.
        collected_at: Region -> data set -> slot in which the data set was last whole (ISO).
        ondemand_at: Region -> slot in which on-demand prices were last asked (ISO).
    """

    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    collected_at: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ondemand_at: Mapping[str, str] = field(default_factory=dict)

    def ondemand_is_due(self, region: str, slot_at: datetime, refresh_hours: int) -> bool:
        """Whether a region's on-demand prices are older than the setting allows, or unknown."""
        last = self.ondemand_at.get(region)
        return last is None or slot_at - from_iso(last) >= timedelta(hours=refresh_hours)

    def listing_is_due(self, region: str, dataset: Dataset, slot_at: datetime, every_minutes: int) -> bool:
        """Whether a region's listing was not whole yet in the slot's turn, or never was.

        Turns begin at the same slots for every region and data set. If they began at the last listing, one failure
        would put a region out of step for ever: no slot would have all regions, or both listings, to be compared.
        A listing that failed is due again in the next slot. One of a later slot says nothing of this slot.
        """
        last = self.collected_at.get(region, {}).get(dataset.value)
        if last is None:
            return True
        listed_at = from_iso(last)
        turn = timedelta(minutes=SLOT_MINUTES * ceil(every_minutes / SLOT_MINUTES))
        return listed_at > slot_at or (listed_at - _EPOCH) // turn != (slot_at - _EPOCH) // turn


def _parse(content: LastGoodJson) -> LastGood:
    return LastGood(
        rows=content["rows"], collected_at=content.get("collected_at", {}), ondemand_at=content["ondemand_at"]
    )


def _dump(last_good: LastGood) -> LastGoodJson:
    return {
        "rows": last_good.rows,
        "collected_at": last_good.collected_at,
        "ondemand_at": last_good.ondemand_at,
    }


LAST_GOOD = Memory(key=keys.LAST_GOOD, schema=1, parse=_parse, dump=_dump, empty=LastGood)


def read_last_good(objects: ReadOnlyObjects) -> LastGood:
    """Read the document; empty before the first run."""
    return LAST_GOOD.read(objects)


def note_last_good(
    objects: ObjectStore,
    slot_at: datetime,
    reports: Iterable[CollectorReport],
    accounts: Iterable[PairAccount],
) -> None:
    """Note what a slot had whole: listings by the collector's report, scores by the scored region's account.

    A late slot replaces nothing that a newer slot has noted.
    """
    slot = to_iso(slot_at)
    listings = [one for one in reports if one.status == "complete" and one.dataset is not Dataset.SPS]
    scored = _whole_regions(accounts)

    def note(before: LastGood) -> LastGood:
        rows = {region: dict(counts) for region, counts in before.rows.items()}
        collected = {region: dict(slots) for region, slots in before.collected_at.items()}
        ondemand = dict(before.ondemand_at)
        for region in scored:
            slots = collected.setdefault(region, {})
            slots[Dataset.SPS.value] = max(slot, slots.get(Dataset.SPS.value, ""))
        for report in listings:
            slots = collected.setdefault(report.region, {})
            if slot >= slots.get(report.dataset.value, ""):
                slots[report.dataset.value] = slot
                listed = report.counts.get("listed_rows", report.rows)
                rows.setdefault(report.region, {})[report.dataset.value] = listed
            if report.dataset is Dataset.PRICE and report.counts.get("ondemand_asked"):
                ondemand[report.region] = max(slot, ondemand.get(report.region, ""))
        return LastGood(rows=rows, collected_at=collected, ondemand_at=ondemand)

    LAST_GOOD.change(objects, note)


def _whole_regions(accounts: Iterable[PairAccount]) -> set[str]:
    """Regions in which every asked pair got an answer."""
    whole: dict[str, bool] = {}
    for one in accounts:
        whole[one.region] = whole.get(one.region, True) and not one.missing and one.asked > 0
    return {region for region, is_whole in whole.items() if is_whole}
