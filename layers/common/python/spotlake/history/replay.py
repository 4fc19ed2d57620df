"""Makes the frame of any past slot from an earlier frame and the changes since (pure)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from spotlake.history.blocks import Block, aligned, joined, ordered, places_of
from spotlake.history.changes import SlotChanges, apply
from spotlake.history.fields import KEYS, VALUES
from spotlake.merge.growing_columns import first_of_each, last_of_each


def replay(frame: Block, changes: SlotChanges, until: int) -> Block:
    """The frame after all changes of slots up to ``until``. The given frame may be changed in place."""
    rows, times = _by_slot(changes.rows, until), _by_slot(changes.times, until)
    for slot in sorted({*rows, *times}):
        here = SlotChanges(
            rows.get(slot, changes.rows.take(_NO_ROW)), times.get(slot, changes.times.take(_NO_ROW))
        )  # fmt: skip
        frame = apply(frame, here, slot)
    return frame


_NO_ROW = np.empty(0, np.int64)


def _by_slot(block: Block, until: int) -> dict[int, Block]:
    """The rows of each slot."""
    return dict(_slots(block.take(block["slot"] <= until)))


def _slots(block: Block) -> Iterator[tuple[int, Block]]:
    order = np.argsort(block["slot"])
    slots = block["slot"][order]
    bounds = [*np.flatnonzero(first_of_each(slots)).tolist(), len(slots)]
    for begin, end in itertools.pairwise(bounds):
        yield int(slots[begin]), block.take(order[begin:end])


def values_after(state: Block, rows: Block) -> Block:
    """The values of all live workloads after some changes, given those before.

    Args:
        state: Columns ``KEYS`` and ``VALUES``, in order.
        rows: Changes, in order of workload and slot.
    """
    state, rows = aligned(state, rows)
    last = rows.take(last_of_each(rows.keys()))
    _, changed = places_of(last.keys(), state.keys())
    begun = last.take(last["live"]).only((*KEYS, *VALUES))
    return ordered(joined(state.take(~changed), begun))
