"""Changing the chain while others change it, and reading states that are damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from spotlake import keys
from spotlake.errors import ConflictError, DamagedStateError, StoreError
from spotlake.merge.state import MergedState
from spotlake.state.merged_states import Head, MergedRun, MergedStates
from spotlake.stores.objects import MemoryObjects, StoredObject
from tests.support.errors import says

CHAIN = keys.MERGED_CHAIN
OUT = "`spotlake rebuild` makes it again from the raw shards"


class Busy(MemoryObjects):
    """Before the chain is read, or after, others do something."""

    def __init__(self, happen: Callable[[MergedStates], object]) -> None:
        super().__init__("archive", {})
        self._happen, self.reads, self.is_quiet = happen, 0, False

    def get(self, key: str) -> StoredObject | None:
        found = super().get(key)
        if not self.is_quiet and key == CHAIN:
            self.reads += 1
            self.is_quiet = True
            self._happen(MergedStates(self))
            self.is_quiet = False
        return found


def refuse(*_: object, **__: object) -> str:
    raise AssertionError


def grow(head: Head) -> Head:
    return replace(head, version=head.version + 1)


def test_a_change_is_made_again_until_nobody_is_quicker() -> None:
    left = [1, 1, 1]
    objects = Busy(lambda states: left and left.pop() and states.change_head(grow))
    states = MergedStates(objects)
    found = states.change_head(grow)
    assert (found.version, states.head(), objects.reads) == (4, found, 5)
    objects.put = refuse  # type: ignore[method-assign]
    assert states.change_head(lambda head: head) == found  # nothing is written
    assert states.head() == found


def test_after_eight_conflicts_the_change_is_given_up() -> None:
    objects = Busy(lambda states: states.change_head(grow))
    with says(StoreError, f"{CHAIN}: others replaced it 8 times in a row"):
        MergedStates(objects).change_head(grow)
    assert objects.reads == 8


def test_a_chain_that_came_between_two_looks_is_the_chain() -> None:
    def merge(states: MergedStates) -> None:
        if not objects.objects:
            states.replace_head(Head(version=3))
            objects.objects[f"{keys.MANIFEST_PREFIX}2025/12/15/10-00.json"] = b"{}"

    objects = Busy(merge)
    assert MergedStates(objects).head().version == 3
    assert objects.reads == 2


def test_a_state_is_stored_and_read_or_its_damage_is_told_with_the_way_out() -> None:
    objects = MemoryObjects("archive", {})
    states = MergedStates(objects)
    state = MergedState(slot=7)
    states.store(state, "a-1-x")
    assert states.load("a-1-x").slot == 7
    assert states.is_readable("a-1-x")
    objects.objects["b-1-x"] = b"x"
    with says(DamagedStateError, f"b-1-x: damaged (ValueError); {OUT}"):
        states.load("b-1-x")
    assert [states.is_readable(key) for key in ("b-1-x", "c-1-x")] == [False, False]
    objects.objects[CHAIN] = b"["
    with says(DamagedStateError, f"s3://archive/{CHAIN}: damaged (JSONDecodeError); {OUT}"):
        states.head()


def test_a_chain_of_other_shapes_is_damaged() -> None:
    for body, why in (
        (b'{"schema": 3, "version": 1, "runs": 5}', "TypeError: 'int' object is not iterable"),
        (b'{"schema": 3, "version": 1, "runs": [{"run_id": "x"}]}', "KeyError: 'attempts'"),
    ):
        with says(DamagedStateError, f"{CHAIN}: damaged ({why}); {OUT}"):
            MergedStates(MemoryObjects("archive", {CHAIN: body})).head()


def test_the_states_that_are_needed_are_those_that_the_chain_names() -> None:
    run = MergedRun("20251215T1010Z", "k1", "d1", (1,), 1)
    assert Head().state_keys() == set()
    assert Head(runs=(run,), table_key="t", begun=("b",)).state_keys() == {"k1", "t", "b"}
    states = MergedStates(MemoryObjects("archive", {f"{keys.MERGED_STATES_PREFIX}a-1-x": b""}))
    assert states.are_stored([])
    assert not states.are_stored([run])
    with says(ConflictError, "gone is gone: others have merged meanwhile"):
        states.load("gone")
