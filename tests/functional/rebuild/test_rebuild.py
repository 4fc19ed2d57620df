"""The truth made again from raw shards is the truth that was lost, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlake import keys
from spotlake.clock import ManualClock
from spotlake.errors import DamagedStateError, StoreError
from spotlake.models import Run, run_id_of
from spotlake.settings import Settings
from spotlake.state.merged_states import MergedStates
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.rebuild.rebuild import RebuildDeps, Rebuilt, rebuild
from spotlake_local.workspace import ROOT
from tests.functional.merge.conftest import FIRST, SIZE, World, items, latest, snapshot
from tests.functional.rebuild.stores import MergedMeanwhile, at

OTHER = "Standard_E2s_v5"
SIZES = (SIZE, OTHER, "Standard_F2s_v2")
LATER = timedelta(hours=3)
type Truth = tuple[dict[str, bytes], bytes, bytes]


def truth(world: World) -> Truth:
    """Merged states by run, latest file and query selector."""
    states = {one.run_id: body(world, one.key) for one in MergedStates(world.objects).head().runs}
    return states, body(world, keys.LATEST), body(world, keys.QUERY_SELECTOR)


def body(world: World, key: str) -> bytes:
    stored = world.objects.get(key)
    assert stored is not None, key
    return stored.body


def made_again(world: World, since: int | None = None, *, table: bool = False, **changes: Any) -> Rebuilt:
    deps: dict[str, Any] = {
        "objects": world.objects,
        "clock": ManualClock(FIRST + LATER),
        "settings": Settings(absent_looks=2, absent_hours=0),
        **changes,
    }
    return rebuild(RebuildDeps(**deps), None if since is None else at(since), table=table)


def merge(world: World, run: Run) -> dict[str, Any]:
    return world.merge(run, absent_looks=2, absent_hours=0)


@pytest.fixture
def world() -> World:
    return World()


# -- damage ------------------------------------------------------------------------------------------


def lose_the_chain(world: World) -> None:
    world.objects.put(keys.MERGED_CHAIN, b"{")
    for key in list(world.objects.keys(keys.MERGED_STATES_PREFIX)):
        world.objects.delete(key)


def cut_the_chain(world: World) -> None:
    world.objects.put(keys.MERGED_CHAIN, body(world, keys.MERGED_CHAIN)[:-9])


def lose_a_state(world: World, place: int = 0) -> None:
    world.objects.delete(MergedStates(world.objects).head().runs[place].key)


def cut_the_newest_state(world: World) -> None:
    key = MergedStates(world.objects).head().runs[-1].key
    world.objects.put(key, body(world, key)[:-9])


def delete_the_chain(world: World) -> None:
    world.objects.delete(keys.MERGED_CHAIN)


DAMAGE: tuple[Callable[[World], None], ...] = (
    lose_the_chain,
    delete_the_chain,
    cut_the_chain,
    lose_a_state,
    cut_the_newest_state,
)


# -- histories ---------------------------------------------------------------------------------------


@st.composite
def attempts(draw: st.DrawFn) -> dict[str, Any]:
    """One attempt: its slot, and what it collects. Some die before their merge."""
    scored = st.dictionaries(st.sampled_from("123"), st.sampled_from((1, 2, 3, None)), min_size=1)
    return {
        "number": draw(st.integers(0, 5)),
        "sizes": draw(st.lists(st.sampled_from(SIZES), min_size=1, unique=True)),
        "spot": draw(st.sampled_from((0.01, 0.02, 0.03, None))),
        "ondemand": draw(st.sampled_from((0.05, None))),
        "band": draw(st.sampled_from(("0-5", "5-10", None))),
        "scores": draw(st.none() | scored),
        "count": draw(st.sampled_from((1, 5, 50))),
        "part": draw(st.booleans()),
        "resume": draw(st.booleans()),
        "dies": draw(st.integers(0, 9)) == 0,
    }


def told(world: World, history: Sequence[dict[str, Any]]) -> None:
    """Collect and merge the history, in the order given: late slots come late."""
    for attempt, one in enumerate(history, 1):
        what = dict(one)
        part, dies = what.pop("part"), what.pop("dies")
        globs = tuple(what["sizes"]) if part else ()
        run = world.collected(what.pop("number"), attempt=attempt, **what, filtered=part, instance_types=globs)
        if not dies:
            merge(world, run)


@given(
    history=st.lists(attempts(), min_size=1, max_size=8),
    damage=st.sampled_from(DAMAGE),
    records_are_gone=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_it_equals_what_was_lost(
    history: list[dict[str, Any]], damage: Callable[[World], None], records_are_gone: bool
) -> None:
    if records_are_gone:  # then nothing says that an attempt died: its raw shards count
        history = [{**one, "dies": False} for one in history]
    world, calm = World(), World()
    for one in (world, calm):
        told(one, [*history, {**history[0], "dies": False}])
    before = truth(world)
    if records_are_gone:  # their lifecycle rule deletes them after 14 days
        for key in list(world.objects.keys(keys.WORK_PREFIX)):
            world.objects.delete(key)
    damage(world)
    world.objects.delete(keys.LATEST)
    world.objects.delete(keys.QUERY_SELECTOR)
    made_again(world)
    assert truth(world) == before
    for one in (world, calm):
        merge(one, one.collected(17, scores={"1": 2}, sizes=SIZES, spot=0.09))
    assert truth(world) == truth(calm)
    assert table(world) == table(calm)


def table(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    """Live items, without who wrote them and when."""
    writer = ("Version", "RunId", "UpdatedAt")
    return {
        key: {name: value for name, value in item.items() if name not in writer}
        for key, item in items(world).items()
        if "RetiredAt" not in item
    }


def test_the_first_form_is_made_again() -> None:
    world = World(MemoryObjects())
    with ZipFile(ROOT / "tests/data/first-form.zip") as kept:
        for name in kept.namelist():
            if name.startswith("bucket/"):
                world.objects.put(name.removeprefix("bucket/"), kept.read(name))
    whole = {one.run_id: body(world, one.key) for one in MergedStates(world.objects).head().runs}
    made_again(world, settings=Settings())
    assert {one.run_id: body(world, one.key) for one in MergedStates(world.objects).head().runs} == whole
    lose_the_chain(world)
    made_again(world, settings=Settings())
    once = truth(world)
    assert set(once[0]) == set(whole)
    for key in list(world.objects.keys(keys.STATE_PREFIX + "work/")):  # its records expire, and raw shards stay
        world.objects.delete(key)
    lose_the_chain(world)
    assert set(made_again(world, settings=Settings()).folded) == set(whole)


# -- the way out -------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_error_of_a_merge_names_the_way_out(world: World, damage: Callable[[World], None]) -> None:
    for number in range(3):
        merge(world, world.collected(number, scores={"1": 3}))
    damage(world)
    late = world.collected(1, attempt=20, scores={"1": 1})
    with pytest.raises(DamagedStateError, match="`spotlake rebuild`"):
        merge(world, late)
    made_again(world)
    assert merge(world, late)["status"] == "complete"
    assert latest(world)[0]["T3"] == 1


def test_a_whole_archive_is_left_as_it_is(world: World) -> None:
    merge(world, world.collected(0))
    before = {key: body(world, key) for key in world.objects.keys("")}
    assert made_again(world) == Rebuilt(newest_run=run_id_of(FIRST))
    assert {key: body(world, key) for key in world.objects.keys("")} == before


def test_an_empty_bucket_has_nothing_to_rebuild(world: World) -> None:
    assert made_again(world) == Rebuilt()
    assert not list(world.objects.keys(""))


def test_only_what_comes_after_the_damage_is_folded(world: World) -> None:
    for number in range(6):
        merge(world, world.collected(number, scores={"1": 3}))
    lose_a_state(world, 3)
    made = made_again(world)
    assert (made.base_run, made.folded) == (run_id_of(at(2)), tuple(run_id_of(at(number)) for number in (3, 4, 5)))
    assert made.differing == (run_id_of(at(3)),)  # the two after it are as they were
    assert MergedStates(world.objects).head().due == made.differing


def test_since_folds_onto_the_state_before_it_and_without_one_begins_there(world: World) -> None:
    for number in range(4):
        merge(world, world.collected(number, spot=number / 10 + 0.1, scores={"1": 3}))
    before = truth(world)
    assert made_again(world, 2).folded == (run_id_of(at(2)), run_id_of(at(3)))
    assert truth(world) == before
    lose_the_chain(world)
    made = made_again(world, 2)
    assert (made.base_run, made.folded) == ("", (run_id_of(at(2)), run_id_of(at(3))))
    assert made.is_table_whole
    merge(world, world.collected(4, spot=0.5, scores={"1": 3}))
    assert [row["ScoreTime"] for row in snapshot(world, 4)] == [f"{at(2):%Y-%m-%d %H:%M:%S}"]


def test_a_table_that_shows_a_lost_state_is_written_whole(world: World) -> None:
    for number in range(2):
        merge(world, world.collected(number, spot=number + 1, scores={"1": 3}, sizes=SIZES))
    for item in items(world).values():
        item["SpotPrice"] = -7  # nobody knows what it shows
    lose_the_chain(world)
    made_again(world)
    merge(world, world.collected(2, spot=2, scores={"1": 3}, sizes=SIZES))
    assert {one["SpotPrice"] for one in table(world).values()} == {2}


def test_a_merge_at_the_same_time_loses_nothing() -> None:
    objects = MergedMeanwhile()
    world, calm = World(objects), World()
    for one in (world, calm):
        for number in range(4):
            merge(one, one.collected(number, scores={"1": 3}))
    merge(calm, calm.collected(4, scores={"1": 2}, spot=0.4))
    run = world.collected(4, scores={"1": 2}, spot=0.4)
    lose_a_state(world, 1)
    objects.quicker = [lambda: merge(world, run)]
    assert made_again(world).folded[-1] == run_id_of(at(4))
    assert truth(world) == truth(calm)
    assert {key: one["SpotPrice"] for key, one in table(world).items()} == dict.fromkeys(table(calm), 0.4)


def test_a_rebuild_at_the_same_time_stops_no_merge() -> None:
    objects = MergedMeanwhile()
    world, calm = World(objects), World()
    for one in (world, calm):
        for number in range(4):
            merge(one, one.collected(number, scores={"1": 3}))
    lose_a_state(world, 1)
    objects.quicker = [lambda: made_again(world)]
    for one in (world, calm):
        merge(one, one.collected(4, scores={"1": 2}, spot=0.4))
    assert truth(world) == truth(calm)


def test_merges_that_are_always_quicker_are_named() -> None:
    objects = MergedMeanwhile()
    world = World(objects)
    for number in range(3):
        merge(world, world.collected(number, scores={"1": 3}))
    lose_a_state(world, 0)

    def merged(number: int) -> Callable[[], object]:
        return lambda: merge(world, world.collected(number, scores={"1": 3}))

    objects.quicker = [merged(number) for number in range(3, 40)]
    with pytest.raises(StoreError, match="`spotlake ops pause`"):
        made_again(world)


def test_more_slots_than_the_chain_remembers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("usecases.merge.merge_run", "usecases.merge.refold", "usecases.rebuild.rebuild"):
        monkeypatch.setattr(f"spotlake.{module}.REMEMBERED_RUNS", 3)
    for number in range(8):
        merge(world, world.collected(number, spot=number + 1, scores={"1": 1 + number % 3}))
    before = truth(world)
    assert len(before[0]) == 3
    lose_the_chain(world)
    assert len(made_again(world).folded) == 8
    assert truth(world) == before


def test_progress_is_told(world: World) -> None:
    for number in range(3):
        merge(world, world.collected(number))
    lose_the_chain(world)
    seen: list[tuple[str, int, int]] = []
    made_again(world, on_progress=lambda *step: seen.append(step))
    assert seen == [(f"folding {run_id_of(at(number))}", number, 3) for number in range(3)]


def test_what_the_rebuilt_state_does_not_know_is_retired_in_the_table(world: World) -> None:
    merge(world, world.collected(0, scores={"1": 3}, sizes=SIZES))
    merge(world, world.collected(1, scores={"1": 3}, sizes=[SIZE]))
    # The first state is lost, and the second one is what the table shows.
    lose_a_state(world, 0)
    made_again(world, 1)
    merge(world, world.collected(2, scores={"1": 3}, sizes=[SIZE]))
    assert {size for size, _ in table(world)} == {SIZE}
    assert {size for (size, _), item in items(world).items() if "RetiredAt" in item} == {*SIZES[1:]}


@pytest.mark.parametrize("since", [None, 1])
def test_a_table_that_was_emptied_or_restored_from_a_backup_is_written_whole(world: World, since: int | None) -> None:
    for number in range(3):
        merge(world, world.collected(number, spot=0.01 + number, sizes=SIZES[: number + 1], scores={"1": 3}))
    shown = {key: dict(item) for key, item in items(world).items()}
    items(world).clear()
    items(world)[SIZE, "koreacentral#1"] = {**shown[SIZE, "koreacentral#1"], "SpotPrice": 0.5, "Version": 1}
    rebuilt = made_again(world, since, table=True)
    assert rebuilt.is_table_whole
    merge(world, world.collected(3, spot=2.01, sizes=SIZES, scores={"1": 3}))  # nothing has changed since
    of_the_writer = ("Version", "RunId", "UpdatedAt")
    found, expected = (
        {
            key: {name: value for name, value in item.items() if name not in of_the_writer}
            for key, item in table.items()
            if "RetiredAt" not in item
        }
        for table in (items(world), shown)
    )
    assert found == expected
