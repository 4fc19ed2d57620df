"""Merges an attempt: makes the next state, the table, the files and the manifest from its slot's shards.

The result depends only on the set of merged attempts. A slot is folded from all its attempts, and slots are folded in
order of time. If a slot comes late, the later slots are folded again from their raw shards. Each step may be repeated.
The chain (``state/merged_states.py``) commits a state and names the state that the table shows. The manifest is last.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from spotlake import keys
from spotlake.clock import Clock, Deadline
from spotlake.errors import ConflictError, StoreError
from spotlake.merge.columns import Columns
from spotlake.merge.evidence import Patience
from spotlake.merge.fold import fold_slot
from spotlake.merge.shown import view_figures
from spotlake.merge.slot import SlotRead
from spotlake.merge.state import MergedState, slot_number
from spotlake.merge.table_changes import Changes, Writing
from spotlake.merge.view import View
from spotlake.models import Run
from spotlake.names import casing
from spotlake.planning.attempt import FIRST_FORM, Failure
from spotlake.settings import Settings
from spotlake.state.attempts import attempts_of, has_ended, known_record, read_record, write_end
from spotlake.state.figures import FiguresDocument
from spotlake.state.merged_states import REMEMBERED_RUNS, Cut, Head, MergedStates
from spotlake.stores.objects import ObjectStore
from spotlake.stores.workloads import Upserted, WorkloadTable
from spotlake.usecases.merge.read_shards import read_slot
from spotlake.usecases.merge.refold import Refold
from spotlake.usecases.merge.second_witness import compare_witnesses
from spotlake.usecases.merge.write_files import Committed, FilesWriting
from spotlake.usecases.merge.write_manifest import Merged, write_manifest

_LOG = logging.getLogger(__name__)
_ROUNDS = 16  # one merge replaces the chain four times
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
        read.columns = Columns()  # frees 40 MB where nothing was folded
        figures = self._figures(committed)
        upserted = self._timed("upsert", lambda: self._upsert(committed))
        outputs = self._timed("write", lambda: self._write_files(committed, figures))
        self.seconds["total"] = round(self.deps.monotonic() - self.began, 3)
        merged = Merged(
            run=self.run, slot=read, newest=committed.newest, rows={**counts, "merged": committed.merged},
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

    def _commit(self, read: SlotRead) -> Committed:
        """Fold, store the states and replace the chain. Starts again if another merge was quicker."""
        for _ in range(_ROUNDS):
            try:
                return self._commit_once(self.states.head(), read)
            except ConflictError:
                attempts = [one.record.run.attempt for one in read.attempts]
                read.columns = read_slot(self.objects, self.run.slot_at, attempts).columns
        raise StoreError(f"{keys.MERGED_CHAIN}: others replaced it {_ROUNDS} times in a row")

    def _commit_once(self, head: Head, read: SlotRead) -> Committed:
        known = head.run(self.run.run_id)
        if known is not None and known.digest == read.digest:
            return self._viewed(head)
        if known is None and len(head.runs) >= REMEMBERED_RUNS and self.run.run_id < head.runs[0].run_id:
            alone = MergedState()
            fold_slot(alone, read.columns, slot_number(self.run.slot_at), read.looks, Patience.of(self.settings))
            own = self._view(alone)
            return Committed(head, self._view(self.states.load(head.runs[-1].key)), own, own.live_count)
        folded = self._refold(head).fold(head, read)
        committed = self._viewed(folded.head, folded.state)
        return replace(committed, head=self.states.replace_head(folded.head))

    def _viewed(self, head: Head, newest: MergedState | None = None) -> Committed:
        """What is to be seen of a chain that has this run. If later slots follow, the own state is only counted."""
        own, last = head.run(self.run.run_id), head.runs[-1]
        later = own is not None and own is not last
        merged = self._view(self.states.load(own.key)).live_count if own and later else 0
        view = self._view(newest or self.states.load(last.key))
        return Committed(head, view, None, merged) if later else Committed(head, view, view, view.live_count)

    def _refold(self, head: Head) -> Refold:
        return Refold(
            objects=self.objects,
            states=self.states,
            clock=self.deps.clock,
            deadline=self.deps.deadline,
            patience=Patience.of(self.settings),
            attempt=self.run.attempt,
            on_loaded=lambda state, key: self._keep_shown(state, key, head),
            monotonic=self.deps.monotonic,
        )

    def _view(self, state: MergedState) -> View:
        return View.of(state, self.settings.retire_after_days)

    def _keep_shown(self, state: MergedState, key: str, head: Head) -> None:
        """If the table shows the state that is folded into, keep a copy for the comparison."""
        if key == head.table_key:
            self.shown = key, self._view(state).kept()

    # -- the table -------------------------------------------------------------------------------

    def _upsert(self, committed: Committed) -> Upserted:
        try:
            return self._upsert_newest(committed)
        except ConflictError:  # a state is gone, because a merge of a newer one has finished the table
            return Upserted()

    def _upsert_newest(self, committed: Committed) -> Upserted:
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
        shown, self.shown = self.shown, None  # freed when the table is done
        return shown[1] if shown is not None and shown[0] == key else self._view(self.states.load(key))

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

    def _figures(self, committed: Committed) -> FiguresDocument | None:
        """Figures of the own snapshot beside the one before; None where later slots follow, or it cannot be read."""
        runs, own = committed.head.runs, committed.own
        if own is None or own is not committed.newest:
            return None
        before = runs[-2] if len(runs) > 1 else None
        shown = casing(self.settings.name_casing)
        try:
            view = None if before is None else self._seen(before.key)
            counted = view_figures(own, view, runs[-1].desired_count, shown)
        except Exception as error:  # noqa: BLE001 - figures are advice: whatever it is, it must not stop the merge
            _LOG.warning("no figures of the snapshot: %s: %s", type(error).__name__, error)
            return None
        return {"before": before.run_id if before else None, "figures": counted}

    def _seen(self, key: str) -> View:
        """The view of a state before."""
        return self.shown[1] if self.shown and self.shown[0] == key else self._view(self.states.load(key))

    def _write_files(self, committed: Committed, figures: FiguresDocument | None) -> list[str]:
        writing = FilesWriting(
            run=self.run,
            objects=self.objects,
            states=self.states,
            settings=self.settings,
            deadline=self.deps.deadline,
            committed=committed,
            figures=figures,
        )
        return writing.write()
