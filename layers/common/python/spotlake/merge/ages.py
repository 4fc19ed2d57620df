"""Ages of the newest score of each live workload, by desired count (pure)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spotlake.merge.growing_columns import Column
from spotlake.merge.view import View
from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES
from spotlake.run_files import AgesEntry


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
    live = view.live & (view.row >= 0)
    rows = view.row[live]
    unscored = int(np.count_nonzero(view.live & (view.row < 0)))
    by_count, all_slots = [], []
    for place, count in enumerate(DESIRED_COUNTS):
        seen = state.workloads["seen"][:, place, :]
        last = np.maximum(np.maximum(seen[:, 0], seen[:, 1]), seen[:, 2])[rows]
        known = last[last > 0]
        if len(known):
            by_count.append(_ages(count, known, state.slot, never=len(last) - len(known) + unscored))
            all_slots.append(known)
    never = min((one.never for one in by_count), default=len(rows) + unscored)
    known = np.concatenate(all_slots) if all_slots else np.empty(0, np.uint32)
    return _ages(None, known, state.slot, never=never), tuple(by_count)


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
