"""The files of one merge by themselves: which snapshots are written, what stays due, and who is overtaken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spotlake import keys
from spotlake.clock import Deadline
from spotlake.merge.view import View
from spotlake.models import run_id_of
from spotlake.settings import Settings
from spotlake.state.merged_states import Head, MergedRun, MergedStates
from spotlake.usecases.merge.write_files import Committed, FilesWriting
from tests.functional.merge.conftest import FIRST, World, head, snapshot
from tests.functional.merge.test_committed import SLOT, new_world

NEWEST = list(keys.NEWEST_FILES)


def run_id(number: int) -> str:
    return run_id_of(FIRST + number * SLOT)


def snapshot_key(number: int) -> str:
    return keys.snapshot(FIRST + number * SLOT)


def figures_key(number: int) -> str:
    return keys.figures(FIRST + number * SLOT)


def view(world: World, entry: MergedRun) -> View:
    return View.of(MergedStates(world.objects).load(entry.key), 14)


def world_with(due: tuple[str, ...] = ()) -> tuple[World, dict[str, bytes]]:
    """Three slots are merged, and their files are gone; also what the files were."""
    world = new_world(0, 1, 2)
    states = MergedStates(world.objects)
    states.replace_head(replace(states.head(), due=due))
    names = [*NEWEST, *(make(number) for make in (snapshot_key, figures_key) for number in range(3))]
    before = {name: stored.body for name in names if (stored := world.objects.get(name)) is not None}
    for name in names:
        world.objects.delete(name)
    return world, before


def write(
    world: World, number: int = 2, *, chain: Head | None = None, seconds: float = 100.0, own: bool = True, **run: Any
) -> list[str]:
    found = chain or head(world)
    newest = view(world, head(world).runs[-1])
    writing = FilesWriting(
        run=world.run(number, **run),
        objects=world.objects,
        states=MergedStates(world.objects),
        settings=Settings(),
        deadline=Deadline(lambda: seconds),
        committed=Committed(found, newest, newest if own else None, 3),
        figures=None,
    )
    return writing.write()


def there(world: World) -> set[str]:
    return {one for one in world.objects.keys("") if one.endswith(".csv.gz") or one in NEWEST}


def test_the_newest_slot_writes_its_snapshot_and_the_newest_files() -> None:
    world, before = world_with()
    assert write(world) == [snapshot_key(2), figures_key(2), *NEWEST]
    assert there(world) == {snapshot_key(2), *NEWEST}
    for name in (snapshot_key(2), *NEWEST):
        stored = world.objects.get(name)
        assert stored is not None
        assert stored.body == before[name]


def test_snapshots_that_are_due_are_written_in_order_and_are_due_no_more() -> None:
    world, before = world_with((run_id(1), "20240101T0000Z", run_id(0), run_id(2)))
    version = head(world).version
    assert write(world) == [snapshot_key(2), figures_key(2), *NEWEST, snapshot_key(1), snapshot_key(0)]
    for number in range(3):
        stored = world.objects.get(snapshot_key(number))
        assert stored is not None
        assert stored.body == before[snapshot_key(number)]
        assert world.objects.get(figures_key(number)) is not None
    assert (head(world).due, head(world).version) == ((), version)


@pytest.mark.parametrize(
    ("seconds", "written", "due"), [(4.9, [], (0, 1)), (5.0, [0, 1], ())], ids=["too late", "just in time"]
)
def test_snapshots_for_which_there_is_no_time_stay_due(
    seconds: float, written: list[int], due: tuple[int, ...]
) -> None:
    world, _ = world_with((run_id(0), run_id(1), run_id(2)))
    assert write(world, seconds=seconds)[2 + len(NEWEST) :] == [snapshot_key(number) for number in written]
    assert head(world).due == tuple(map(run_id, due))


def test_a_slot_that_is_unknown_or_written_twice_takes_no_time() -> None:
    world, _ = world_with(("20240101T0000Z", run_id(2), run_id(0)))
    assert write(world, seconds=1.0) == [snapshot_key(2), figures_key(2), *NEWEST]
    assert head(world).due == (run_id(0),)


def test_a_state_that_a_newer_merge_has_replaced_is_left_to_it() -> None:
    world, _ = world_with((run_id(0), run_id(1)))
    found = head(world)
    chain = replace(found, runs=(replace(found.runs[0], key="state/azure/merged/gone-1-1.gz"), *found.runs[1:]))
    assert write(world, chain=chain) == [snapshot_key(2), figures_key(2), *NEWEST]
    assert head(world).due == (run_id(0), run_id(1))


def test_who_is_overtaken_writes_nothing_and_leaves_what_is_due() -> None:
    world, _ = world_with((run_id(0),))
    older = head(world)
    states = MergedStates(world.objects)
    states.replace_head(replace(older, version=older.version + 1))
    write(world, chain=older)
    assert there(world) == set()
    assert head(world).due == (run_id(0),)


def test_a_late_slot_s_snapshot_comes_from_its_stored_state() -> None:
    world, before = world_with()
    assert write(world, 1, own=False) == [snapshot_key(1), figures_key(1), *NEWEST]
    stored = world.objects.get(snapshot_key(1))
    assert stored is not None
    assert stored.body == before[snapshot_key(1)]
    assert there(world) == {snapshot_key(1), *NEWEST}


def test_a_late_slot_whose_state_is_gone_is_left_to_a_newer_merge() -> None:
    world, _ = world_with()
    found = head(world)
    gone = replace(found.runs[1], key="state/azure/merged/gone-1-1.gz")
    write(world, 1, own=False, chain=replace(found, runs=(found.runs[0], gone, found.runs[2])))
    assert there(world) == {*NEWEST}


def test_a_slot_older_than_the_chain_shows_the_count_that_its_attempt_asked() -> None:
    world, _ = world_with()
    found = head(world)
    chain = replace(found, runs=found.runs[1:])
    own, newest = view(world, found.runs[0]), view(world, found.runs[2])
    FilesWriting(
        run=world.run(0, 5), objects=world.objects, states=MergedStates(world.objects), settings=Settings(),
        deadline=Deadline(lambda: 100.0), committed=Committed(chain, newest, own, 3), figures=None,
    ).write()  # fmt: skip
    assert {row["DesiredCount"] for row in snapshot(world, 0)} == {"5"}
    assert there(world) == {snapshot_key(0), *NEWEST}


def test_the_count_of_a_slot_is_that_of_the_chain() -> None:
    world, _ = world_with()
    write(world, count=10)
    assert {row["DesiredCount"] for row in snapshot(world, 2)} == {"1"}


def test_figures_are_those_that_were_counted_or_none() -> None:
    world, before = world_with()
    write(world)
    stored = world.objects.get(figures_key(2))
    assert stored is not None
    assert len(stored.body) < len(before[figures_key(2)])
