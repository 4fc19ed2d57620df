"""Keeps the change history: writes what each slot of the chain changed, and compacts finished days by region.

The history follows the chain of merged states. The rows of a slot are the difference of two states that the chain
names, and a day's files say which. A slot is written again when its states are others now, because it was merged again
or an earlier slot came late. So the history depends on the chain alone, and a step that was repeated, interrupted or
left out is made good by the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from spotlake import keys
from spotlake.clock import Clock, Deadline
from spotlake.errors import ConflictError, DamagedStateError, StoreError
from spotlake.history.blocks import Block, joined
from spotlake.history.changes import SlotChanges, changes_between
from spotlake.history.fields import FRAME
from spotlake.history.files import STATE_WITH_TIMES, to_parquet
from spotlake.history.frames import frame_of
from spotlake.history.index import Index
from spotlake.merge.state import slot_number
from spotlake.merge.view import View
from spotlake.models import slot_of_run_id, to_iso
from spotlake.settings import Settings
from spotlake.state.history_files import CONTENT_TYPE, DayFiles, HistoryFiles, Kept, SlotFacts, frame_at
from spotlake.state.merged_states import Head, MergedRun, MergedStates
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.keep_history.compaction import Compaction, regions_of
from spotlake.usecases.keep_history.keep_gaps import keep_gaps
from spotlake.usecases.keep_history.past import keep_past
from spotlake.usecases.keep_history.publish import publish_data_package
from spotlake.usecases.merge.newest_file import put_newest

_ROUNDS = 6
_DIGEST_LENGTH = 8
_SLOT_SECONDS, _DAY_SECONDS = 20.0, 90.0  # the longest that a slot takes, with its day's files, and that a day takes


@dataclass(frozen=True, kw_only=True)
class HistoryDeps:
    """Dependencies of keeping the history. ``wall`` is the wall clock."""

    objects: ObjectStore
    wall: Clock
    deadline: Deadline
    settings: Settings


@dataclass(kw_only=True)
class KeptHistory:
    """What was done.

    Attributes:
        slots: Number of slots that were written, for the first time or again.
        rows: Number of their rows.
        compacted_days: Number of days that were put into the files by region.
        slots_left, days_left: What time did not suffice for; the next run continues.
    """

    slots: int = 0
    rows: int = 0
    compacted_days: int = 0
    slots_left: int = 0
    days_left: int = 0


@dataclass
class _OwnDay:
    """What is to be written into one day's file."""

    files: DayFiles
    kept: dict[str, Kept] = field(default_factory=dict)
    facts: dict[str, SlotFacts] = field(default_factory=dict)
    changes: list[SlotChanges] = field(default_factory=list)


def keep_history(deps: HistoryDeps, merged_at: datetime | None = None) -> KeptHistory:
    """Write all slots of the chain whose changes are not written yet, then compact finished days.

    Args:
        deps: Dependencies.
        merged_at: The slot that was just merged, whose manifest is read for the gaps again in any case.

    Raises:
        StoreError: An object cannot be read or written. The next run makes it good.
        DamagedStateError: A file of the history, or a state that the chain names, is damaged.
    """
    for _ in range(_ROUNDS):
        try:
            return _History(deps).run_all(merged_at)
        except ConflictError:  # another execution keeps the history too, or has deleted a state of an older chain
            continue
    raise StoreError(f"the change history: others wrote it {_ROUNDS} times in a row")


class _History:
    def __init__(self, deps: HistoryDeps) -> None:
        self.deps, self.files = deps, HistoryFiles(deps.objects)
        self.states = MergedStates(deps.objects)
        self.found, self.etag = self.files.index()
        self.index = self.found or Index()
        self.done = KeptHistory()

    def run_all(self, merged_at: datetime | None) -> KeptHistory:
        head = self.states.head()
        if not head.runs:
            return self.done
        days = {slot_of_run_id(run.run_id).date() for run in head.runs}
        files = {day: self.files.day(day) for day in sorted(days)}
        self._keep_gaps(head, files, merged_at)
        tags = self._write_slots(head, files)
        try:
            self._compact(slot_of_run_id(head.runs[-1].run_id).date(), tags)
        except DamagedStateError:
            self._write_index()  # the slots can be read all the same
            raise
        self._write_index()
        if merged_at is not None:
            keep_past(self.deps.objects, self.index.regions, merged_at, self.deps.deadline)
        publish_data_package(self.deps.objects, self.index, self.deps.settings.data_licence)
        return self.done

    def _compact(self, newest: date, tags: dict[date, str]) -> None:
        compaction = Compaction(self.files, self.index, lambda: self._is_late(_DAY_SECONDS))
        self.index = compaction.compact(newest, tags)
        self.done.compacted_days, self.done.days_left = compaction.days, compaction.days_left

    def _write_index(self) -> None:
        if self.index != self.found or self.etag is None:
            self.files.write_index(replace(self.index, made_at=self.deps.wall.now()), self.etag)

    def _keep_gaps(self, head: Head, files: dict[date, DayFiles], merged_at: datetime | None) -> None:
        """Before the slots are written, because those that are due tell which manifests are to be read."""
        days = ((files[day], runs) for day, runs in _by_day(head.runs))
        due = {
            slot_of_run_id(run.run_id) for day, runs in days for before, run in runs if self._is_due(day, before, run)
        }
        looked_at = due | ({merged_at} if merged_at else set())
        keep_gaps(self.deps.objects, [slot_of_run_id(run.run_id) for run in head.runs], looked_at)

    # -- slots -----------------------------------------------------------------------------------

    def _write_slots(self, head: Head, files: dict[date, DayFiles]) -> dict[date, str]:
        """Write the slots that are due, a day at a time. Returns the entity tags of the days."""
        tags = {day: file.rows.etag for day, file in files.items() if file.rows.etag is not None}
        frame: tuple[str, Block] | None = None  # the last frame and the name of its state
        for day, runs in _by_day(head.runs):
            own = _OwnDay(files[day])
            self._note_regions(own.files.rows.block)
            for before, run in runs:
                if not self._is_due(own.files, before, run):
                    self._note(run)
                    continue
                if self._is_late(_SLOT_SECONDS):
                    self.done.slots_left += 1
                    continue
                is_same = frame is not None and before is not None and frame[0] == before.key
                base = frame[1] if frame and is_same else self._frame_before(before, run, files)
                frame = run.key, self._frame(run, self.deps.settings.retire_after_days)
                self._add(own, before, run, (base, frame[1]))
            if own.kept:
                tags[day] = self._write_day(own)
        if not self.done.slots_left and self.index.latest != _digest(head.runs[-1]):
            self._write_latest(head, frame)
        return tags

    def _note(self, run: MergedRun) -> None:
        """Let the index name a run whose slot is written."""
        slot_at = slot_of_run_id(run.run_id)
        self.index = replace(
            self.index,
            first_slot_at=min(self.index.first_slot_at or slot_at, slot_at),
            last_slot_at=max(self.index.last_slot_at or slot_at, slot_at),
        ).with_day(slot_at.date())

    def _note_regions(self, rows: Block) -> None:
        self.index = replace(self.index, regions=tuple(sorted({*self.index.regions, *regions_of(rows)})))

    def _write_latest(self, head: Head, known: tuple[str, Block] | None) -> None:
        """Write all live workloads of the newest slot, with the times of their values."""
        run = head.runs[-1]
        frame = known[1] if known and known[0] == run.key else self._frame(run, self.deps.settings.retire_after_days)
        self.index = replace(self.index, latest=_digest(run))
        body = to_parquet(frame, STATE_WITH_TIMES, {"slot_at": to_iso(slot_of_run_id(head.runs[-1].run_id))})
        put_newest(
            self.deps.objects,
            keys.LATEST_TABLE,
            body,
            CONTENT_TYPE,
            is_overtaken=lambda: self.states.head().version > head.version,
        )

    def _is_due(self, files: DayFiles, before: MergedRun | None, run: MergedRun) -> bool:
        kept = files.kept(run.run_id)
        if kept is None or kept.after != _digest(run):
            return True
        return before is not None and kept.before != _digest(before)  # of the oldest run the state before is gone

    def _is_late(self, seconds: float) -> bool:
        return self.deps.deadline.seconds_left() < seconds

    def _frame(self, run: MergedRun, retire_after_days: int) -> Block:
        return frame_of(View.of(self.states.load(run.key), retire_after_days))

    def _frame_before(self, before: MergedRun | None, run: MergedRun, files: dict[date, DayFiles]) -> Block:
        """The frame before a run, as it was kept. If the chain has forgotten that state, the history knows it."""
        if before is not None:
            facts = files[slot_of_run_id(before.run_id).date()].times.facts.get(before.run_id)
            return self._frame(before, facts.retire_after_days if facts else self.deps.settings.retire_after_days)
        first, slot_at = self.index.first_slot_at, slot_of_run_id(run.run_id)
        if first is None or first >= slot_at:
            return Block.empty(FRAME)
        return frame_at(self.deps.objects, self.index, slot_at - timedelta(seconds=1))

    def _add(self, own: _OwnDay, before: MergedRun | None, run: MergedRun, frames: tuple[Block, Block]) -> None:
        slot_at = slot_of_run_id(run.run_id)
        changes = changes_between(*frames, slot_number(slot_at))
        self.files.write_run(slot_at, changes)
        if self._is_first_of_day(own, before, run):
            self._write_state(slot_at.date(), frames[0])
        own.kept[run.run_id] = Kept(_digest(before) if before else "", _digest(run))
        own.facts[run.run_id] = SlotFacts(
            desired_count=run.desired_count,
            name_casing=self.deps.settings.name_casing,
            retire_after_days=self.deps.settings.retire_after_days,
        )
        own.changes.append(changes)
        self._note(run)
        self._note_regions(changes.rows)
        self.done.slots += 1
        self.done.rows += len(changes.rows)

    def _is_first_of_day(self, own: _OwnDay, before: MergedRun | None, run: MergedRun) -> bool:
        if before is None:
            return not any(run_id < run.run_id for run_id in own.files.rows.kept)
        return slot_of_run_id(before.run_id).date() < slot_of_run_id(run.run_id).date()

    def _write_state(self, day: date, frame: Block) -> None:
        """Write the state before a day's first slot; the first state of a month has the times of all values."""
        self.files.write_state(day, frame, times=self.index.first_day_of_month(day) == day)

    def _write_day(self, own: _OwnDay) -> str:
        changes = SlotChanges(joined(*(one.rows for one in own.changes)), joined(*(one.times for one in own.changes)))
        return self.files.write_day(own.files, changes, own.kept, own.facts)


def _digest(run: MergedRun) -> str:
    """A short digest of the key of a run's state, which no other state has."""
    return hashlib.sha256(run.key.encode()).hexdigest()[:_DIGEST_LENGTH]


def _by_day(runs: tuple[MergedRun, ...]) -> Iterator[tuple[date, list[tuple[MergedRun | None, MergedRun]]]]:
    """The runs of each day, each with the run before it."""
    days: dict[date, list[tuple[MergedRun | None, MergedRun]]] = {}
    for before, run in zip((None, *runs), runs, strict=False):
        days.setdefault(slot_of_run_id(run.run_id).date(), []).append((before, run))
    yield from days.items()
