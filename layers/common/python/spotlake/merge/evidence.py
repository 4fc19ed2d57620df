"""Evidence for values: when a source last confirmed a value, and how often the value was absent (pure).

A look is a whole and believed listing of a region. A value becomes unknown after it was absent in enough consecutive
looks. No look is no evidence: after a pause, or while a region's listing fails, every value stays.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from spotlake.merge.growing_columns import Column
from spotlake.merge.state import MergedState
from spotlake.models import SLOT_MINUTES, SLOTS_A_DAY
from spotlake.settings import Settings

PARTS = ("spot", "ondemand", "frequency")  # columns of a pair that listings confirm
_SLOTS_AN_HOUR = 60 // SLOT_MINUTES
_MOST_LOOKS = 255


@dataclass(frozen=True, kw_only=True)
class Patience:
    """When absence makes a value unknown, and when a pair or workload is forgotten.

    Attributes:
        absent_looks: Number of consecutive looks without a value after which the value is unknown.
        absent_hours: Hours that must have passed since the first of these looks.
        retire_after_days: Days on which a pair or workload was looked for and absent, after which it is retired.
        forget_after_days: Days from then on after which it is forgotten. Its item in the table has ended by then.
    """

    absent_looks: int = 6
    absent_hours: int = 6
    retire_after_days: int = 14
    forget_after_days: int = 90

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The patience that the settings ask for."""
        return cls(
            absent_looks=settings.absent_looks,
            absent_hours=settings.absent_hours,
            retire_after_days=settings.retire_after_days,
            forget_after_days=settings.retired_ttl_days,
        )


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Regions that a slot looked at, by the part of their pairs that was listed whole and believed."""

    by_part: dict[str, Collection[str]] = field(default_factory=dict)


def confirm(state: MergedState, part: str, numbers: Column, slot: int) -> None:
    """Record that a source confirmed a part of these pairs (numbers in the state)."""
    state.pair[f"{part}_confirmed"][numbers] = slot
    state.pair[f"{part}_missed"][numbers] = 0
    state.pair[f"{part}_looks"][numbers] = 0


def note_looks(state: MergedState, looks: Looks, scored_pairs: Column, slot: int, patience: Patience) -> None:
    """Record the values that this slot looked for and did not find. Called after all rows are folded.

    Args:
        state: The state with the slot's rows folded in. Changed in place.
        looks: Regions that the slot looked at.
        scored_pairs: Numbers of the pairs for which Azure answered in this slot.
        slot: The slot's number.
        patience: When absence makes a value unknown.
    """
    for part in PARTS:
        _miss(state, part, _pairs_in(state, looks.by_part.get(part, ())), slot, patience)
    pair, rows = state.pair, state.workloads
    seen = pair["listed"] == slot
    _count_days(pair, seen, _pairs_in(state, looks.by_part.get("spot", ())) & ~seen, slot, patience)
    answered = rows["answered"] == slot
    was_asked = np.zeros(len(seen), bool)
    was_asked[scored_pairs] = True
    _count_days(rows, answered, was_asked[rows["pair"]] & ~answered, slot, patience)


def shown_confirmed(state: MergedState, part: str) -> Column:
    """Slot of the last confirmation, for values that were absent in a look since; 0 for all other values."""
    return np.where(state.pair[f"{part}_missed"] > 0, state.pair[f"{part}_confirmed"], 0)


def _pairs_in(state: MergedState, regions: Collection[str]) -> Column:
    """Mask of the pairs in these regions."""
    wanted = np.fromiter((text in regions for text in state.texts), bool)
    return wanted[state.pair["region"]]


def _miss(state: MergedState, part: str, looked: Column, slot: int, patience: Patience) -> None:
    pair = state.pair
    values, missed, looks = pair[part], pair[f"{part}_missed"], pair[f"{part}_looks"]
    absent = looked & (pair[f"{part}_confirmed"] != slot) & ~np.isnan(values)
    missed[absent & (missed == 0)] = slot
    looks[absent & (looks < _MOST_LOOKS)] += 1
    oldest = slot - patience.absent_hours * _SLOTS_AN_HOUR
    gone = absent & (looks >= patience.absent_looks) & (missed <= oldest)
    values[gone] = np.nan
    if part == "frequency":
        pair["band"][gone] = 0


def _count_days(columns: dict[str, Column], seen: Column, unseen: Column, slot: int, patience: Patience) -> None:
    """Count the days on which something was looked for and absent, until it is retired. Seen once, it is as new."""
    day = slot // SLOTS_A_DAY
    columns["unseen_days"][seen] = 0
    another = unseen & (columns["unseen_day"] < day) & (columns["unseen_days"] < patience.retire_after_days)
    columns["unseen_days"][another] += 1
    columns["unseen_day"][another] = day
