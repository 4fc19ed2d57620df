"""A slot that comes late while the later slots take longer to fold again than a merge has time."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import DeadlineError
from spotlake.models import Run
from spotlake.settings import Settings
from spotlake.state.merged_states import MergedStates
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.workloads import MemoryWorkloads
from spotlake.usecases.merge.merge_run import MergeDeps, merge_run
from tests.functional.merge.conftest import World, items
from tests.functional.merge.test_kills import KilledError, contents, mortal, spec
from tests.functional.rebuild.test_rebuild import truth

FOLD_SECONDS = 100.0
MOST_TRIES = 40


class SlowObjects(MemoryObjects):
    """Every merged state that is written takes its time."""

    seconds = 0.0

    def put(self, key: str, body: bytes, **options: Any) -> str:
        if key.startswith(keys.MERGED_STATES_PREFIX):
            self.seconds += FOLD_SECONDS
        return super().put(key, body, **options)


def slow_world() -> World:
    return World(SlowObjects(), MemoryWorkloads())


def try_once(world: World, run: Run, *, folds: int) -> bool:
    """Merge with time for some folds and the files; whether the merge came to its end."""
    slow = getattr(world.objects, "_inner", world.objects)
    assert isinstance(slow, SlowObjects)
    end = slow.seconds + folds * FOLD_SECONDS + 5.0
    deps = MergeDeps(
        objects=world.objects,
        workloads=world.workloads,
        clock=ManualClock(run.slot_at),
        deadline=Deadline(lambda: end - slow.seconds),
        settings=Settings(),
        monotonic=lambda: 0.0,
    )
    try:
        merge_run(run, [], deps)
    except DeadlineError:
        return False
    return True


def tries_of(world: World, run: Run, *, folds: int) -> int:
    return next(number for number in range(1, MOST_TRIES) if try_once(world, run, folds=folds))


def with_later_slots(later: int) -> tuple[World, World, Run]:
    """Two equal worlds whose slot 1 has not come yet, and its run."""
    worlds = slow_world(), slow_world()
    for world in worlds:
        for number in (0, *range(2, later + 2)):
            world.merge(world.collected(number, **spec(number)))
        run = world.collected(1, **spec(1))
    return *worlds, run


@pytest.mark.parametrize("folds", [1, 2, 3])
def test_tries_that_have_time_for_few_folds_end_as_one_that_has_time_for_all(folds: int) -> None:
    slow, calm, run = with_later_slots(6)
    assert tries_of(slow, run, folds=folds) == -(-7 // folds)
    calm.merge(run)
    assert truth(slow) == truth(calm)
    assert contents(slow, range(8)) == contents(calm, range(8))
    assert items(slow) == items(calm)
    head = MergedStates(slow.objects).head()
    assert head.refolding == ()
    stored = set(slow.objects.keys(keys.MERGED_STATES_PREFIX))
    assert stored == head.state_keys()  # no try left anything


def test_between_tries_nothing_that_readers_see_changes_and_no_state_is_lost() -> None:
    slow, _, run = with_later_slots(4)
    before = truth(slow), contents(slow, range(6))
    assert not try_once(slow, run, folds=2)
    assert (truth(slow), contents(slow, range(6))) == before
    (kept,) = MergedStates(slow.objects).head().refolding
    assert [one.run_id for one in kept.entries] == [slow.run(1).run_id, slow.run(2).run_id]
    assert orjson.loads(slow.objects.objects[keys.MERGED_CHAIN])["schema"] == 3  # type: ignore[attr-defined]
    slow.merge(slow.collected(9, **spec(9)))  # prunes
    assert {one.key for one in kept.entries} <= set(slow.objects.keys(keys.MERGED_STATES_PREFIX))


def test_progress_whose_state_is_lost_or_damaged_is_made_again() -> None:
    for body in (None, b"damaged"):
        slow, calm, run = with_later_slots(3)
        assert not try_once(slow, run, folds=2)
        (kept,) = MergedStates(slow.objects).head().refolding
        if body is None:
            slow.objects.delete(kept.entries[0].key)
        else:
            slow.objects.put(kept.entries[-1].key, body)
        assert try_once(slow, run, folds=4)
        calm.merge(run)
        assert truth(slow) == truth(calm)


def test_progress_is_kept_of_three_late_slots_and_goes_with_the_state_that_it_builds_on() -> None:
    world = slow_world()
    for number in (0, 6, 7):
        world.merge(world.collected(number, **spec(number)))
    late = [world.collected(number, **spec(number)) for number in range(1, 5)]
    assert not any(try_once(world, run, folds=1) for run in late)
    states = MergedStates(world.objects)
    assert [one.run_id for one in states.head().refolding] == [run.run_id for run in late[1:]]
    world.merge(world.collected(0, attempt=20, **spec(3)))
    assert states.head().refolding == ()
    assert set(world.objects.keys(keys.MERGED_STATES_PREFIX)) == states.head().state_keys()


@pytest.mark.parametrize("folds", [1, 9], ids=["a try that runs out of time", "the last try"])
def test_a_second_try_that_is_killed_at_any_call_and_done_again_ends_in_the_same_bytes(folds: int) -> None:
    _, calm, run = with_later_slots(3)
    calm.merge(run)
    number, calls_of_a_try = 0, 99
    while number < calls_of_a_try:  # one call later each time, with progress kept before
        number += 1
        slow, _, run = with_later_slots(3)
        assert not try_once(slow, run, folds=2)
        objects, workloads = slow.objects, slow.workloads
        calls = mortal(slow)
        calls.watch(die_at=number, after=number % 2 == 1)
        with suppress(KilledError):
            try_once(slow, run, folds=folds)
            calls_of_a_try = calls.number
        slow.objects, slow.workloads = objects, workloads
        tries_of(slow, run, folds=1)
        assert truth(slow) == truth(calm), number
        assert contents(slow, range(5)) == contents(calm, range(5)), number
        assert items(slow) == items(calm), number
    assert number > 15


STEPS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(range(6)), steps=STEPS, again=st.integers(0, 5))
def test_the_order_of_slots_and_the_time_of_their_tries_change_nothing(
    order: list[int], steps: list[tuple[int, int]], again: int
) -> None:
    """Tries of all slots in any order, each with little time; one slot is collected twice meanwhile."""
    slow, calm = slow_world(), slow_world()
    for world in (slow, calm):
        for number in range(6):
            world.collected(number, **spec(number))
    for number in order[:3]:
        tries_of(slow, slow.run(number, spec(number)["count"]), folds=1)
    for number, folds in steps:
        try_once(slow, slow.run(number, spec(number)["count"]), folds=folds)
    twice = slow.collected(again, attempt=20, **spec(again + 1))
    try_once(slow, twice, folds=1)
    for number in order:
        tries_of(slow, slow.run(number, spec(number)["count"]), folds=1)
    tries_of(slow, twice, folds=1)
    for number in range(6):
        calm.merge(calm.run(number, spec(number)["count"]))
    calm.merge(calm.collected(again, attempt=20, **spec(again + 1)))
    assert truth(slow) == truth(calm)
    assert contents(slow, range(6)) == contents(calm, range(6))
