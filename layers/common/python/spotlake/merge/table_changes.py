"""Makes the items of the workload table that differ between two views (pure). Fields: docs/data.md."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import batched

import numpy as np

from spotlake.merge.columns import ZONES
from spotlake.merge.evidence import shown_confirmed
from spotlake.merge.growing_columns import Column
from spotlake.merge.matching import places_in, texts_in
from spotlake.merge.state import slot_time
from spotlake.merge.view import View
from spotlake.models import DESIRED_COUNTS, NO_ZONE, SLOTS_A_DAY, Item, ItemChange, Value, to_iso
from spotlake.names import split_tier
from spotlake.scores.thresholds import UNKNOWN

# Attributes of the item that show a difference, by group.
PRICE_NAMES = ("SpotPrice", "OndemandPrice", "Savings", "PriceAt", "PriceConfirmedAt")
EVICTION_NAMES = ("IF", "EvictionBand", "IFAt", "IFConfirmedAt")
SCORE_NAMES = ("Scores", "T2", "T3", "PhysicalZone")
REGION_NAMES = ("RegionName",)
ALL_NAMES = None
_CHUNK = 2048
_ZONE_NAMES = (*ZONES, NO_ZONE)
_COUNT_NAMES = tuple(map(str, DESIRED_COUNTS))
type _Groups = dict[tuple[str, ...], Column]


@dataclass(frozen=True, kw_only=True)
class Writing:
    """Values that every item of a merge has.

    Attributes:
        run_id: Id of the newest run.
        version: Version of the state that the table shows.
        ttl_days: Days that a retired item stays.
    """

    run_id: str
    version: int
    ttl_days: int


class Changes:
    """Items of the workload table that differ between two views: new, changed and retired ones.

    Iterating makes the items in small parts. All items at once would take hundreds of megabytes.
    """

    def __init__(
        self, before: View | None, after: View, writing: Writing, *, begun: Iterable[View] = (), rewrite: bool = False
    ) -> None:
        """Compare the views; items are made later.

        Args:
            before: The view that the table shows; None when the table is empty.
            after: The view that the table is to show.
            writing: Values that every item has.
            begun: Views that another merge may have written in part after ``before``. Items that those views changed
                are written again, whole, even if they equal ``before``. They are looked at one by one.
            rewrite: Whether too many views have begun to look at each: every item that may exist is then written whole.
        """
        self._after, self._before, self._writing = after, before, writing
        self._was_live, self._differences, self._whole = _compared(before, after)
        shown = after.live | self._was_live
        for view in begun:
            places = places_in(view, after)
            self._whole = self._whole | _picked(_changed(before, view), places)
            shown = shown | _picked(view.live, places)
            del view  # before the next one is made
        if rewrite:
            # What came and went meanwhile may have an item too.
            came = np.ones(len(shown), bool) if before is None else places_in(before, after) < 0
            shown, self._whole = shown | came, np.ones(len(shown), bool)
        changed = shown & (self._whole | np.any(list(self._differences.values()), axis=0))
        self._numbers: Column = np.concatenate([np.flatnonzero(changed), len(changed) + _gone(before, after)])

    def beginning_at(self, number: int, *, done_from: int | None) -> Changes:
        """The same changes, starting at a workload's number and wrapping around.

        Args:
            number: Number of the workload to start at.
            done_from: If given, workloads from this number around to ``number`` are done and left out.
        """
        numbers = self._numbers
        later = numbers >= number
        if done_from is not None:
            since = numbers >= done_from
            done = (since & ~later) if done_from <= number else (since | ~later)
            numbers, later = numbers[~done], later[~done]
        turned = copy.copy(self)
        turned._numbers = np.concatenate([numbers[later], numbers[~later]])
        return turned

    def number(self, place: int) -> int:
        """Number of the workload that a change belongs to."""
        return int(self._numbers[place])

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[ItemChange]:
        for part in batched(self._numbers.tolist(), _CHUNK, strict=False):
            known = np.array([number for number in part if number < len(self._whole)], np.int64)
            was_live, only = self._was_live[known].tolist(), self._only(known)
            for is_live, names, item in zip(was_live, only, _items(self._after, known, self._writing), strict=True):
                # A workload that was never live has no item yet.
                yield ItemChange(item, is_new=not is_live, only=names)
            if len(known) < len(part) and self._before is not None:
                gone = np.array([number - len(self._whole) for number in part if number >= len(self._whole)])
                for item in _items(_retired(self._before, self._after.state.slot), gone, self._writing):
                    yield ItemChange(item, is_new=False, only=ALL_NAMES)

    def _only(self, numbers: Column) -> list[tuple[str, ...] | None]:
        """The changed attributes of each workload: one tuple for all with the same ones."""
        groups = self._differences
        marked = sum(differs[numbers] * 2**place for place, differs in enumerate(groups.values()))
        marks = np.where(self._whole[numbers], 2 ** len(groups), marked).tolist()
        found: dict[int, tuple[str, ...] | None] = {2 ** len(groups): ALL_NAMES}
        for mark in set(marks) - found.keys():
            found[mark] = tuple(name for place, names in enumerate(groups) if mark >> place & 1 for name in names)
        return [found[mark] for mark in marks]


def _compared(before: View | None, after: View) -> tuple[Column, _Groups, Column]:
    """By workload of ``after``: whether it was live, which groups of attributes differ, whether it came or went."""
    none = np.zeros(len(after.live), bool)
    if before is None or not len(before.live):
        return none, {(): none}, after.live
    known = places_in(before, after)
    was_live = _picked(before.live, known)
    return was_live, _differences(before, after, known), (after.live != was_live) | (known < 0)


def _gone(before: View | None, after: View) -> Column:
    """Live workloads of ``before`` that ``after`` does not have: it was rebuilt from later slots, or has forgotten."""
    return np.empty(0, np.int64) if before is None else np.flatnonzero(before.live & (places_in(after, before) < 0))


def _retired(view: View, slot: int) -> View:
    """The same workloads, all retired in this slot."""
    return replace(view, state=replace(view.state, slot=slot), live=np.zeros(len(view.live), bool))


def _changed(before: View | None, after: View) -> Column:
    """Workloads of ``after`` whose items differ."""
    was_live, differences, turned = _compared(before, after)
    changed: Column = (after.live | was_live) & (turned | np.any(list(differences.values()), axis=0))
    return changed


def _picked(flags: Column, places: Column) -> Column:
    """Values of the flags at the given indexes; False at index -1."""
    if not len(flags):
        return np.zeros(len(places), bool)
    picked: Column = flags[places] & (places >= 0)
    return picked


def _differences(before: View, after: View, known: Column) -> _Groups:
    """By group of attributes: whether a workload's item differs. Only workloads that ``known`` has an index for."""
    old, new = before.state, after.state
    texts = texts_in(old, new)
    old_pair = np.zeros(len(new.pair["region"]), np.int64)  # by pair of ``after``
    old_pair[after.pair[known >= 0]] = before.pair[known[known >= 0]]

    def differs(name: str) -> Column:
        now, then = new.pair[name], old.pair[name][old_pair]
        other: Column = now != then
        return other & ~(np.isnan(now) & np.isnan(then)) if now.dtype.kind == "f" else other

    def aged(part: str) -> Column:
        other: Column = shown_confirmed(new, part) != shown_confirmed(old, part)[old_pair]
        return other

    prices = differs("spot") | differs("ondemand") | differs("spot_began") | aged("spot")
    bands = new.pair["band"] != texts[old.pair["band"]][old_pair]
    rates = differs("frequency") | differs("frequency_began") | bands | aged("frequency")
    scores = (after.t2 != before.t2[known]) | (after.t3 != before.t3[known])
    scored = (after.row >= 0) & (before.row[known] >= 0)
    new_rows, old_rows = _span(after.row[scored]), _span(before.row[known][scored])
    for name in ("score", "score_began"):
        scores[scored] |= (new.workloads[name][new_rows] != old.workloads[name][old_rows]).any(axis=1)
    scores[scored] |= new.workloads["physical"][new_rows] != texts[old.workloads["physical"]][old_rows]
    # A name may also be gone: a region that was forgotten, and has a pair again, goes by its code.
    is_renamed = np.array([old.regions.get(text) != new.regions.get(text) for text in new.texts], bool)
    return {
        PRICE_NAMES: prices[after.pair],
        EVICTION_NAMES: rates[after.pair],
        SCORE_NAMES: scores,
        REGION_NAMES: is_renamed[new.pair["region"]][after.pair],
    }


def _span(rows: Column) -> Column | slice:
    """The rows, as a span that needs no copy if they are all from the first on."""
    return slice(len(rows)) if np.array_equal(rows, np.arange(len(rows))) else rows


def _items(view: View, numbers: Column, writing: Writing) -> Iterator[Item]:
    """Make the items of some workloads. An unknown value has no attribute."""
    state, pair = view.state, view.pair[numbers]
    names = ("region", "size", "spot", "spot_began", "ondemand", "frequency", "frequency_began", "band")
    of_pair = zip(*(state.pair[name][pair].tolist() for name in names), view.savings[pair].tolist(), strict=True)
    aged = zip(*(shown_confirmed(state, part)[pair].tolist() for part in ("spot", "frequency")), strict=True)
    own = (column[numbers].tolist() for column in (view.zone, view.live))
    updated_at = _iso(state.slot)
    for values, (zone, live), (price_aged, rate_aged), scored in zip(
        of_pair, zip(*own, strict=True), aged, _score_fields(view, numbers), strict=True
    ):
        region_number, size_number, spot, spot_began, ondemand, frequency, frequency_began, band, savings = values
        region, size = state.texts[region_number], state.texts[size_number]
        tier, rest = split_tier(size)
        item: dict[str, Value] = {
            "InstanceType": size,
            "Workload": f"{region}#{_ZONE_NAMES[zone]}",
            "InstanceTier": tier,
            "Size": rest,
            "Region": region,
            "RegionName": state.regions.get(region, region),
            "AvailabilityZone": _ZONE_NAMES[zone],
            "UpdatedAt": updated_at,
            "RunId": writing.run_id,
            "Version": writing.version,
        }
        if _is_known(ondemand):
            item["OndemandPrice"] = round(ondemand, 6)
        if _is_known(spot):
            item["SpotPrice"], item["PriceAt"] = round(spot, 6), _iso(spot_began)
        if _is_known(savings):
            item["Savings"] = savings
        if _is_known(frequency):
            item["IF"], item["EvictionBand"], item["IFAt"] = frequency, state.texts[band], _iso(frequency_began)
        if price_aged:
            item["PriceConfirmedAt"] = _iso(price_aged)
        if rate_aged:
            item["IFConfirmedAt"] = _iso(rate_aged)
        item |= scored
        if not live:
            item["RetiredAt"] = updated_at
            item["ExpiresAt"] = int(slot_time(state.slot + writing.ttl_days * SLOTS_A_DAY).timestamp())
        yield item


def _is_known(value: float) -> bool:
    return value == value  # noqa: PLR0124 - nan alone differs from itself


@functools.lru_cache(4096)
def _iso(slot: int) -> str:
    """A slot's time as text. Cached, because many items share few slots."""
    return to_iso(slot_time(slot))


def _score_fields(view: View, numbers: Column) -> Iterator[dict[str, Value]]:
    """Scores, T2, T3 and physical zone of some workloads; none of a workload of zone N/A."""
    rows, texts = view.row[numbers], view.state.texts
    has_row = rows >= 0
    names = ("score", "score_began", "physical")
    of_rows = zip(*(view.state.workloads[name][rows[has_row]].tolist() for name in names), strict=True)
    for is_scored, t2, t3 in zip(has_row.tolist(), view.t2[numbers].tolist(), view.t3[numbers].tolist(), strict=True):
        fields: dict[str, Value] = {}
        if is_scored:
            scores, began, physical = next(of_rows)
            known = {
                count: {"s": score, "at": _iso(slot)}
                for count, score, slot in zip(_COUNT_NAMES, scores, began, strict=True)
                if score
            }
            if known:
                fields["Scores"] = known
            if t2 != UNKNOWN:
                fields["T2"] = t2
            if t3 != UNKNOWN:
                fields["T3"] = t3
            if physical:
                fields["PhysicalZone"] = texts[physical]
        yield fields
