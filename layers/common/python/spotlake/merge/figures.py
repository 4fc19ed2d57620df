"""Counts distributions of live workloads, and changes since the workloads before (pure).

The columns come from the merge's views, or for old runs from snapshots (``reporting/snapshots.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spotlake.merge.growing_columns import Column
from spotlake.models import SLOT_MINUTES
from spotlake.snapshot_figures import (
    FREQUENCIES,
    HELD_MINUTES,
    PRICE_BINS_PER_DECADE,
    QUANTILES,
    SAVINGS_STEP_PERCENT,
    SCORES,
    THRESHOLDS,
    UNKNOWN,
    Bin,
    RegionFigures,
    SnapshotFigures,
)

COMPARED = ("spot_price", "interruption_frequency", "t2", "t3")
_NEAR = 1e-9
_MOST_BINS = 10_000


class Compared(NamedTuple):
    """What is compared of the workloads of a snapshot: prices and rates by pair, the others by workload."""

    prices: Column
    rates: Column
    pair: Column
    t2: Column
    t3: Column

    def of(self, what: str, workloads: Column) -> Column:
        """A value (one of ``COMPARED``) of some workloads; nan for unknown."""
        if what in {"t2", "t3"}:
            reached = (self.t2 if what == "t2" else self.t3)[workloads]
            return np.where(reached == UNKNOWN, np.float32(np.nan), reached)
        value: Column = (self.prices if what == "spot_price" else self.rates)[self.pair[workloads]]
        return value


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Live workloads as a snapshot shows them; one entry a workload, unless noted. Times are slots, 0 for unknown.

    Attributes:
        slot: The snapshot's slot.
        desired_count: The count that scores are of; None without any workload.
        names: Region code -> its name in the snapshot.
        codes: Region codes, in the order of their numbers.
        region: By pair: number of its region.
        prices: By pair: spot price, nan for unknown.
        savings, rates: By pair: savings in percent, and eviction rate; nan for unknown.
        price_began, rate_began: By pair: when price and rate began.
        pair: Number of the pair.
        score, t2, t3: -1 for unknown.
        score_began: When the score began.
    """

    slot: int
    desired_count: int | None
    names: Mapping[str, str]
    codes: Sequence[str]
    region: Column
    prices: Column
    savings: Column
    rates: Column
    price_began: Column
    rate_began: Column
    pair: Column
    score: Column
    t2: Column
    t3: Column
    score_began: Column

    def compared(self) -> Compared:
        """What is compared between two snapshots."""
        return Compared(self.prices, self.rates, self.pair, self.t2, self.t3)


@dataclass(frozen=True, kw_only=True)
class Before:
    """The workloads that a snapshot is compared with.

    Attributes:
        values: Their prices, rates, T2 and T3, for the comparison.
        places: For each workload of the snapshot: its place in ``values``; -1 for a workload that was not live.
        workloads: How many were live.
    """

    values: Compared
    places: Column
    workloads: int


def count_figures(shown: Shown, before: Before | None = None) -> SnapshotFigures:
    """Count all figures of a snapshot, compared with the workloads before if there are any."""
    region = shown.region[shown.pair]
    number = len(shown.codes)
    scores, t2, t3 = (
        _counted(region, number, one, kinds)
        for one, kinds in ((shown.score, SCORES), (shown.t2, THRESHOLDS), (shown.t3, THRESHOLDS))
    )
    # The bands of a rate are half a point apart, so twice a rate is a whole number.
    twice = np.where(np.isnan(shown.rates), UNKNOWN, shown.rates * 2).astype(np.int64)
    kinds_of_rates = [UNKNOWN if one == UNKNOWN else round(one * 2) for one in FREQUENCIES]
    rates = _counted(shown.region, number, twice, kinds_of_rates)
    pairs = np.bincount(shown.region, minlength=number).tolist()
    prices, savings = (_quantiles(shown.region, one, number) for one in (shown.prices, shown.savings))
    moves = _moves(shown, region, before)
    regions = {
        code: RegionFigures(
            name=shown.names[code], pairs=pairs[one], scores=scores[one], t3=t3[one], t2=t2[one],
            frequencies=rates[one], spot_price=prices[one], savings=savings[one], moves=moves[one],
        )
        for code, one in sorted((code, one) for one, code in enumerate(shown.codes))
        if pairs[one]
    }  # fmt: skip
    left = None if before is None else before.workloads - int(np.count_nonzero(before.places >= 0))
    return {
        "desired_count": shown.desired_count if len(shown.pair) else None,
        "regions": regions,
        "spot_price_histogram": _price_histogram(shown.prices),
        "savings_histogram": _savings_histogram(shown.savings),
        "held": {
            "price": _held(shown.price_began, shown.slot),
            "eviction": _held(shown.rate_began, shown.slot),
            "sps": _held(shown.score_began, shown.slot),
        },
        "left": left,
    }


def _counted(region: Column, regions: int, values: Column, kinds: Sequence[int]) -> list[list[int]]:
    """By region: how many values of each kind there are. Values are -1 or more; those of no kind are not counted."""
    place = np.full(max(*kinds, int(values.max(initial=0))) + 2, len(kinds))
    place[np.array(kinds) + 1] = np.arange(len(kinds))
    width = len(kinds) + 1
    found = np.bincount(region * width + place[values.astype(np.int64) + 1], minlength=regions * width)
    counts: list[list[int]] = found.reshape(regions, width)[:, :-1].tolist()
    return counts


def _quantiles(region: Column, values: Column, regions: int) -> list[list[float] | None]:
    """By region: the known values at ``QUANTILES`` (nearest rank); None when there are none."""
    by_region = values[np.argsort(region)]
    ends = np.cumsum(np.bincount(region, minlength=regions)).tolist()
    parts = (by_region[begin:end] for begin, end in zip([0, *ends], ends, strict=False))
    return [quantiles(np.sort(part[~np.isnan(part)]).tolist()) for part in parts]


def quantiles(ordered: Sequence[float]) -> list[float] | None:
    """The values at ``QUANTILES`` (nearest rank) of ordered ones; None when there are none.

    >>> quantiles([1.0, 2.0, 3.0, 4.0, 5.0])
    [1.0, 2.0, 3.0, 4.0, 5.0]
    """
    if not ordered:
        return None
    return [ordered[max(math.ceil(share * len(ordered)) - 1, 0)] for share in QUANTILES]


def _moves(shown: Shown, region: Column, before: Before | None) -> list[dict[str, dict[str, int]]]:
    """By region: value -> direction -> number of workloads."""
    found: list[dict[str, dict[str, int]]] = [{} for _ in shown.codes]
    if before is None:
        return found

    def note(what: str, way: str, chosen: Column) -> None:
        for one, number in enumerate(np.bincount(region[chosen]).tolist()):
            if number:
                found[one].setdefault(what, {})[way] = number

    note("workload", "appeared", before.places < 0)
    there = np.flatnonzero(before.places >= 0)
    for what in COMPARED:
        now, then = shown.compared().of(what, there), before.values.of(what, before.places[there])
        changed = np.flatnonzero(now != then)  # nan differs from nan
        rows, now, then = there[changed], now[changed], then[changed]
        note(what, "known", rows[np.isnan(then) & ~np.isnan(now)])
        note(what, "unknown", rows[~np.isnan(then) & np.isnan(now)])
        note(what, "up", rows[now > then])
        note(what, "down", rows[now < then])
    return found


def _price_histogram(prices: Column) -> list[Bin]:
    """(from, to, pairs) in USD per hour, ``PRICE_BINS_PER_DECADE`` bins to each power of ten."""
    prices = prices[prices > 0]  # nan is not
    places = np.log10(prices) * PRICE_BINS_PER_DECADE
    near = np.flatnonzero(np.abs(places - np.round(places)) < _NEAR)  # where another logarithm may end in another bin
    places[near] = [math.log10(price) * PRICE_BINS_PER_DECADE for price in prices[near].tolist()]

    def edge(number: float) -> float:
        return float(f"{10 ** (number / PRICE_BINS_PER_DECADE):.3g}")

    return [(edge(one), edge(one + 1), number) for one, number in _by_bin(np.floor(places))]


def _savings_histogram(savings: Column) -> list[Bin]:
    """(from, to, pairs) in percent."""
    step = SAVINGS_STEP_PERCENT
    bins = np.minimum(np.floor(savings[~np.isnan(savings)] / step), 100 // step - 1)
    return [(float(one * step), float((one + 1) * step), number) for one, number in _by_bin(bins)]


def _by_bin(bins: Column) -> Iterable[tuple[float, int]]:
    """Each bin from the first to the last one that has a value, and how many values it has.

    One absurd price must not make millions of empty bins: of too many bins, only those with a value are returned.
    """
    if not len(bins):
        return []
    if bins.max() - bins.min() >= _MOST_BINS:
        found, numbers = np.unique(bins, return_counts=True)
        return zip(found.tolist(), numbers.tolist(), strict=True)
    first = int(bins.min())
    return enumerate(np.bincount(bins.astype(np.int64) - first).tolist(), first)


def _held(began: Column, slot: int) -> list[int]:
    """Number of values by age. Unknown values are not counted."""
    minutes = (slot - began[began > 0].astype(np.int64)) * SLOT_MINUTES
    counts: list[int] = np.bincount(np.searchsorted(HELD_MINUTES, minutes), minlength=len(HELD_MINUTES) + 1).tolist()
    return counts
