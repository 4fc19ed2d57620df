"""Merged states in S3, and the chain, which names their runs and the state that the table shows.

The chain is a small object that is replaced only if nobody else replaced it meanwhile. Replacing the chain commits a
merge; of two merges at once, one begins again. A state is written before the chain names it, and deleted when the chain
no longer names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from spotlake import keys
from spotlake.errors import ConflictError, DamagedStateError, StoreError
from spotlake.merge.state import MergedState, decode
from spotlake.stores.documents import read_json, write_json
from spotlake.stores.objects import ObjectStore

SCHEMA = 3
_FIRST_SCHEMA = 1  # entries without attempts: what was merged then is attempt 0
_OLDER_SCHEMAS = (_FIRST_SCHEMA, 2)  # neither knows ``rewrite``
WAY_OUT = "`spotlake rebuild` makes it again from the raw shards"
REMEMBERED_RUNS = 144  # a day; a slot that comes later gets its snapshot only
_MOST_BEGUN = 3  # each is held in memory beside two views, one at a time
_MOST_REFOLDINGS = 3  # each keeps a day's states at most
_ROUNDS = 8


@dataclass(frozen=True)
class MergedRun:
    """One slot in the chain.

    Attributes:
        run_id: Id of the slot's run.
        key: Key of the state after the slot.
        digest: Digest of the merged shards.
        attempts: Sorted numbers of the merged attempts.
        desired_count: Desired count that the slot's snapshot shows.
    """

    run_id: str
    key: str
    digest: str
    attempts: tuple[int, ...]
    desired_count: int


@dataclass(frozen=True)
class Cut:
    """An upsert that ran out of time: workloads of state ``key`` from ``begin`` around to ``next`` are written."""

    key: str
    begin: int
    next: int


@dataclass(frozen=True)
class Refolding:
    """What a late slot's merge had folded when its time ran out. The states are stored, and not yet committed.

    Attributes:
        run_id: Id of the late slot's run.
        base_key: State that the slot was folded into; "" for none.
        version: Version of the newest of these states.
        entries: Entries of the slot and of the first later slots, as the chain will name them.
        replaced: States of these later slots that the chain named meanwhile.
    """

    run_id: str
    base_key: str
    version: int
    entries: tuple[MergedRun, ...]
    replaced: tuple[str, ...]


@dataclass(frozen=True)
class Head:
    """The chain as read.

    Attributes:
        version: Grows with each commit, and is at least the clock's milliseconds, so that a new chain over an old table
            wins. Items of the table hold the version.
        runs: Merged slots, oldest first.
        table_version, table_key: The state that the table shows.
        begun: States that a merge has begun to write to the table since, at most three.
        rewrite: Whether more states have begun: every item that may exist is then written whole.
        cut: The last upsert that ran out of time, if no later one has finished it.
        due: Run ids of slots whose snapshots must be written, because their states have changed.
        refolding: Progress of late slots whose merges ran out of time, newest last.
        etag: Entity tag of the object as read; None when there is no object.
    """

    version: int = 0
    runs: tuple[MergedRun, ...] = ()
    table_version: int = 0
    table_key: str = ""
    begun: tuple[str, ...] = ()
    rewrite: bool = False
    cut: Cut | None = None
    due: tuple[str, ...] = ()
    refolding: tuple[Refolding, ...] = ()
    etag: str | None = None

    def run(self, run_id: str) -> MergedRun | None:
        """The entry of a slot; None when the chain does not have the slot."""
        return next((one for one in self.runs if one.run_id == run_id), None)

    def with_begun(self, key: str) -> Head:
        """The chain with one more begun state. Their number is bounded."""
        if self.rewrite or key in self.begun:
            return self
        if len(self.begun) == _MOST_BEGUN:
            return replace(self, begun=(), rewrite=True)
        return replace(self, begun=(*self.begun, key))

    def with_refolding(self, progress: Refolding) -> Head:
        """The chain with a late slot's progress. The number of slots is bounded: the oldest progress is given up."""
        others = [one for one in self.refolding if one.run_id != progress.run_id]
        return replace(self, refolding=(*others, progress)[-_MOST_REFOLDINGS:])

    def refolding_after(self, run_id: str, runs: tuple[MergedRun, ...]) -> tuple[Refolding, ...]:
        """Progress that is still of use after this run is merged: of other slots whose base ``runs`` still name."""
        bases = {one.key for one in runs} | ({""} if len(runs) < REMEMBERED_RUNS else set())
        return tuple(one for one in self.refolding if one.run_id != run_id and one.base_key in bases)

    def state_keys(self) -> set[str]:
        """Keys of all states that are still needed."""
        refolded = {entry.key for one in self.refolding for entry in one.entries}
        return {one.key for one in self.runs} | refolded | {*self.begun, self.table_key} - {""}


class MergedStates:
    """The chain and its states."""

    def __init__(self, objects: ObjectStore) -> None:
        """Bind the write bucket."""
        self._objects = objects

    def head(self) -> Head:
        """Read the chain. Raises DamagedStateError when it is damaged, or missing though a run has been merged."""
        head = self._stored_head()
        if head is None and any(self._objects.keys(keys.MANIFEST_PREFIX)):
            # A manifest is written after the chain. Another merge may have written both since the chain was read.
            head = self._stored_head()
            if head is None:
                raise DamagedStateError(f"{keys.MERGED_CHAIN} is missing, though runs have been merged; {WAY_OUT}")
        return head or Head()

    def _stored_head(self) -> Head | None:
        try:
            content, etag = read_json(self._objects, keys.MERGED_CHAIN, schema=SCHEMA, older=_OLDER_SCHEMAS)
            return None if content is None else _head(content, etag)
        except DamagedStateError as error:
            raise DamagedStateError(f"{error}; {WAY_OUT}") from error
        except (KeyError, ValueError, TypeError) as error:
            damage = f"{keys.MERGED_CHAIN}: damaged ({type(error).__name__}: {error})"
            raise DamagedStateError(f"{damage}; {WAY_OUT}") from error

    def head_to_replace(self) -> tuple[Head, bool]:
        """The chain and whether it can be read. In place of a damaged chain: an empty one that may replace it."""
        try:
            return self.head(), True
        except DamagedStateError:
            stored = self._objects.get(keys.MERGED_CHAIN)
            return Head(etag=None if stored is None else stored.etag), False

    def replace_head(self, head: Head) -> Head:
        """Write the chain, unless somebody else replaced it meanwhile.

        Raises:
            ConflictError: Somebody else replaced it meanwhile.
        """
        content = {name: value for name, value in asdict(head).items() if name != "etag"}
        if not head.refolding:
            del content["refolding"]
        etag = write_json(
            self._objects, keys.MERGED_CHAIN, content, schema=SCHEMA, if_absent=head.etag is None, if_etag=head.etag
        )
        return replace(head, etag=etag)

    def change_head(self, change: Callable[[Head], Head]) -> Head:
        """Change the chain; repeat as long as somebody else is quicker."""
        for _ in range(_ROUNDS):
            current = self.head()
            changed = change(current)
            if changed == current:
                return current
            try:
                return self.replace_head(changed)
            except ConflictError:
                continue
        raise StoreError(f"{keys.MERGED_CHAIN}: others replaced it {_ROUNDS} times in a row")

    def prune(self, head: Head) -> None:
        """Delete the states that the chain does not need.

        States of a later version stay, because a merge is about to commit them. A merge that wants to commit an earlier
        state will lose against ``head`` and begin again.
        """
        needed = head.state_keys()
        for key in list(self._objects.keys(keys.MERGED_STATES_PREFIX)):
            if key not in needed and int(key.rsplit("-", 2)[-2]) <= head.version:
                self._objects.delete(key)

    def load(self, key: str) -> MergedState:
        """Read a state; the caller owns the returned object.

        Raises:
            ConflictError: The state is gone, because the chain that named it was replaced.
            DamagedStateError: It is damaged, or it is gone and the chain still names it.
        """
        stored = self._objects.get(key)
        if stored is None:
            if key in self.head().state_keys():
                raise DamagedStateError(f"{key} is missing, though the chain names it; {WAY_OUT}")
            raise ConflictError(f"{key} is gone: others have merged meanwhile")
        try:
            return decode(stored.body, key)
        except DamagedStateError as error:
            raise DamagedStateError(f"{error}; {WAY_OUT}") from error

    def are_stored(self, entries: Iterable[MergedRun]) -> bool:
        """Whether the states of all entries are there."""
        return {one.key for one in entries} <= set(self._objects.keys(keys.MERGED_STATES_PREFIX))

    def is_readable(self, key: str) -> bool:
        """Whether a state is there and whole."""
        try:
            self.load(key)
        except (ConflictError, DamagedStateError):
            return False
        return True

    def store(self, state: MergedState, key: str) -> bytes:
        """Write a state under a key that no other merge writes. Returns the written bytes."""
        body = state.encode()
        self._objects.put(key, body, content_type="application/gzip")
        return body


def _head(content: Any, etag: str | None) -> Head:
    return Head(
        version=content["version"],
        runs=tuple(_merged_run(one, content["schema"]) for one in content["runs"]),
        table_version=content["table_version"],
        table_key=content["table_key"],
        begun=tuple(content["begun"]),
        cut=Cut(**content["cut"]) if content["cut"] else None,
        rewrite=content["rewrite"] if content["schema"] == SCHEMA else False,
        due=() if content["schema"] == _FIRST_SCHEMA else tuple(content["due"]),
        refolding=tuple(_refolding(one) for one in content.get("refolding", ())),  # there while a slot is refolded
        etag=etag,
    )


def _merged_run(content: Any, schema: int) -> MergedRun:
    if schema == _FIRST_SCHEMA:
        return MergedRun(**content, attempts=(0,), desired_count=1)
    return MergedRun(**{**content, "attempts": tuple(content["attempts"])})


def _refolding(content: Any) -> Refolding:
    entries = tuple(_merged_run(one, SCHEMA) for one in content["entries"])
    return Refolding(**{**content, "entries": entries, "replaced": tuple(content["replaced"])})
