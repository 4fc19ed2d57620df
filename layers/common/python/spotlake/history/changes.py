"""What one slot changed, and how a frame takes these changes (pure).

Values change by rows: all values of a workload after its change. The times of values follow from the rows by three
rules, and a note tells each time that does not follow. So a frame with all changes since is always the frame of that
slot:

1. A value that changed and is known began in this slot, and a source confirmed it.
2. A note of a whole region confirms a field of all workloads that the region's last look had confirmed.
3. A note of a workload says a time as it is.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from spotlake.history.blocks import Block, aligned, joined, ordered, places_of
from spotlake.history.fields import (
    BEGAN,
    CHANGES,
    CONFIRMED,
    FRAME,
    KEYS,
    KINDS,
    TIME_NOTES,
    TIMED,
    TIMES,
    VALUES,
    differs,
    is_known,
)
from spotlake.merge.growing_columns import Column, first_of_each

_WHOLE_REGION = -1  # the zone of a note of a whole region
_REGION_SHARE = 0.5  # of the workloads that the last look confirmed; below it each has a note of its own


@dataclass(frozen=True)
class SlotChanges:
    """The changes of one slot, or of several.

    Attributes:
        rows: Columns ``fields.CHANGES``, in order of workload and slot. A row without ``live`` ends a workload; its
            values are unknown.
        times: Columns ``fields.TIME_NOTES``: times of values that do not follow from the rows.
    """

    rows: Block
    times: Block


def changes_between(before: Block, after: Block, slot: int) -> SlotChanges:
    """What changed from one frame to another, in this slot."""
    before, after = aligned(before, after)
    old_keys, new_keys = before.keys(), after.keys()
    places, kept = places_of(old_keys, new_keys)
    changed = ~kept
    for name in VALUES:
        changed[kept] |= differs(name, before[name][places[kept]], after[name][kept])
    _, stays = places_of(new_keys, old_keys)
    rows = ordered(joined(_rows(after.take(changed), slot, live=True), _ended(before.take(~stays), slot)))
    guess = with_values(before.copy(), rows, slot)
    looks = _looks(guess, after, slot)
    confirm_regions(guess, looks)
    return SlotChanges(rows, joined(looks, _corrections(guess, after, slot)))


def apply(frame: Block, changes: SlotChanges, slot: int) -> Block:
    """The frame after one slot's changes. The given frame may be changed in place."""
    frame = with_values(frame, changes.rows, slot)
    whole = changes.times["zone"] == _WHOLE_REGION
    confirm_regions(frame, changes.times.take(whole))
    frame, notes = aligned(frame, changes.times.take(~whole))
    places, _ = places_of(frame.keys(), notes.keys())
    for number, name in enumerate(TIMES):
        chosen = notes["field"] == number
        frame[name][places[chosen]] = notes["at"][chosen]
    return frame


def with_values(frame: Block, rows: Block, slot: int) -> Block:
    """The frame with the values of the rows, and the times that follow from them."""
    frame, rows = aligned(frame, rows)
    keys = frame.keys()
    places, found = places_of(keys, rows.keys())
    known = found & rows["live"]
    at, given = places[known], rows.take(known)
    for name in TIMED:
        began = differs(name, frame[name][at], given[name]) & is_known(name, given[name])
        frame[BEGAN[name]][at[began]] = slot
        frame[CONFIRMED[name]][at[began]] = slot
    for name in VALUES:
        frame[name][at] = given[name]
    fresh, gone = rows.take(~found & rows["live"]), places[found & ~rows["live"]]
    if not len(fresh) and not len(gone):
        return frame
    stays = np.ones(len(frame), bool)
    stays[gone] = False
    return ordered(joined(frame.take(stays), _begun(fresh, slot)))


def confirm_regions(frame: Block, looks: Block) -> None:
    """Confirm the fields of whole regions, in place."""
    frame_, looks = aligned(frame, looks)
    frame.texts, frame.columns = frame_.texts, frame_.columns
    begins, ends = (np.searchsorted(frame["region"], looks["region"], side=side) for side in ("left", "right"))
    for begin, end, field, at in zip(
        begins.tolist(), ends.tolist(), looks["field"].tolist(), looks["at"].tolist(), strict=True
    ):
        part = frame[TIMES[field]][begin:end]
        part[_in_last_look(part, at)] = at


def _in_last_look(confirmed: Column, slot: int) -> Column:
    """Mask of a region's workloads whose field the region's last look confirmed.

    Workloads that this slot's rows have begun are confirmed already; the last look is the one before.
    """
    older = confirmed[confirmed != slot]
    last = older.max(initial=0)
    in_it: Column = (confirmed == last) & (last > 0)
    return in_it


def _looks(guess: Block, after: Block, slot: int) -> Block:
    """Notes for the regions in which this slot confirmed a field of most of those that the last look confirmed."""
    regions, fields = [], []
    bounds = [*np.flatnonzero(first_of_each(after["region"])).tolist(), len(after)]
    for begin, end in itertools.pairwise(bounds):
        for name in CONFIRMED.values():
            confirmed = after[name][begin:end] == slot
            if not confirmed.any():
                continue
            expected = _in_last_look(guess[name][begin:end], slot)
            if (confirmed & expected).sum() > _REGION_SHARE * expected.sum():
                regions.append(int(after["region"][begin]))
                fields.append(TIMES.index(name))
    count = len(regions)
    given = {"region": regions, "instance_type": [0] * count, "zone": [_WHOLE_REGION] * count}
    given |= {"slot": [slot] * count, "field": fields, "at": [slot] * count}
    return Block(after.texts, {name: np.array(given[name], KINDS[name][0]) for name in TIME_NOTES})


def _corrections(guess: Block, after: Block, slot: int) -> Block:
    """Notes for all times that the rules do not give."""
    parts = [Block(after.texts, Block.empty(TIME_NOTES).columns)]
    for number, name in enumerate(TIMES):
        wrong = np.flatnonzero(guess[name] != after[name])
        columns = {key: after[key][wrong] for key in KEYS}
        columns["slot"] = np.full(len(wrong), slot, KINDS["slot"][0])
        columns["field"] = np.full(len(wrong), number, KINDS["field"][0])
        parts.append(Block(after.texts, columns | {"at": after[name][wrong]}))
    return joined(*parts)


def _rows(frame: Block, slot: int, *, live: bool) -> Block:
    columns = {name: frame[name] for name in (*KEYS, *VALUES)}
    columns["slot"] = np.full(len(frame), slot, KINDS["slot"][0])
    columns["live"] = np.full(len(frame), live)
    return Block(frame.texts, {name: columns[name] for name in CHANGES})


def _ended(frame: Block, slot: int) -> Block:
    """Rows that end these workloads."""
    rows = _rows(frame, slot, live=False)
    for name in VALUES:
        kind, unknown = KINDS[name]
        rows.columns[name] = np.full(len(rows), unknown).astype(kind)
    return rows


def _begun(rows: Block, slot: int) -> Block:
    """Frame rows of workloads that this slot has begun."""
    columns = {name: rows[name] for name in (*KEYS, *VALUES)}
    for name in TIMED:
        times = np.where(is_known(name, rows[name]), slot, 0).astype(KINDS["at"][0])
        columns |= {BEGAN[name]: times, CONFIRMED[name]: times.copy()}
    return Block(rows.texts, {name: columns[name] for name in FRAME})
