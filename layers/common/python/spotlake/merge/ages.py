"""Ages of the values of live workloads: of scores by desired count, and of all values since confirmed (pure)."""

from __future__ import annotations

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


def score_ages(view: View) -> tuple[ScoreAges, tuple[ScoreAges, ...]]:
    """Compute the ages at the state's newest slot: over all counts, and for each count that was ever asked."""
    state = view.state
    rows = _scored_rows(view)
    unscored = int(np.count_nonzero(view.live & (view.row < 0)))
    by_count, all_slots = [], []
    for place, count in enumerate(DESIRED_COUNTS):
        last = _last_scored(view, place)[rows]
        known = last[last > 0]
        if len(known):
            by_count.append(_ages(count, known, state.slot, never=len(last) - len(known) + unscored))
            all_slots.append(known)
    never = min((one.never for one in by_count), default=len(rows) + unscored)
    known = np.concatenate(all_slots) if all_slots else np.empty(0, np.uint32)
    return _ages(None, known, state.slot, never=never), tuple(by_count)


def value_ages(view: View) -> ValueAgesEntry:
    """Count the known values by the time since a source last confirmed them, at the state's newest slot.

    A price and an eviction rate is a value of a pair. A score is a value of a workload at one desired count.
    """
    pair, pairs = view.state.pair, distinct(view.pair[view.live])
    rows = _scored_rows(view)
    scores = np.zeros(len(AGE_LIMITS_MINUTES) + 1, np.int64)
    for place in range(len(DESIRED_COUNTS)):
        last = _last_scored(view, place)[rows]
        scores += _by_age(last[last > 0], view.state.slot)

    def confirmed(part: str) -> list[int]:
        known = pairs[~np.isnan(pair[part][pairs])]
        counts: list[int] = _by_age(pair[f"{part}_confirmed"][known], view.state.slot).tolist()
        return counts

    return {
        "limits_minutes": list(AGE_LIMITS_MINUTES),
        "sps": scores.tolist(),
        "price": confirmed("spot"),
        "eviction": confirmed("frequency"),
    }


def _scored_rows(view: View) -> Column:
    """Numbers of the live workloads that have a zone."""
    rows: Column = view.row[view.live & (view.row >= 0)]
    return rows


def _last_scored(view: View, place: int) -> Column:
    """Slot of the last score of every workload at a desired count; 0: never."""
    seen = view.state.workloads["seen"][:, place, :]
    return np.maximum(np.maximum(seen[:, 0], seen[:, 1]), seen[:, 2])


def _by_age(slots: Column, newest: int) -> Column:
    minutes = (newest - slots.astype(np.int64)) * SLOT_MINUTES
    return np.bincount(np.searchsorted(AGE_LIMITS_MINUTES, minutes), minlength=len(AGE_LIMITS_MINUTES) + 1)


def _ages(count: int | None, slots: Column, newest: int, *, never: int) -> ScoreAges:
    if not len(slots):
        return ScoreAges(
            desired_count=count, scored=0, never=never, median_minutes=None, p95_minutes=None, oldest_minutes=None
        )
    number = len(slots)
    places = sorted({(number - 1) // 2, (number - 1) // 20, 0})  # a smaller slot number is older
    ordered = np.partition(slots, places)

    def minutes(place: int) -> int:
        return (newest - int(ordered[place])) * SLOT_MINUTES

    return ScoreAges(
        desired_count=count,
        scored=number,
        never=never,
        median_minutes=minutes((number - 1) // 2),
        p95_minutes=minutes((number - 1) // 20),
        oldest_minutes=minutes(0),
    )
