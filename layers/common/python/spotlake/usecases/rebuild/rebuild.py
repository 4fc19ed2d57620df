"""Makes the truth again from raw shards: the merged states, the chain, the latest file and the query selector.

The first merged state that is missing or damaged is made again from the state before it, and all later ones with it.
Without such a state the archive is folded from its first slot. Two states and one slot are in memory at a time. The
chain commits the result on condition: if a merge was quicker, the remembered slots are folded again. The next merge
brings the table up to date and writes the snapshots that differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from spotlake import keys
from spotlake.clock import Clock
from spotlake.errors import ConflictError, StoreError
from spotlake.merge.evidence import Patience
from spotlake.merge.files import Files
from spotlake.merge.fold import fold_slot
from spotlake.merge.state import MergedState, slot_number
from spotlake.merge.view import View
from spotlake.models import run_id_of, slot_of_run_id
from spotlake.planning.attempt import FIRST_FORM
from spotlake.settings import Settings
from spotlake.state.merged_states import REMEMBERED_RUNS, Head, MergedRun, MergedStates
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.merge.newest_file import write_newest_files
from spotlake.usecases.merge.read_shards import read_slot
from spotlake.usecases.rebuild.merged_slots import MergedSlot, find_merged_slots

_ROUNDS = 4
_SLOT = timedelta(minutes=10)

type OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps are done, and how many there are."""


@dataclass(frozen=True, kw_only=True)
class RebuildDeps:
    """Dependencies of the rebuild. The settings must be those of the merge."""

    objects: ObjectStore
    clock: Clock
    settings: Settings
    on_progress: OnProgress = lambda _words, _done, _total: None


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What a rebuild did.

    Attributes:
        base_run: Run whose merged state the folding began with; "" when it began with nothing.
        folded: Folded slots, oldest first.
        differing: Remembered slots whose state differs from the state before, or replaces a lost one.
        newest_run: Newest run of the chain; "" for an archive without any slot.
        pairs, workloads: Numbers of pairs and workloads in the newest state.
        is_table_whole: Whether the next merge writes every item, because it is not known what the table shows.
        may_leave_items: Whether the table may keep items of workloads that were not seen since ``since``: nothing
            older is known, neither from a state nor of the table.
    """

    base_run: str = ""
    folded: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    newest_run: str = ""
    pairs: int = 0
    workloads: int = 0
    is_table_whole: bool = False
    may_leave_items: bool = False


def rebuild(deps: RebuildDeps, since: datetime | None = None, *, table: bool = False) -> Rebuilt:
    """Make the truth again.

    Args:
        deps: Dependencies.
        since: The first slot to fold again, onto the newest readable state before it. If there is no such state,
            the result begins with this slot and knows nothing older. None: the first slot that is missing or damaged.
        table: Whether the next merge is to write every item, as after the table was emptied or restored from a backup.

    Returns:
        What was done; nothing is folded when nothing is missing.

    Raises:
        StoreError: An object cannot be read or written, or merges were quicker several times.
    """
    return _Rebuild(deps, since, table=table).run_all()


@dataclass
class _Folding:
    """A state under way, and the slots that are folded into it since it began."""

    state: MergedState
    slots: list[MergedSlot] = field(default_factory=list)


class _Rebuild:
    def __init__(self, deps: RebuildDeps, since: datetime | None, *, table: bool) -> None:
        self.deps, self.since, self.table = deps, since, table
        self.objects, self.states = deps.objects, MergedStates(deps.objects)
        # The state before the remembered slots, kept for another round.
        self.older: tuple[str, _Folding] | None = None

    def run_all(self) -> Rebuilt:
        for _ in range(_ROUNDS):
            head, is_readable = self.states.head_to_replace()
            try:
                return self._run_once(head, is_readable=is_readable)
            except ConflictError:
                continue
        raise StoreError(
            f"{keys.MERGED_CHAIN}: merges replaced it {_ROUNDS} times meanwhile; "
            "`spotlake ops pause`, and rebuild again"
        )

    def _run_once(self, head: Head, *, is_readable: bool) -> Rebuilt:
        kept = self._kept(head)
        if self.since is None and head.runs and len(kept) == len(head.runs):
            checked = self._with_table(head, is_readable=is_readable)
            if checked != head:
                self.states.replace_head(checked)
            return Rebuilt(newest_run=head.runs[-1].run_id, is_table_whole=checked.rewrite)
        begin = slot_of_run_id(kept[-1].run_id) + _SLOT if kept else self.since
        slots = find_merged_slots(self.objects, head, since=begin, until=self._until(head))
        if not slots and not kept:
            return Rebuilt()
        base = kept[-1].key if kept else ""
        older, remembered = slots[:-REMEMBERED_RUNS], slots[-REMEMBERED_RUNS:]
        folding = self._older(base, older, total=len(slots))
        version = max(head.version + 1, int(self.deps.clock.now().timestamp() * 1000))
        entries, differing = [], []
        for done, slot in enumerate(remembered, len(older)):
            self._progress(slot, done, len(slots))
            entry, is_same = self._remember(folding, slot, version, head)
            entries.append(entry)
            if not is_same:
                differing.append(entry.run_id)
        runs = tuple([*kept, *entries][-REMEMBERED_RUNS:])
        due = tuple(dict.fromkeys([*head.due, *differing]))
        fresh = replace(head, version=version, runs=runs, due=due, refolding=())
        fresh = self._with_table(fresh, is_readable=is_readable)
        fresh = self.states.replace_head(fresh)
        self._write_newest(folding.state, fresh)
        self.states.prune(fresh)
        return Rebuilt(
            base_run=kept[-1].run_id if kept else "",
            folded=tuple(run_id_of(one.slot_at) for one in slots),
            differing=tuple(differing),
            newest_run=runs[-1].run_id,
            pairs=len(folding.state.pair["region"]),
            workloads=len(folding.state.workloads["pair"]),
            is_table_whole=fresh.rewrite,
            may_leave_items=self.since is not None and not kept and not fresh.table_key,
        )

    # -- what is kept ----------------------------------------------------------------------------

    def _kept(self, head: Head) -> list[MergedRun]:
        """Entries of the chain that stay: those before ``since``, or before the first damage."""
        if self.since is not None:
            kept = [one for one in head.runs if slot_of_run_id(one.run_id) < self.since]
            while kept and not self.states.is_readable(kept[-1].key):
                kept.pop()
            return kept
        kept = []
        for number, one in enumerate(head.runs):
            self.deps.on_progress(f"checking the state of {one.run_id}", number, len(head.runs))
            if not self.states.is_readable(one.key):
                break
            kept.append(one)
        return kept

    def _until(self, head: Head) -> datetime:
        """The last day of the archive: local runs may be ahead of the clock."""
        newest = slot_of_run_id(head.runs[-1].run_id) if head.runs else self.deps.clock.now()
        return max(newest, self.deps.clock.now()) + timedelta(days=1)

    def _with_table(self, head: Head, *, is_readable: bool) -> Head:
        """The chain with what is known of the table. If that is lost or wrong, the next merge writes every item."""
        shown = [key for key in (head.table_key, *head.begun) if key]
        if is_readable and not self.table and all(self.states.is_readable(key) for key in shown):
            return head
        return replace(head, table_version=0, table_key="", begun=(), rewrite=True, cut=None)

    # -- folding ---------------------------------------------------------------------------------

    def _older(self, base: str, slots: list[MergedSlot], *, total: int) -> _Folding:
        """The state before the remembered slots; from the round before, as far as that folded the same."""
        folding = None
        if not slots:
            return _Folding(self.states.load(base) if base else MergedState())
        if self.older is not None and self.older[0] == base:
            before = self.older[1]
            if slots[: len(before.slots)] == before.slots:
                folding = before
        if folding is None:
            folding = _Folding(self.states.load(base) if base else MergedState())
        for done, slot in enumerate(slots[len(folding.slots) :], len(folding.slots)):
            self._progress(slot, done, total)
            self._fold(folding, slot)
        self.older = base, folding
        return _Folding(folding.state.copy())

    def _fold(self, folding: _Folding, slot: MergedSlot) -> tuple[str, int]:
        """Fold a slot; returns the digest of its shards, and the desired count that its snapshot shows."""
        read = read_slot(self.objects, slot.slot_at, slot.attempts)
        fold_slot(folding.state, read.columns, slot_number(slot.slot_at), read.looks, Patience.of(self.deps.settings))
        folding.slots.append(slot)
        return read.digest, read.desired_count

    def _remember(self, folding: _Folding, slot: MergedSlot, version: int, head: Head) -> tuple[MergedRun, bool]:
        """Fold a slot and store the state after it; also whether the chain's state of the slot is the same."""
        digest, desired_count = self._fold(folding, slot)
        run_id = run_id_of(slot.slot_at)
        key = keys.merged_state(run_id, version, FIRST_FORM)
        body = self.states.store(folding.state, key)
        before = head.run(run_id)
        stored = None if before is None else self.objects.get(before.key)
        is_same = stored is not None and stored.body == body
        return MergedRun(run_id, key, digest, slot.attempts, desired_count), is_same

    def _progress(self, slot: MergedSlot, done: int, total: int) -> None:
        self.deps.on_progress(f"folding {run_id_of(slot.slot_at)}", done, total)

    def _write_newest(self, state: MergedState, head: Head) -> None:
        """Write the files that show the newest state, unless a merge has committed a newer one."""
        settings = self.deps.settings
        files = Files(View.of(state, settings.retire_after_days), settings.name_casing)
        slot_at = slot_of_run_id(head.runs[-1].run_id)
        write_newest_files(self.objects, files, slot_at, is_overtaken=lambda: self.states.head().version > head.version)
