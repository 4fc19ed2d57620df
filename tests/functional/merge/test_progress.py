"""What a late slot's merge keeps when its time runs out, and what of it the next try takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from spotlake.clock import Deadline, ManualClock
from spotlake.errors import DeadlineError
from spotlake.models import Run, run_id_of
from spotlake.settings import Settings
from spotlake.state.attempts import write_end
from spotlake.state.merged_states import MergedRun, MergedStates, Refolding
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.workloads import MemoryWorkloads
from spotlake.usecases.merge.merge_run import MergeDeps, merge_run
from tests.functional.merge.conftest import FIRST, World, head, items, snapshot
from tests.functional.merge.test_committed import SLOT, entry

LATE = 1
WRITING = "state/azure/merged/"
VERSION = 1765792800000 + 2_400_001  # slot 4 was merged by its own clock, and slot 1 comes after it


class Slow(MemoryObjects):
    """Each stored state takes ten seconds."""

    seconds = 0.0
    states = 0

    def put(self, key: str, body: bytes, **options: Any) -> str:
        if key.startswith(WRITING):
            self.seconds += 10.0
            self.states += 1
        return super().put(key, body, **options)


@pytest.fixture
def world() -> World:
    """Slots 0, 2, 3 and 4 are merged; slot 1 is collected."""
    world = merged(0, 2, 3, 4)
    collected(world, LATE)
    return world


def merged(*numbers: int) -> World:
    """A world in which these slots are merged in order; their merges are made once for all tests."""
    stored, items = _merged(numbers)
    workloads = MemoryWorkloads()
    workloads.items.update({key: dict(item) for key, item in items.items()})
    world = World(Slow(), workloads)
    slow(world).objects.update(stored)
    return world


@cache
def _merged(numbers: tuple[int, ...]) -> tuple[dict[str, bytes], dict[tuple[str, str], dict[str, Any]]]:
    world = World(Slow(), MemoryWorkloads())
    for number in numbers:
        world.merge(collected(world, number))
    return slow(world).objects, items(world)


def collected(world: World, number: int, **changes: Any) -> Run:
    return world.collected(number, spot=0.1 + number, scores={"1": 1 + number % 3}, **changes)


def slow(world: World) -> Slow:
    assert isinstance(world.objects, Slow)
    return world.objects


def attempt(world: World, left: float, number: int = LATE, fold_seconds: float = 0.0, **run: Any) -> int:
    """Try to merge with so many seconds; returns how many states were stored."""
    store = slow(world)
    end, before = store.seconds + left, store.states
    deps = MergeDeps(
        objects=store, workloads=world.workloads, clock=ManualClock(FIRST + number * SLOT),
        deadline=Deadline(lambda: end - store.seconds), settings=Settings(),
        monotonic=lambda: store.states * fold_seconds,
    )  # fmt: skip
    try:
        merge_run(world.run(number, **run), [], deps)
    finally:
        found = store.states - before
    return found


def stopped(world: World, left: float, **changes: Any) -> str:
    with pytest.raises(DeadlineError) as raised:
        attempt(world, left, **changes)
    return str(raised.value)


def made(world: World, number: int, version: int = VERSION) -> MergedRun:
    """The entry of a slot that was folded by the late slot's merge."""
    one = entry(world, number, version, number + 1)
    return replace(one, key=f"{WRITING}{one.run_id}-{version}-2.gz")


def test_what_is_folded_in_time_is_kept_in_every_field(world: World) -> None:
    before = head(world)
    assert stopped(world, 21.0) == "folding run 20251215T1030Z again: 1.0 s left, needs 5.0 s"
    late = run_id_of(FIRST + LATE * SLOT)
    progress = Refolding(
        run_id=late, base_key=before.runs[0].key, version=VERSION, entries=(made(world, 1), made(world, 2)),
        replaced=(before.runs[1].key,),
    )  # fmt: skip
    assert replace(head(world), etag=None) == replace(before, refolding=(progress,), etag=None)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (15.0, "folding run 20251215T1020Z again: 5.0 s left, needs 5.0 s"),
        (15.1, "folding run 20251215T1030Z again: -4.9 s left, needs 5.0 s"),
    ],
)
def test_a_fold_begins_with_more_than_five_seconds(world: World, left: float, said: str) -> None:
    assert stopped(world, left) == said


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (34.0, "folding run 20251215T1030Z again: 14.0 s left, needs 14.0 s"),
        (34.1, "folding run 20251215T1040Z again: 4.1 s left, needs 14.0 s"),
    ],
)
def test_a_fold_begins_with_twice_what_the_slowest_took(world: World, left: float, said: str) -> None:
    assert stopped(world, left, fold_seconds=7.0) == said


def test_the_next_try_folds_the_rest_alone_under_a_newer_version(world: World) -> None:
    calm = merged(0, 2, 3, 4, LATE)
    stopped(world, 21.0)
    first = head(world).refolding[0].entries
    assert attempt(world, 1000.0) == 2
    runs = head(world).runs
    newer = (made(world, 3, VERSION + 1), made(world, 4, VERSION + 1))
    assert runs[1:] == (*first, *newer)
    assert (head(world).version, head(world).refolding) == (VERSION + 1, ())
    for number in range(5):
        assert snapshot(world, number) == snapshot(calm, number)
    assert set(world.objects.keys(WRITING)) == head(world).state_keys()


def test_a_third_try_keeps_what_the_second_has_added(world: World) -> None:
    stopped(world, 11.0)
    assert len(head(world).refolding[0].entries) == 1
    stopped(world, 11.0)
    (progress,) = head(world).refolding
    assert [one.run_id[-5:] for one in progress.entries] == ["1010Z", "1020Z"]
    assert progress.entries[1].key.endswith(f"-{VERSION + 1}-2.gz")
    assert (progress.version, progress.replaced) == (VERSION + 1, (head(world).runs[1].key,))


def other_rows(world: World) -> None:
    """The late slot gets another attempt, so its rows are others."""
    collected(world, LATE, attempt=40)
    write_end(world.objects, world.run(LATE, attempt=40), [])


def other_base(world: World) -> None:
    world.merge(collected(world, 0, attempt=40))


def a_lost_state(world: World) -> None:
    world.objects.delete(head(world).refolding[0].entries[0].key)


def a_damaged_state(world: World) -> None:
    world.objects.put(head(world).refolding[0].entries[-1].key, b"damaged")


def a_later_slot_again(world: World) -> None:
    world.merge(collected(world, 2, attempt=40))


def a_last_slot_again(world: World) -> None:
    world.merge(collected(world, 3, attempt=40))


@pytest.mark.parametrize(
    ("meanwhile", "folds"),
    [
        (lambda _: None, 2),
        (other_rows, 4),
        (other_base, 4),
        (a_lost_state, 4),
        (a_damaged_state, 4),
        (a_later_slot_again, 3),  # its own fold counts, and that of the slot after it is another
        (a_last_slot_again, 2),
    ],
    ids=["nothing", "other rows", "other base", "lost", "damaged", "later slot", "last slot"],
)
def test_progress_counts_as_far_as_it_would_be_folded_the_same(
    world: World, meanwhile: Callable[[World], object], folds: int
) -> None:
    stopped(world, 21.0)
    meanwhile(world)
    assert attempt(world, 1000.0) == folds
    assert head(world).refolding == ()
    calm = World(Slow(), MemoryWorkloads())
    for number in (0, 1, 2, 3, 4):
        runs = [one for one in head(world).runs if one.run_id == run_id_of(FIRST + number * SLOT)]
        for one in runs[0].attempts:
            calm.merge(collected(calm, number, attempt=one))
    for number in range(5):
        assert snapshot(world, number) == snapshot(calm, number)


def test_progress_of_another_slot_stays(world: World) -> None:
    stopped(world, 11.0)
    world.merge(collected(world, 9))
    (progress,) = head(world).refolding
    assert progress.run_id == run_id_of(FIRST + LATE * SLOT)
    assert {one.key for one in progress.entries} <= set(world.objects.keys(WRITING))


def test_progress_is_not_kept_where_another_merge_was_quicker(world: World) -> None:
    """Its states may be deleted already."""
    store, states = slow(world), MergedStates(world.objects)
    put = store.put

    def overtaken(key: str, body: bytes, **options: Any) -> str:
        etag = put(key, body, **options)
        if key.startswith(WRITING):
            states.replace_head(replace(states.head(), version=states.head().version + 1))
        return etag

    store.put = overtaken  # type: ignore[method-assign]
    stopped(world, 11.0)
    assert head(world).refolding == ()


def test_a_new_version_is_above_those_of_kept_states(world: World) -> None:
    far = VERSION + 5_000_000
    states = MergedStates(world.objects)
    progress = Refolding("20251215T0950Z", "", far, (replace(head(world).runs[0], key="x"),), ())
    states.replace_head(replace(head(world), refolding=(progress,)))
    world.merge(collected(world, 5))
    assert head(world).version == far + 1
    assert head(world).runs[-1].key == f"{WRITING}20251215T1050Z-{far + 1}-6.gz"


def test_snapshots_of_all_slots_after_a_late_one_are_due_until_they_are_written(world: World) -> None:
    """Time for the folds, and not for the snapshots of later slots."""
    attempt(world, 44.0)
    ids = tuple(run_id_of(FIRST + number * SLOT) for number in (2, 3, 4))
    assert head(world).due == ids
    world.merge(collected(world, 6))
    assert head(world).due == ()
    assert [row["SpotPrice"] for row in snapshot(world, 3)] == ["3.1"]
