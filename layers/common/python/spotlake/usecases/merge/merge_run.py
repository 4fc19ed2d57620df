"""Merges an attempt: makes the next state, the table, the files and the manifest from its slot's shards.

The result depends only on the set of merged attempts. A slot is folded from all its attempts, and slots are folded in
order of time. If a slot comes late, the later slots are folded again from their raw shards. Each step may be repeated.
The chain (``state/merged_states.py``) commits a state and names the state that the table shows. The manifest is last.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from spotlake import keys
from spotlake.clock import Clock, Deadline
from spotlake.errors import ConflictError, StoreError
from spotlake.merge.columns import Columns
from spotlake.merge.evidence import Patience
from spotlake.merge.files import Files
from spotlake.merge.fold import fold_slot
from spotlake.merge.slot import SlotRead
from spotlake.merge.state import MergedState, slot_number
from spotlake.merge.table_changes import Changes, Writing
from spotlake.merge.view import View
from spotlake.models import Run, run_id_of, slot_of_run_id
from spotlake.planning.attempt import FIRST_FORM, Failure
from spotlake.settings import Settings
from spotlake.state.attempts import attempts_of, has_ended, known_record, read_record, write_end
from spotlake.state.merged_states import REMEMBERED_RUNS, Cut, Head, MergedRun, MergedStates
from spotlake.stores.objects import ObjectStore
from spotlake.stores.workloads import Upserted, WorkloadTable
from spotlake.usecases.merge.newest_file import put_newest
from spotlake.usecases.merge.read_shards import read_slot
from spotlake.usecases.merge.second_witness import compare_witnesses
from spotlake.usecases.merge.write_manifest import Merged, write_manifest

_ROUNDS = 16  # one merge replaces the chain four times
_FOLDING_SECONDS = 5.0  # longest time for folding a later slot again
_WRITING_SECONDS = 15.0  # time kept for the files when the table takes too long


@dataclass(frozen=True, kw_only=True)
class MergeDeps:
    """Dependencies of the merge."""

    objects: ObjectStore
    workloads: WorkloadTable
    clock: Clock
    deadline: Deadline
    settings: Settings
    monotonic: Callable[[], float] = time.monotonic


def merge_run(run: Run, failures: Sequence[Failure], deps: MergeDeps) -> Merged:
    """Merge an attempt.

    Args:
        run: The attempt. Its record names the other attempts that it counts on.
        failures: Failures of collectors, or of a whole step, that were caught while the attempt collected.
        deps: Dependencies.

    Raises:
        StoreError: An object could not be read or written; the text names it. Merging again continues.
        DeadlineError: Time ran out before the state was committed. Merging again continues.
    """
    write_end(deps.objects, run, failures)
    return _Merge(run, deps).run_all()


def attempts_to_merge(objects: ObjectStore, run: Run) -> tuple[int, ...]:
    """Attempts that a slot is folded from: those that reached their merge, and those that they count on."""
    there = attempts_of(objects, run.slot_at)
    wanted = {run.attempt, *(number for number in there if _has_ended(objects, run, number))}
    for number in sorted(wanted):
        find = read_record if number == run.attempt else known_record  # records of others may have expired
        wanted.update(find(objects, run.slot_at, number).includes)
    return tuple(sorted(wanted & {*there, run.attempt}))


def _has_ended(objects: ObjectStore, run: Run, attempt: int) -> bool:
    return attempt in (run.attempt, FIRST_FORM) or has_ended(objects, run.slot_at, attempt)


@dataclass(frozen=True)
class _Committed:
    """The chain, its newest state, and the state right after this run."""

    head: Head
    newest: View
    own: View


class _Merge:
    def __init__(self, run: Run, deps: MergeDeps) -> None:
        self.run, self.deps, self.objects, self.settings = run, deps, deps.objects, deps.settings
        self.states = MergedStates(deps.objects)
        self.began = deps.monotonic()
        self.seconds: dict[str, float] = {}
        # The state before folding, which is usually what the table shows; the new state is compared with it.
        self.shown: tuple[str, View] | None = None

    def run_all(self) -> Merged:
        known = self.states.head().run(self.run.run_id)
        attempts = {*attempts_to_merge(self.objects, self.run), *(known.attempts if known else ())}
        read = self._timed("read", lambda: read_slot(self.objects, self.run.slot_at, sorted(attempts)))
        counts, listed = read.columns.counts(), read.columns.listed()
        committed = self._timed("fold", lambda: self._commit(read))
        read.columns = Columns()  # frees 40 MB
        upserted = self._timed("upsert", lambda: self._upsert(committed))
        outputs = self._timed("write", lambda: self._write_files(committed))
        self.seconds["total"] = round(self.deps.monotonic() - self.began, 3)
        merged = Merged(
            run=self.run, slot=read, newest=committed.newest, rows={**counts, "merged": int(committed.own.live.sum())},
            listed=listed, upserted=upserted, outputs=outputs, seconds=self.seconds, merged_at=self.deps.clock.now(),
            witnesses=compare_witnesses(self.objects, read),
        )  # fmt: skip
        write_manifest(self.objects, merged, self.settings)
        return merged

    def _timed[T](self, name: str, work: Callable[[], T]) -> T:
        began = self.deps.monotonic()
        result = work()
        self.seconds[name] = round(self.deps.monotonic() - began, 3)
        return result

    # -- folding and committing ------------------------------------------------------------------

    def _commit(self, read: SlotRead) -> _Committed:
        """Fold, store the states and replace the chain. Starts again if another merge was quicker."""
        for _ in range(_ROUNDS):
            try:
                return self._commit_once(self.states.head(), read)
            except ConflictError:
                attempts = [one.record.run.attempt for one in read.attempts]
                read.columns = read_slot(self.objects, self.run.slot_at, attempts).columns
        raise StoreError(f"{keys.MERGED_CHAIN}: others replaced it {_ROUNDS} times in a row")

    def _commit_once(self, head: Head, read: SlotRead) -> _Committed:
        known = head.run(self.run.run_id)
        if known is not None and known.digest == read.digest:
            own = self._view(self.states.load(known.key))
            newest = own if known is head.runs[-1] else self._view(self.states.load(head.runs[-1].key))
            return _Committed(head, newest, own)
        before = [one for one in head.runs if one.run_id < self.run.run_id]
        after = [one for one in head.runs if one.run_id > self.run.run_id]
        if not before and known is None and len(head.runs) >= REMEMBERED_RUNS:
            alone = MergedState()
            fold_slot(alone, read.columns, slot_number(self.run.slot_at), read.looks, Patience.of(self.settings))
            return _Committed(head, self._view(self.states.load(head.runs[-1].key)), self._view(alone))
        # A slot is folded into the state before it. For the oldest slot of a full chain that state is gone; its own
        # state holds everything except the newer attempts.
        base = before[-1] if before else known if len(head.runs) >= REMEMBERED_RUNS else None
        state = self._loaded(base.key, head) if base else MergedState()
        version = max(head.version + 1, int(self.deps.clock.now().timestamp() * 1000))
        entries = [*before, self._fold(state, read, version, read.desired_count)]
        own = self._view(state) if not after else self._view(state).copied()
        if after:
            read.columns = Columns()  # two slots' rows at once would take too much memory
        for later in after:
            self.deps.deadline.check(f"folding run {later.run_id} again", needs_seconds=_FOLDING_SECONDS)
            again = read_slot(self.objects, slot_of_run_id(later.run_id), later.attempts)
            entries.append(self._fold(state, again, version, later.desired_count))
        newest = own if not after else self._view(state)
        due = dict.fromkeys([*head.due, self.run.run_id, *(one.run_id for one in after)])
        fresh = replace(head, version=version, runs=tuple(entries[-REMEMBERED_RUNS:]), due=tuple(due))
        return _Committed(self.states.replace_head(fresh), newest, own)

    def _view(self, state: MergedState) -> View:
        return View.of(state, self.settings.retire_after_days)

    def _loaded(self, key: str, head: Head) -> MergedState:
        """A state to fold into. If the table shows this state, a copy is kept for the comparison."""
        state = self.states.load(key)
        if key == head.table_key:
            self.shown = key, self._view(state).kept()
        return state

    def _fold(self, state: MergedState, read: SlotRead, version: int, desired_count: int) -> MergedRun:
        fold_slot(state, read.columns, slot_number(read.slot_at), read.looks, Patience.of(self.settings))
        run_id = run_id_of(read.slot_at)
        key = keys.merged_state(run_id, version, self.run.attempt)
        self.states.store(state, key)
        attempts = tuple(attempt.record.run.attempt for attempt in read.attempts)
        return MergedRun(run_id, key, read.digest, attempts, desired_count)

    # -- the table -------------------------------------------------------------------------------

    def _upsert(self, committed: _Committed) -> Upserted:
        try:
            return self._upsert_newest(committed)
        except ConflictError:  # a state is gone, because a merge of a newer one has finished the table
            return Upserted()

    def _upsert_newest(self, committed: _Committed) -> Upserted:
        """Update the table to the newest state.

        The chain first records that this upsert has begun. If the upsert is interrupted, the next merge writes again
        every item that it may have written. If a newer state is committed, the merge of that state owns the table.
        """
        head, key = committed.head, committed.head.runs[-1].key
        if head.table_version >= head.version:
            return Upserted()
        current = self.states.change_head(lambda one: one.with_begun(key) if one.version == head.version else one)
        if current.version > head.version or current.table_version >= head.version:
            return Upserted()
        before = self._before(current.table_key)
        others = (self._view(self.states.load(other)) for other in current.begun if other != key)
        again = itertools.chain(others, [committed.newest] if key in head.begun else [])
        writing = Writing(run_id=head.runs[-1].run_id, version=head.version, ttl_days=self.settings.retired_ttl_days)
        changes = Changes(before, committed.newest, writing, begun=again, rewrite=current.rewrite)
        cut = current.cut
        if cut is not None:
            changes = changes.beginning_at(cut.next, done_from=cut.begin if cut.key == key else None)
        left = Deadline(lambda: self.deps.deadline.seconds_left() - _WRITING_SECONDS)
        upserted = self.deps.workloads.upsert(changes, deadline=left)
        after = self._finish_table(current, key, changes, upserted)
        # What an earlier try of this merge wrote, or a newer merge of this archive, is no foreign writer's.
        is_explained = key in head.begun or after.version > head.version
        return replace(upserted, overtaken=0) if is_explained else upserted

    def _before(self, key: str) -> View | None:
        """The view that the table shows."""
        if not key:
            return None
        return self.shown[1] if self.shown is not None and self.shown[0] == key else self._view(self.states.load(key))

    def _finish_table(self, current: Head, key: str, changes: Changes, upserted: Upserted) -> Head:
        """Record the state that the table shows now, or where the upsert was cut off. Returns the chain."""
        if upserted.done < len(changes):
            begin = current.cut.begin if current.cut is not None and current.cut.key == key else changes.number(0)
            cut = Cut(key=key, begin=begin, next=changes.number(upserted.done))
            return self.states.change_head(lambda one: replace(one, cut=cut) if one.version == current.version else one)
        # If another merge has committed a newer state meanwhile, that merge records what the table shows.
        after = self.states.change_head(
            lambda one: (
                replace(one, table_version=one.version, table_key=key, begun=(), rewrite=False, cut=None)
                if one.version == current.version
                else one
            )
        )
        self.states.prune(after)
        return after

    # -- the files -------------------------------------------------------------------------------

    def _write_files(self, committed: _Committed) -> list[str]:
        """Write the snapshots that are due, and the files of the newest state. Returns the written keys."""
        newest = Files(committed.newest, self.settings.name_casing)
        own = newest if committed.own is committed.newest else Files(committed.own, self.settings.name_casing)
        written = [self._write_snapshot(self.run.slot_at, own, self._desired_count(committed.head), committed.head)]
        newest_at = slot_of_run_id(committed.head.runs[-1].run_id)
        self._put(keys.LATEST, newest.latest(newest_at), "application/json", committed.head)
        self._put(keys.QUERY_SELECTOR, newest.selector(), "application/json", committed.head)
        del newest, own
        return [*written, keys.LATEST, keys.QUERY_SELECTOR, *self._write_later_snapshots(committed.head)]

    def _write_later_snapshots(self, head: Head) -> list[str]:
        """Write snapshots of other slots with changed states, as far as time allows.

        The next merge writes the others.
        """
        done, written = {self.run.run_id}, []
        for run_id in head.due:
            entry = head.run(run_id)
            if entry is not None and run_id not in done:
                if self.deps.deadline.seconds_left() < _FOLDING_SECONDS:
                    break
                try:
                    files = Files(self._view(self.states.load(entry.key)), self.settings.name_casing)
                except ConflictError:  # a merge of a newer state writes them
                    break
                written.append(self._write_snapshot(slot_of_run_id(run_id), files, entry.desired_count, head))
            done.add(run_id)
        self.states.change_head(
            lambda one: (
                replace(one, due=tuple(run_id for run_id in one.due if run_id not in done))
                if one.version == head.version
                else one
            )
        )
        return written

    def _write_snapshot(self, slot_at: datetime, files: Files, desired_count: int, head: Head) -> str:
        key = keys.snapshot(slot_at)
        self._put(key, files.snapshot(slot_at, desired_count), "text/csv", head)
        return key

    def _desired_count(self, head: Head) -> int:
        """Desired count of the slot's snapshot; for a slot older than the chain, the count that this attempt asked."""
        entry = head.run(self.run.run_id)
        return entry.desired_count if entry else self.run.desired_counts[0]

    def _put(self, key: str, body: bytes, content_type: str, head: Head) -> None:
        put_newest(
            self.objects, key, body, content_type, is_overtaken=lambda: self.states.head().version > head.version
        )
