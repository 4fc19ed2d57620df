"""Evidence for values: when a source last confirmed each, and how often it was looked for and not there (pure).

A look is a whole listing of a region that was believed. A value that enough looks in a row did not show becomes
unknown. Not looking is no evidence: after a pause, or while a region's listing fails, every value stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from spotlake.merge.growing_columns import Column
from spotlake.merge.state import MergedState
from spotlake.models import SLOT_MINUTES

PARTS = ("spot", "ondemand", "frequency")  # columns of a pair that listings confirm
_SLOTS_A_DAY = 24 * 60 // SLOT_MINUTES
_SLOTS_AN_HOUR = 60 // SLOT_MINUTES
_MOST_LOOKS = 255


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How much absence is believed.

    Attributes:
        absent_looks: So many looks in a row without a value make it unknown ...
        absent_hours: ... if the first of them is so long ago.
    """

    absent_looks: int = 6
    absent_hours: int = 6


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What a slot looked at: region codes, by the part of their pairs that was listed whole and believed."""

    by_part: dict[str, Collection[str]] = field(default_factory=dict)


def confirm(state: MergedState, part: str, numbers: Column, slot: int) -> None:
    """Note that a source confirmed a part of these pairs (numbers in the state)."""
    state.pair[f"{part}_confirmed"][numbers] = slot
    state.pair[f"{part}_missed"][numbers] = 0
    state.pair[f"{part}_looks"][numbers] = 0


def note_looks(state: MergedState, looks: Looks, scored_pairs: Column, slot: int, patience: Patience) -> None:
    """Note what this slot looked for and did not find; called when all its rows are folded.

    Args:
        state: With the slot's rows folded in; changed in place.
        looks: Regions that the slot listed whole, by part.
        scored_pairs: Numbers of the pairs that Azure answered scores of in this slot.
        slot: The slot's number.
        patience: When absence makes a value unknown.
    """
    for part in PARTS:
        _miss(state, part, _pairs_in(state, looks.by_part.get(part, ())), slot, patience)
    pair, rows = state.pair, state.workloads
    seen = pair["listed"] == slot
    _count_days(pair, seen, _pairs_in(state, looks.by_part.get("spot", ())) & ~seen, slot)
    answered = rows["answered"] == slot
    was_asked = np.zeros(len(seen), bool)
    was_asked[scored_pairs] = True
    _count_days(rows, answered, was_asked[rows["pair"]] & ~answered, slot)


def shown_confirmed(state: MergedState, part: str) -> Column:
    """Slot of the last confirmation of values that a look since did not show; 0 for all others."""
    return np.where(state.pair[f"{part}_missed"] > 0, state.pair[f"{part}_confirmed"], 0)


def _pairs_in(state: MergedState, regions: Collection[str]) -> Column:
    """Which pairs are in these regions."""
    wanted = np.array([text in regions for text in state.texts], bool) if regions else np.zeros(len(state.texts), bool)
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


def _count_days(columns: dict[str, Column], seen: Column, unseen: Column, slot: int) -> None:
    """Count the days on which something was looked for and not there; seen once, it is as new."""
    day = slot // _SLOTS_A_DAY
    columns["unseen_days"][seen] = 0
    another = unseen & (columns["unseen_day"] < day)
    columns["unseen_days"][another] += 1
    columns["unseen_day"][another] = day
