"""Ages of the values of live workloads: of scores by desired count, and of all values since confirmed (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spotlake.merge.growing_columns import Column, distinct
from spotlake.merge.view import View
from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES
from spotlake.run_files import AgesEntry, ValueAgesEntry

AGE_LIMITS_MINUTES = (60, 6 * 60, 24 * 60, 7 * 24 * 60)


@dataclass(frozen=True, kw_only=True)
class ScoreAges:
    """Ages of one desired count's scores, or of all counts together.

    Attributes:
        desired_count: The count; None: all counts together that were ever asked.
        scored: Number of live workloads with a known score.
        never: Number of live workloads that never had a score at this count.
        median_minutes, p95_minutes, oldest_minutes: Ages of the known scores; None when no score is known.
    """

    desired_count: int | None
    scored: int
    never: int
    median_minutes: int | None
    p95_minutes: int | None
    oldest_minutes: int | None

    def to_dict(self) -> AgesEntry:
        """Return the form that the manifest holds."""
        return {
            "desired_count": self.desired_count,
            "scored": self.scored,
            "never": self.never,
            "median_minutes": self.median_minutes,
            "p95_minutes": self.p95_minutes,
            "oldest_minutes": self.oldest_minutes,
        }


def slots_since_scores(view: View) -> tuple[Column, ...]:
    """By desired count: how many live workloads had their last score so many slots ago, from 0 slots on."""
    seen, slot = view.state.workloads["seen"], view.state.slot
    last = np.maximum(np.maximum(seen[:, :, 0], seen[:, :, 1]), seen[:, :, 2])[view.row[view.live & (view.row >= 0)]]
    return tuple(_slots_since(of_count[of_count > 0], slot) for of_count in np.ascontiguousarray(last.T))


def score_ages(view: View, slots: Sequence[Column]) -> tuple[ScoreAges, tuple[ScoreAges, ...]]:
    """Compute the ages at the state's newest slot: over all counts, and for each count that was ever asked.

    Args:
        view: The workloads.
        slots: What ``slots_since_scores`` counts.
    """
    live = view.live_count
    asked = [(count, ages) for count, ages in zip(DESIRED_COUNTS, slots, strict=True) if len(ages)]
    by_count = tuple(_ages(count, ages, never=live - int(ages.sum())) for count, ages in asked)
    every = np.zeros(max((len(ages) for _, ages in asked), default=0), np.int64)
    for _, ages in asked:
        every[: len(ages)] += ages
    return _ages(None, every, never=min((one.never for one in by_count), default=live)), by_count


def value_ages(view: View, slots: Sequence[Column]) -> ValueAgesEntry:
    """Count the known values by the time since a source last confirmed them, at the state's newest slot.

    A price and an eviction rate is a value of a pair. A score is a value of a workload at one desired count.

    Args:
        view: The workloads.
        slots: What ``slots_since_scores`` counts.
    """
    pair, pairs = view.state.pair, distinct(view.pair[view.live])

    def confirmed(part: str) -> list[int]:
        known = pairs[~np.isnan(pair[part][pairs])]
        return _by_age(_slots_since(pair[f"{part}_confirmed"][known], view.state.slot))

    return {
        "limits_minutes": list(AGE_LIMITS_MINUTES),
        "sps": [sum(numbers) for numbers in zip(*map(_by_age, slots), strict=True)],
        "price": confirmed("spot"),
        "eviction": confirmed("frequency"),
    }


def _slots_since(slots: Column, newest: int) -> Column:
    """How many of the slots are so many slots old, from 0 on. Nothing is newer than the newest slot."""
    return np.bincount(newest - slots.astype(np.int64))


def _by_age(slots: Column) -> list[int]:
    """Sums of what ``_slots_since`` counts, up to each limit and above the last one."""
    limits = [minutes // SLOT_MINUTES + 1 for minutes in AGE_LIMITS_MINUTES]
    return [int(part.sum()) for part in np.split(slots, limits)]


def _ages(count: int | None, slots: Column, *, never: int) -> ScoreAges:
    if not len(slots):
        return ScoreAges(
            desired_count=count, scored=0, never=never, median_minutes=None, p95_minutes=None, oldest_minutes=None
        )
    upto = np.cumsum(slots)
    number = int(upto[-1])

    def minutes(place: int) -> int:
        """Age of the score that so many scores are older than."""
        return int(np.searchsorted(upto, number - 1 - place, side="right")) * SLOT_MINUTES

    return ScoreAges(
        desired_count=count,
        scored=number,
        never=never,
        median_minutes=minutes((number - 1) // 2),
        p95_minutes=minutes((number - 1) // 20),
        oldest_minutes=minutes(0),
    )
