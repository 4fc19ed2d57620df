"""Folds a slot, and again the later slots that it changes. If time runs out, the next try continues.

The chain keeps what is folded (``Refolding``), so that a slot that comes a day late needs no try that has time for a
day. A try continues only what it would fold the same: the same rows of the slot onto the same state, and later slots
that nobody has merged again meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from spotlake import keys
from spotlake.clock import Clock, Deadline
from spotlake.errors import DamagedStateError, DeadlineError
from spotlake.merge.columns import Columns
from spotlake.merge.evidence import Patience
from spotlake.merge.fold import fold_slot
from spotlake.merge.slot import SlotRead
from spotlake.merge.state import MergedState, slot_number
from spotlake.models import run_id_of, slot_of_run_id
from spotlake.state.merged_states import REMEMBERED_RUNS, Head, MergedRun, MergedStates, Refolding
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.merge.read_shards import read_slot

FOLDING_SECONDS = 5.0  # longest time for folding a later slot again


@dataclass(frozen=True)
class Folded:
    """What is to be committed.

    Attributes:
        head: The chain with the folded slots.
        state: The newest state.
    """

    head: Head
    state: MergedState


@dataclass(frozen=True, kw_only=True)
class Refold:
    """Folds slots for one attempt.

    Attributes:
        objects: The write bucket.
        states: The merged states in it.
        clock: For versions.
        deadline: When the process ends.
        patience: When absence makes a value unknown.
        attempt: Number of the attempt; part of the keys of its states.
        on_loaded: Called with the state that the newest slot is folded into, and its key, before the state changes.
        monotonic: Seconds, for the duration of a fold.
    """

    objects: ObjectStore
    states: MergedStates
    clock: Clock
    deadline: Deadline
    patience: Patience
    attempt: int
    on_loaded: Callable[[MergedState, str], None]
    monotonic: Callable[[], float] = time.monotonic

    def fold(self, head: Head, read: SlotRead) -> Folded:
        """Fold a slot and all later ones, and store their states. Frees the slot's rows.

        Raises:
            ConflictError: Another merge has replaced the chain.
            DeadlineError: Time ran out; the chain keeps what is folded.
        """
        run_id = run_id_of(read.slot_at)
        before = [one for one in head.runs if one.run_id < run_id]
        after = [one for one in head.runs if one.run_id > run_id]
        # A slot is folded into the state before it. For the oldest slot of a full chain that state is gone; its own
        # state holds everything except the newer attempts.
        base = before[-1] if before else head.run(run_id) if len(head.runs) >= REMEMBERED_RUNS else None
        base_key = base.key if base else ""
        moment = int(self.clock.now().timestamp() * 1000)
        version = max(head.version + 1, moment, *(one.version + 1 for one in head.refolding))
        state, entries = self._continued(head, base_key, read, after)
        if state is None:
            state = self.states.load(base_key) if base_key else MergedState()
            if base_key and not after:  # a copy beside the rows of later slots would take too much memory
                self.on_loaded(state, base_key)
            entries = [self._fold(state, read, version, read.desired_count)]
        slowest = 0.0
        for later in after[len(entries) - 1 :]:
            try:
                needed = max(FOLDING_SECONDS, 2 * slowest)
                self.deadline.check(f"folding run {later.run_id} again", needs_seconds=needed)
            except DeadlineError:
                replaced = tuple(one.key for one in after[: len(entries) - 1])
                self._keep(head, Refolding(run_id, base_key, version, tuple(entries), replaced))
                raise
            began = self.monotonic()
            entries.append(self._fold_again(state, later, version))
            slowest = max(slowest, self.monotonic() - began)
        runs = (*before, *entries)[-REMEMBERED_RUNS:]
        due = tuple(dict.fromkeys([*head.due, run_id, *(one.run_id for one in after)]))
        left = head.refolding_after(run_id, runs)
        return Folded(replace(head, version=version, runs=runs, due=due, refolding=left), state)

    def _continued(
        self, head: Head, base_key: str, read: SlotRead, after: list[MergedRun]
    ) -> tuple[MergedState | None, list[MergedRun]]:
        """The last state and the entries that an earlier try has made, as far as they still count; None for none."""
        run_id = run_id_of(read.slot_at)
        kept = next((one for one in head.refolding if (one.run_id, one.base_key) == (run_id, base_key)), None)
        if kept is None or kept.entries[0].digest != read.digest or not self.states.are_stored(kept.entries):
            return None, []
        entries = [kept.entries[0]]
        for entry, replaced, later in zip(kept.entries[1:], kept.replaced, after, strict=False):
            if replaced != later.key:
                break
            entries.append(entry)
        try:
            return self.states.load(entries[-1].key), entries
        except DamagedStateError:
            return None, []

    def _keep(self, head: Head, progress: Refolding) -> None:
        """Let the chain name what is folded, unless another merge is committed: it may have deleted these states."""
        self.states.change_head(lambda one: one.with_refolding(progress) if one.version == head.version else one)

    def _fold_again(self, state: MergedState, later: MergedRun, version: int) -> MergedRun:
        """Fold a later slot from its shards. Its rows are freed at the end."""
        read = read_slot(self.objects, slot_of_run_id(later.run_id), later.attempts)
        return self._fold(state, read, version, later.desired_count)

    def _fold(self, state: MergedState, read: SlotRead, version: int, desired_count: int) -> MergedRun:
        fold_slot(state, read.columns, slot_number(read.slot_at), read.looks, self.patience)
        read.columns = Columns()  # not beside the rows of a later slot, nor beside the packed state
        run_id = run_id_of(read.slot_at)
        key = keys.merged_state(run_id, version, self.attempt)
        self.states.store(state, key)
        attempts = tuple(attempt.record.run.attempt for attempt in read.attempts)
        return MergedRun(run_id, key, read.digest, attempts, desired_count)
