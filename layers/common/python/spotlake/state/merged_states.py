"""Merged states in S3, and the chain that says which runs they hold and which of them the table shows.

The chain is a small object that is replaced only if it is still as it was read. That commits a merge, and of two
merges at once lets one begin anew. States are written before the chain names them, and deleted when it no
longer does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from spotlake import keys
from spotlake.errors import ConflictError, StoreError
from spotlake.merge.state import MergedState, decode
from spotlake.stores.documents import read_json, write_json
from spotlake.stores.objects import ObjectStore

SCHEMA = 2
_FIRST_SCHEMA = 1  # entries without attempts: what was merged then is attempt 0
_ROUNDS = 8


@dataclass(frozen=True)
class MergedRun:
    """One slot in the chain.

    Attributes:
        run_id: The slot.
        key: The state after it.
        digest: Of the shards that it was merged from.
        attempts: Numbers of the attempts that it was merged from, in order.
        desired_count: What its snapshot shows the scores of.
    """

    run_id: str
    key: str
    digest: str
    attempts: tuple[int, ...]
    desired_count: int


@dataclass(frozen=True)
class Cut:
    """An upsert that ran out of time: of the state ``key``, workloads from ``begin`` round to ``next`` are written."""

    key: str
    begin: int
    next: int


@dataclass(frozen=True)
class Head:
    """The chain as read.

    Attributes:
        version: Grows by one with each commit; items of the table carry it.
        runs: What is merged, by slot.
        table_version, table_key: The state that the table shows.
        begun: States that somebody began to write to the table since.
        cut: The last upsert that ran out of time, if it is not made good yet.
        due: Slots (run ids) whose snapshots are to be written: their states have changed.
        etag: Of the object as read; None when there is none.
    """

    version: int = 0
    runs: tuple[MergedRun, ...] = ()
    table_version: int = 0
    table_key: str = ""
    begun: tuple[str, ...] = ()
    cut: Cut | None = None
    due: tuple[str, ...] = ()
    etag: str | None = None

    def run(self, run_id: str) -> MergedRun | None:
        """A slot's entry, or None when it is not in the chain."""
        return next((one for one in self.runs if one.run_id == run_id), None)

    def state_keys(self) -> set[str]:
        """Every state that is still needed."""
        return {one.key for one in self.runs} | {*self.begun, self.table_key} - {""}


class MergedStates:
    """The chain and its states."""

    def __init__(self, objects: ObjectStore) -> None:
        """Bind the write bucket."""
        self._objects = objects

    def head(self) -> Head:
        """The chain as it is now. Raises StoreError when it is damaged."""
        content, etag = read_json(self._objects, keys.MERGED_CHAIN, schema=SCHEMA, older=_FIRST_SCHEMA)
        return Head() if content is None else _head(content, etag)

    def replace_head(self, head: Head) -> Head:
        """Write the chain if it is still as it was read.

        Raises:
            ConflictError: Somebody else replaced it meanwhile.
        """
        content = {name: value for name, value in asdict(head).items() if name != "etag"}
        etag = write_json(
            self._objects, keys.MERGED_CHAIN, content, schema=SCHEMA, if_absent=head.etag is None, if_etag=head.etag
        )
        return replace(head, etag=etag)

    def change_head(self, change: Callable[[Head], Head]) -> Head:
        """Replace the chain by a changed one, as often as somebody else is quicker."""
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

        Those of a later version stay: somebody is about to commit them. Of the others, whoever means to commit one
        will lose against ``head``, and begin anew.
        """
        needed = head.state_keys()
        for key in list(self._objects.keys(keys.MERGED_STATES_PREFIX)):
            if key not in needed and int(key.rsplit("-", 2)[-2]) <= head.version:
                self._objects.delete(key)

    def load(self, key: str) -> MergedState:
        """A state of its own for the caller.

        Raises:
            ConflictError: It is gone: the chain that named it has been replaced.
            StoreError: It is damaged.
        """
        stored = self._objects.get(key)
        if stored is None:
            raise ConflictError(f"{key} is gone: others have merged meanwhile")
        return decode(stored.body, key)

    def store(self, state: MergedState, key: str) -> None:
        """Write a state under a key that nobody else writes."""
        self._objects.put(key, state.encode(), content_type="application/gzip")


def _head(content: Any, etag: str | None) -> Head:
    return Head(
        version=content["version"],
        runs=tuple(_merged_run(one, content["schema"]) for one in content["runs"]),
        table_version=content["table_version"],
        table_key=content["table_key"],
        begun=tuple(content["begun"]),
        cut=Cut(**content["cut"]) if content["cut"] else None,
        due=tuple(content["due"]) if content["schema"] == SCHEMA else (),
        etag=etag,
    )


def _merged_run(content: Any, schema: int) -> MergedRun:
    if schema == _FIRST_SCHEMA:
        return MergedRun(**content, attempts=(0,), desired_count=1)
    return MergedRun(**{**content, "attempts": tuple(content["attempts"])})
