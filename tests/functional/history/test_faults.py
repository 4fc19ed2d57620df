"""KeepHistory that dies, is left out, comes twice at once, or meets damage: the next one makes the history good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import pytest

from spotlake import keys
from spotlake.errors import DamagedStateError
from spotlake.settings import Settings
from spotlake.state.history_files import HistoryFiles
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.workloads import MemoryWorkloads
from spotlake.usecases.merge import merge_run, refold
from tests.functional.history.conftest import keep, snapshot_again, stored_snapshot
from tests.functional.merge.conftest import World
from tests.functional.merge.test_kills import Calls, KilledError, mortal, spec

NUMBERS = (0, 1, 84, 85, 230)  # three days


def world_of(numbers: tuple[int, ...], *, store: MemoryObjects | None = None) -> World:
    world = World(store or MemoryObjects(), MemoryWorkloads())
    for number in numbers:
        world.merge(world.collected(number, **spec(number)))
    return world


def history_of(world: World) -> dict[str, bytes]:
    """Every object of the history, and the newest slot's table."""
    found = {key: world.objects.get(key) for key in (*world.objects.keys(keys.HISTORY_PREFIX), keys.LATEST_TABLE)}
    return {key: one.body for key, one in found.items() if one is not None}


def test_killed_at_any_call_and_done_again_it_ends_in_the_same_bytes() -> None:
    before = world_of(NUMBERS[:-1])
    keep(before.objects)
    before.merge(before.collected(NUMBERS[-1], **spec(NUMBERS[-1])))
    assert isinstance(before.objects, MemoryObjects)

    def again() -> tuple[World, Calls]:
        world = World(MemoryObjects(objects=before.objects.objects), MemoryWorkloads())  # type: ignore[attr-defined]
        return world, mortal(world)

    calm, calls = again()
    keep(calm.objects)
    number, expected = calls.number, history_of(calm)
    assert number > 20
    for die_at in range(1, number + 1):
        for after in (False, True):
            world, calls = again()
            calls.watch(die_at=die_at, after=after)
            with pytest.raises(KilledError):
                keep(world.objects)
            calls.watch()
            keep(world.objects)
            assert history_of(world) == expected, (die_at, after)


def test_without_time_it_does_what_it_can_and_the_next_one_the_rest() -> None:
    world, calm = world_of(NUMBERS), world_of(NUMBERS)
    assert keep(world.objects, seconds=5.0).slots_left == len(NUMBERS)
    kept = keep(world.objects, seconds=50.0)  # for slots, and not for days
    assert (kept.slots, kept.slots_left, kept.days_left) == (len(NUMBERS), 0, 2)
    assert keep(world.objects).compacted_days == 2
    keep(calm.objects)
    assert history_of(world) == history_of(calm)


class Meanwhile(MemoryObjects):
    """Before an object whose key holds a text is written, something else happens, once."""

    text = ""
    happen: Callable[[], object] | None = None

    def put(self, key: str, body: bytes, **options: Any) -> str:
        if self.happen is not None and self.text in key:
            happen, self.happen = self.happen, None
            happen()
        return super().put(key, body, **options)


@pytest.mark.parametrize(
    "text", ["/times/", "/days/", "/states/", "/workloads/", "/runs/", "latest_azure.parquet", "index"]
)
def test_two_at_once_lose_nothing_of_each_other(text: str) -> None:
    store = Meanwhile()
    world = world_of(NUMBERS[:-1], store=store)

    def other() -> None:
        """Another execution merges a late slot, and the newest one, and keeps the history of both."""
        for number in (2, NUMBERS[-1]):
            world.merge(world.collected(number, **spec(number)))
        keep(world.objects)

    store.text, store.happen = text, other
    keep(world.objects)
    assert store.happen is None
    keep(world.objects)
    for number in (*NUMBERS, 2):
        slot_at = world.run(number).slot_at
        assert snapshot_again(world.objects, slot_at) == stored_snapshot(world.objects, slot_at), number


def test_left_out_for_longer_than_the_chain_reaches_it_goes_on_from_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (merge_run, refold):
        monkeypatch.setattr(module, "REMEMBERED_RUNS", 3)
    world = world_of((0, 1))
    keep(world.objects)
    for number in (2, 3, 84, 85, 86):
        world.merge(world.collected(number, **spec(number)))
    keep(world.objects)  # the chain has 84, 85 and 86 alone
    for number in (0, 1, 84, 85, 86):
        slot_at = world.run(number).slot_at
        assert snapshot_again(world.objects, slot_at) == stored_snapshot(world.objects, slot_at), number


def test_another_setting_of_retirement_leaves_past_snapshots_as_they_were() -> None:
    world = world_of((0, 1))
    keep(world.objects)
    world.merge(world.collected(2, **spec(2)), retire_after_days=1)
    keep(world.objects, settings=Settings(retire_after_days=1))
    for number in (0, 1, 2):
        slot_at = world.run(number).slot_at
        assert snapshot_again(world.objects, slot_at) == stored_snapshot(world.objects, slot_at), number


def slots(world: World) -> list[datetime]:
    return [world.run(number).slot_at for number in NUMBERS]


def test_a_damaged_index_is_made_again() -> None:
    world = world_of(NUMBERS)
    keep(world.objects)
    stored = world.objects.get(keys.HISTORY_INDEX)
    assert stored is not None
    before = orjson.loads(stored.body)
    world.objects.put(keys.HISTORY_INDEX, b"damaged")
    world.merge(world.collected(231, **spec(231)))
    keep(world.objects)
    again = world.objects.get(keys.HISTORY_INDEX)
    assert again is not None
    after = orjson.loads(again.body)
    moved = {"last_slot_at": None, "latest": None}
    assert {**after, **moved} == {**before, **moved}
    assert all(snapshot_again(world.objects, at) == stored_snapshot(world.objects, at) for at in slots(world))


@pytest.mark.parametrize("key", [keys.history_day, keys.history_times])
def test_a_damaged_day_is_named(key: Callable[[datetime], str]) -> None:
    world = world_of(NUMBERS)
    keep(world.objects)
    name = key(world.run(NUMBERS[-1]).slot_at.date())  # type: ignore[arg-type]
    world.objects.put(name, b"PAR1damaged")
    world.merge(world.collected(231, **spec(231)))
    with pytest.raises(DamagedStateError, match=name):
        keep(world.objects)


def test_a_lost_index_is_made_again_with_what_the_chain_has_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (merge_run, refold):
        monkeypatch.setattr(module, "REMEMBERED_RUNS", 2)
    world = world_of(())
    for number in NUMBERS:
        world.merge(world.collected(number, **spec(number)))
        keep(world.objects)
    before = history_of(world)
    world.objects.delete(keys.HISTORY_INDEX)
    keep(world.objects)
    again, expected = (orjson.loads(files[keys.HISTORY_INDEX]) for files in (history_of(world), before))
    assert {**again, "compacted": None} == {**expected, "compacted": None}


@pytest.mark.parametrize("moves", [(400, 401), (400, 85)])  # the second is late: a compacted day is written again
def test_a_damaged_month_of_a_region_is_made_again_from_its_days(moves: tuple[int, int]) -> None:
    world, calm = world_of(NUMBERS[:3]), world_of(NUMBERS[:3])
    for one in (world, calm):
        keep(one.objects)
        one.merge(one.collected(230, **spec(230)))
        keep(one.objects)
        one.merge(one.collected(moves[0], **spec(moves[0])))
    for key in list(world.objects.keys(keys.HISTORY_REGIONS_PREFIX)):
        world.objects.put(key, b"PAR1damaged")
    for one in (world, calm):
        keep(one.objects)
        one.merge(one.collected(moves[1], **spec(moves[1])))
        keep(one.objects)
    assert history_of(world) == history_of(calm)


def test_a_damaged_day_to_compact_hides_no_later_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (merge_run, refold):
        monkeypatch.setattr(module, "REMEMBERED_RUNS", 2)
    world = world_of(())
    for number in (0, 150):
        world.merge(world.collected(number, **spec(number)))
        keep(world.objects, seconds=50.0)  # for slots, and not for days
    name = keys.history_day(world.run(0).slot_at.date())
    world.objects.put(name, b"PAR1damaged")
    world.merge(world.collected(300, **spec(300)))
    with pytest.raises(DamagedStateError, match=name):
        keep(world.objects)
    index, _ = HistoryFiles(world.objects).index()
    assert index is not None
    assert index.last_slot_at == world.run(300).slot_at
