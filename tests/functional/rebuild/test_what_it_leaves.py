"""What a rebuild leaves behind: every field of the chain, every stored state, the files of the newest state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spotlake import keys
from spotlake.clock import ManualClock
from spotlake.errors import StoreError
from spotlake.models import run_id_of
from spotlake.settings import Settings
from spotlake.state.attempts import write_end
from spotlake.state.merged_states import Cut, Head, MergedRun, MergedStates
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.rebuild.rebuild import RebuildDeps, Rebuilt, rebuild
from tests.functional.merge.conftest import FIRST, SIZE, World, head
from tests.functional.rebuild.stores import Listed, MergedMeanwhile
from tests.support.errors import says

OTHER = "Standard_E2s_v5"
REBUILT_AT = FIRST + timedelta(hours=3)
VERSION = 1765803600000  # milliseconds of 2025-12-15T13:00Z, as `date +%s` tells them


def run_id(number: int) -> str:
    return run_id_of(FIRST + number * timedelta(minutes=10))


def state_key(number: int) -> str:
    """Where a rebuild at REBUILT_AT stores the state after a slot."""
    return f"state/azure/merged/{run_id(number)}-{VERSION}-0.gz"


def merged(count: int, store: MemoryObjects | None = None) -> World:
    """A world of slots: the second is of desired count 5, and the fourth one of two attempts."""
    world = World(store or MemoryObjects())
    for number in range(count):
        merge(world, number)
        if number == 3:
            world.merge(world.collected(3, attempt=30, spot=0.9, scores={"1": 2}))
    return world


def merge(world: World, number: int) -> None:
    sizes = (SIZE, OTHER) if number % 2 else (SIZE,)
    count = 5 if number == 1 else 1
    world.merge(world.collected(number, count=count, spot=0.1 + number, scores={"1": 3, "2": 1}, sizes=sizes))


def deps(world: World, **changes: Any) -> RebuildDeps:
    values: dict[str, Any] = {"objects": world.objects, "clock": ManualClock(REBUILT_AT), "settings": Settings()}
    return RebuildDeps(**{**values, **changes})


def bodies(world: World, names: Any) -> dict[str, bytes]:
    found = {name: world.objects.get(name) for name in names}
    return {name: one.body for name, one in found.items() if one is not None}


def lose(world: World, *numbers: int) -> None:
    """Lose the states after these slots."""
    entries = {one.run_id: one.key for one in head(world).runs}
    for number in numbers:
        world.objects.delete(entries[run_id(number)])


def lose_everything(world: World) -> None:
    for key in (keys.MERGED_CHAIN, *world.objects.keys(keys.MERGED_STATES_PREFIX), *keys.NEWEST_FILES):
        world.objects.delete(key)


def renamed(entry: MergedRun, number: int) -> MergedRun:
    return replace(entry, key=state_key(number))


def without_etag(found: Head) -> Head:
    return replace(found, etag=None)


def test_a_lost_chain_is_whole_again_in_every_field() -> None:
    world = merged(4)
    before, newest = head(world), bodies(world, keys.NEWEST_FILES)
    states = [bodies(world, [one.key])[one.key] for one in before.runs]
    lose_everything(world)
    made = rebuild(deps(world))
    after = head(world)
    ids = tuple(run_id(number) for number in range(4))
    assert made == Rebuilt(
        base_run="", folded=ids, differing=ids, newest_run=ids[-1], pairs=2, workloads=4,
        is_table_whole=True, may_leave_items=False,
    )  # fmt: skip
    assert without_etag(after) == Head(
        version=VERSION,
        runs=tuple(renamed(one, number) for number, one in enumerate(before.runs)),
        rewrite=True,
        due=ids,
    )
    assert [one.attempts for one in after.runs] == [(1,), (2,), (3,), (4, 30)]
    assert [one.desired_count for one in after.runs] == [1, 5, 1, 1]
    assert set(world.objects.keys(keys.MERGED_STATES_PREFIX)) == {state_key(number) for number in range(4)}
    assert [bodies(world, [state_key(number)])[state_key(number)] for number in range(4)] == states
    assert bodies(world, keys.NEWEST_FILES) == newest


def test_what_stands_before_a_lost_state_and_what_the_table_shows_stay() -> None:
    world = merged(5)
    before = head(world)
    lose(world, 2)
    seen: list[tuple[str, int, int]] = []
    made = rebuild(deps(world, on_progress=lambda *step: seen.append(step)))
    after = head(world)
    assert made == Rebuilt(
        base_run=run_id(1), folded=(run_id(2), run_id(3), run_id(4)), differing=(run_id(2),), newest_run=run_id(4),
        pairs=2, workloads=4,
    )  # fmt: skip
    assert without_etag(after) == replace(
        before,
        version=VERSION,
        runs=(*before.runs[:2], *(renamed(before.runs[number], number) for number in (2, 3, 4))),
        due=(run_id(2),),
        etag=None,
    )
    assert after.table_key == before.runs[4].key  # what the table shows is kept until another state is shown
    assert set(world.objects.keys(keys.MERGED_STATES_PREFIX)) == after.state_keys()
    checked = [(f"checking the state of {run_id(number)}", number, 5) for number in range(3)]
    assert seen == [*checked, *((f"folding {run_id(2 + done)}", done, 3) for done in range(3))]


def test_snapshots_that_are_due_already_stay_due_each_once() -> None:
    world = merged(4)
    states = MergedStates(world.objects)
    states.replace_head(replace(head(world), due=(run_id(2), run_id(0))))
    lose(world, 1, 2)
    rebuild(deps(world))
    assert head(world).due == (run_id(2), run_id(0), run_id(1))


def test_a_chain_that_is_ahead_of_the_clock_moves_on_by_one() -> None:
    world = merged(2)
    states = MergedStates(world.objects)
    states.replace_head(replace(head(world), version=VERSION + 7))
    lose(world, 1)
    rebuild(deps(world))
    after = head(world)
    assert (after.version, after.runs[1].key) == (VERSION + 8, f"state/azure/merged/{run_id(1)}-{VERSION + 8}-0.gz")


@pytest.mark.parametrize("lost", ["table", "begun"])
def test_a_table_whose_state_is_lost_is_written_whole_though_all_slots_are_there(lost: str) -> None:
    world = merged(2)
    gone = f"state/azure/merged/{run_id(0)}-9-9.gz"
    changes: dict[str, Any] = {"table_key": gone} if lost == "table" else {"begun": (gone,)}
    changes["cut"] = Cut(key=gone, begin=1, next=2)
    before = MergedStates(world.objects).replace_head(replace(head(world), **changes))
    made = rebuild(deps(world))
    assert made == Rebuilt(newest_run=run_id(1), is_table_whole=True)
    expected = replace(before, table_version=0, table_key="", begun=(), rewrite=True, cut=None)
    assert without_etag(head(world)) == without_etag(expected)


def test_a_whole_chain_is_not_written_again() -> None:
    world = merged(3)
    before = head(world)
    assert rebuild(deps(world)) == Rebuilt(newest_run=run_id(2))
    assert head(world) == before  # its entity tag too


def test_a_table_is_written_whole_on_request_and_the_slots_are_left() -> None:
    world = merged(2)
    before = head(world)
    assert rebuild(deps(world), table=True) == Rebuilt(newest_run=run_id(1), is_table_whole=True)
    after = head(world)
    assert (after.runs, after.rewrite, after.table_key, after.table_version) == (before.runs, True, "", 0)


def test_since_keeps_the_slots_before_and_skips_damaged_states_among_them() -> None:
    world = merged(5)
    before = head(world)
    lose(world, 2)
    seen: list[tuple[str, int, int]] = []
    made = rebuild(deps(world, on_progress=lambda *step: seen.append(step)), FIRST + timedelta(minutes=30))
    # The state right before is lost: the slot after the newest readable one is the first that is folded.
    assert (made.base_run, made.folded) == (run_id(1), (run_id(2), run_id(3), run_id(4)))
    assert [words for words, _, _ in seen] == [f"folding {run_id(number)}" for number in (2, 3, 4)]
    after = head(world)
    assert after.runs[:2] == before.runs[:2]
    assert [one.digest for one in after.runs] == [one.digest for one in before.runs]
    assert (made.is_table_whole, made.may_leave_items) == (False, False)


def test_since_the_first_slot_begins_with_nothing_though_the_table_is_known() -> None:
    world = merged(2)
    states = [bodies(world, [one.key])[one.key] for one in head(world).runs]
    made = rebuild(deps(world), FIRST)
    assert (made.base_run, made.folded, made.differing) == ("", (run_id(0), run_id(1)), ())
    assert not made.may_leave_items
    assert [bodies(world, [one.key])[one.key] for one in head(world).runs] == states


def test_without_a_chain_and_since_a_slot_it_is_said_that_items_may_stay() -> None:
    world = merged(3)
    lose_everything(world)
    made = rebuild(deps(world), FIRST + timedelta(minutes=10))
    ids = (run_id(1), run_id(2))
    assert made == Rebuilt(
        base_run="", folded=ids, differing=ids, newest_run=run_id(2), pairs=2, workloads=4,
        is_table_whole=True, may_leave_items=True,
    )  # fmt: skip


@pytest.mark.parametrize("ahead", [False, True], ids=["wall clock", "slots ahead of the clock"])
def test_days_are_listed_up_to_the_day_after_the_newest_slot_or_today(*, ahead: bool) -> None:
    store = Listed()
    world = merged(2, store)
    clock = ManualClock(FIRST - timedelta(days=20) if ahead else FIRST + timedelta(days=2))
    lose(world, 1)
    store.listed.clear()
    rebuild(deps(world, clock=clock))
    days = {one.removeprefix("runs/azure/") for one in store.listed if one.startswith("runs/azure/2")}
    expected = {"2025/12/15/", "2025/12/16/"} | (set() if ahead else {"2025/12/17/", "2025/12/18/"})
    assert days == expected


def touched(world: World) -> Callable[[], object]:
    """Another merge's commit: the chain is replaced, and has another version."""

    def touch() -> None:
        states = MergedStates(world.objects)
        states.replace_head(replace(states.head(), version=states.head().version + 1))

    return touch


def test_three_quicker_merges_are_borne_and_the_fourth_is_named() -> None:
    store = MergedMeanwhile()
    world = merged(2, store)
    lose(world, 0)
    store.quicker = [touched(world)] * 3
    assert rebuild(deps(world)).folded == (run_id(0), run_id(1))
    lose(world, 0)
    store.quicker = [touched(world)] * 4
    way_out = "`spotlake ops pause`, and rebuild again"
    with says(StoreError, f"state/azure/merged_chain.json: merges replaced it 4 times meanwhile; {way_out}"):
        rebuild(deps(world))


@pytest.fixture
def remembers_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain remembers two slots."""
    for module in ("usecases.merge.merge_run", "usecases.merge.refold", "usecases.rebuild.rebuild"):
        monkeypatch.setattr(f"spotlake.{module}.REMEMBERED_RUNS", 2)


@pytest.mark.usefixtures("remembers_two")
def test_older_slots_are_folded_without_being_remembered() -> None:
    world = merged(5)
    before = head(world)
    newest = bodies(world, keys.NEWEST_FILES)
    states = [bodies(world, [one.key])[one.key] for one in before.runs]
    assert [one.run_id for one in before.runs] == [run_id(3), run_id(4)]
    lose_everything(world)
    seen: list[tuple[str, int, int]] = []
    made = rebuild(deps(world, on_progress=lambda *step: seen.append(step)))
    assert seen == [(f"folding {run_id(number)}", number, 5) for number in range(5)]
    assert (made.folded, made.differing) == (tuple(map(run_id, range(5))), (run_id(3), run_id(4)))
    assert [bodies(world, [one.key])[one.key] for one in head(world).runs] == states
    assert bodies(world, keys.NEWEST_FILES) == newest


def begun(world: World, number: int, **collected: Any) -> None:
    """An attempt whose merge has begun: its shards and its end are there, and the chain does not have it."""
    write_end(world.objects, world.collected(number, **collected), [])


@pytest.mark.usefixtures("remembers_two")
def test_a_kept_slot_is_forgotten_where_the_chain_would_remember_too_many() -> None:
    world = merged(4)
    assert [one.run_id for one in head(world).runs] == [run_id(2), run_id(3)]
    lose(world, 3)
    begun(world, 4, spot=0.7)
    made = rebuild(deps(world))
    assert (made.base_run, made.folded) == (run_id(2), (run_id(3), run_id(4)))
    assert [one.run_id for one in head(world).runs] == [run_id(3), run_id(4)]


@pytest.mark.usefixtures("remembers_two")
@pytest.mark.parametrize(
    ("collected", "second_round"),
    [
        ({"number": 4, "spot": 0.7}, [2, 3, 4]),  # one more older slot; the first two are kept as they are
        ({"number": 0, "attempt": 50, "spot": 7.0}, [0, 1, 2, 3]),
    ],
    ids=["a new slot", "an old slot again"],
)
def test_older_slots_are_folded_again_only_as_far_as_they_changed(
    collected: dict[str, Any], second_round: list[int]
) -> None:
    store = MergedMeanwhile()
    world = merged(4, store)
    lose(world, 2, 3)

    def merge_begins() -> None:
        begun(world, **collected)
        touched(world)()

    store.quicker = [merge_begins]
    seen: list[tuple[str, int]] = []
    rebuild(deps(world, on_progress=lambda words, done, _: seen.append((words, done))))
    folded = [one for one in seen if one[0].startswith("folding")]
    assert folded == [(f"folding {run_id(number)}", number) for number in (0, 1, 2, 3, *second_round)]
    calm = merged(4)
    lose(calm, 2, 3)
    begun(calm, **collected)
    rebuild(deps(calm))
    assert [one.digest for one in head(world).runs] == [one.digest for one in head(calm).runs]
    states = ([bodies(one, [run.key])[run.key] for run in head(one).runs] for one in (world, calm))
    assert next(states) == next(states)
    assert bodies(world, keys.NEWEST_FILES) == bodies(calm, keys.NEWEST_FILES)
