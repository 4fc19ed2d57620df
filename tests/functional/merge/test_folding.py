"""Folding by itself: what is made anew, what an earlier try has made, and what is told of the state before."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from spotlake.clock import Deadline, ManualClock
from spotlake.merge.evidence import Patience
from spotlake.models import run_id_of
from spotlake.settings import Settings
from spotlake.state.merged_states import Head, MergedStates
from spotlake.usecases.merge import refold
from spotlake.usecases.merge.read_shards import read_slot
from spotlake.usecases.merge.refold import Folded, Refold
from tests.functional.merge.conftest import FIRST, World, head
from tests.functional.merge.test_committed import SLOT
from tests.functional.merge.test_progress import LATE, VERSION, collected, made, merged, slow, stopped


class Folding:
    """Folds a slot of a world, and notes what is stored and told."""

    def __init__(self, world: World, number: int, *attempts: int) -> None:
        self.world, self.told = world, list[str]()
        self.states = MergedStates(world.objects)
        self.refold = Refold(
            objects=world.objects, states=self.states, clock=ManualClock(FIRST + number * SLOT),
            deadline=Deadline(lambda: 1000.0), patience=Patience.of(Settings()), attempt=2,
            on_loaded=lambda _, key: self.told.append(key), monotonic=lambda: 0.0,
        )  # fmt: skip
        self.read = read_slot(world.objects, FIRST + number * SLOT, attempts or (number + 1,))

    def fold(self, chain: Head | None = None) -> Folded:
        self.before = slow(self.world).states
        return self.refold.fold(chain or head(self.world), self.read)

    @property
    def stored(self) -> int:
        return slow(self.world).states - self.before


@cache
def _with_progress() -> dict[str, bytes]:
    world = merged(0, 2, 3, 4)
    collected(world, LATE)
    stopped(world, 21.0)
    return slow(world).objects


def with_progress() -> World:
    """Slots 0, 2, 3 and 4 are merged; of the late slot 1 and of slot 2 an earlier try has made the states."""
    world = merged(0, 2, 3, 4)
    slow(world).objects.clear()
    slow(world).objects.update(_with_progress())
    return world


def test_the_states_of_an_earlier_try_are_taken() -> None:
    world = with_progress()
    before, first = head(world), head(world).refolding[0].entries
    folding = Folding(world, LATE)
    folded = folding.fold()
    assert (folding.stored, folding.told) == (2, [])
    newer = (made(world, 3, VERSION + 1), made(world, 4, VERSION + 1))
    assert folded.head.runs == (before.runs[0], *first, *newer)
    assert (folded.head.version, folded.head.refolding) == (VERSION + 1, ())
    assert folded.head.due == tuple(run_id_of(FIRST + number * SLOT) for number in (1, 2, 3, 4))
    assert folded.state.encode() == folding.states.load(newer[1].key).encode()


def changed(world: World, **changes: Any) -> Head:
    """The chain with another progress."""
    found = head(world)
    (progress,) = found.refolding
    return replace(found, refolding=(replace(progress, **changes),))


@pytest.mark.parametrize(
    ("changes", "folds"),
    [
        ({"run_id": "20251215T1020Z"}, 4),
        ({"base_key": "another"}, 4),
        ({"replaced": ("another",)}, 3),
        ({"replaced": ()}, 3),
        ({}, 2),
    ],
    ids=["another slot", "another base", "a later slot again", "without it", "the same"],
)
def test_only_what_would_be_folded_the_same_is_taken(changes: dict[str, Any], folds: int) -> None:
    world = with_progress()
    folding = Folding(world, LATE)
    folding.fold(changed(world, **changes))
    assert folding.stored == folds


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("body", [None, b"damaged"])
def test_progress_without_one_of_its_states_is_made_anew(place: int, body: bytes | None) -> None:
    world = with_progress()
    key = head(world).refolding[0].entries[place].key
    world.objects.delete(key)
    if body:
        world.objects.put(key, body)
    folding = Folding(world, LATE)
    folding.fold()
    # Only the last state is read; that of the slot itself only has to be there.
    assert folding.stored == (2 if body and place == 0 else 4)


def test_other_rows_of_the_slot_are_folded_anew() -> None:
    world = with_progress()
    collected(world, LATE, attempt=40)
    folding = Folding(world, LATE, 2, 40)
    folded = folding.fold()
    assert folding.stored == 4
    assert folded.head.runs[1].attempts == (2, 40)


def test_the_state_before_the_newest_slot_is_told() -> None:
    world = merged(0, 2, 3, 4)
    collected(world, 6)
    folding = Folding(world, 6)
    folded = folding.fold()
    assert folding.told == [head(world).runs[-1].key]
    assert (folding.stored, folded.head.runs[:-1]) == (1, head(world).runs)
    late = Folding(world, 3, 4)
    late.fold()
    assert late.told == []  # beside later rows it would take too much memory


def test_the_first_slot_of_all_is_folded_into_nothing() -> None:
    world = merged(0)
    before = head(world)
    alone = Folding(world, 0)
    folded = alone.fold(Head())
    assert (alone.told, alone.stored) == ([], 1)
    (entry,) = folded.head.runs
    assert (entry.run_id, entry.attempts, entry.desired_count) == (before.runs[0].run_id, (1,), 1)
    assert entry.digest == before.runs[0].digest
    assert folded.head.due == (entry.run_id,)


def test_rows_are_freed_when_they_are_folded() -> None:
    world = merged(0)
    collected(world, 1)
    folding = Folding(world, 1)
    assert folding.read.columns.counts()["price"] == 1
    folding.fold()
    assert folding.read.columns.counts()["price"] == 0


def test_what_is_due_already_stays_due_first() -> None:
    world = merged(0, 2)
    collected(world, 1)
    ids = [run_id_of(FIRST + number * SLOT) for number in range(3)]
    folded = Folding(world, 1).fold(replace(head(world), due=(ids[2], ids[0])))
    assert folded.head.due == (ids[2], ids[0], ids[1])


@pytest.mark.parametrize(("remembered", "pairs"), [(2, 2), (3, 1)], ids=["a full chain", "room in the chain"])
def test_the_oldest_slot_of_a_full_chain_is_folded_into_its_own_state(
    monkeypatch: pytest.MonkeyPatch, remembered: int, pairs: int
) -> None:
    monkeypatch.setattr(refold, "REMEMBERED_RUNS", remembered)
    world = merged(0, 2)
    collected(world, 0, attempt=40, sizes=("Standard_E4s_v5",))
    folding = Folding(world, 0, 40)
    folded = folding.fold()
    assert len(folding.states.load(folded.head.runs[0].key).pair["region"]) == pairs
