"""Which slots and attempts have been merged, by everything that says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from spotlake import keys
from spotlake.models import Dataset, run_id_of
from spotlake.planning.attempt import AttemptRecord
from spotlake.planning.scope import Scope
from spotlake.state.attempts import write_end, write_record
from spotlake.state.merged_states import Head, MergedRun
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.rebuild.merged_slots import MergedSlot, find_merged_slots, merged_attempts
from tests.functional.merge.conftest import FIRST, World
from tests.functional.rebuild.stores import Listed, at

UNTIL = FIRST + timedelta(days=3)


def entry(number: int, *attempts: int) -> MergedRun:
    return MergedRun(run_id_of(at(number)), "key", "digest", attempts, 1)


def told(objects: MemoryObjects, number: int, *attempts: int) -> None:
    """A manifest of the first form of its attempts, whole enough to be read."""
    world = World()
    for attempt in attempts:
        world.merge(world.collected(number, attempt=attempt))
    stored = world.objects.get(keys.manifest(at(number)))
    assert stored is not None
    objects.put(keys.manifest(at(number)), stored.body)


@pytest.mark.parametrize(
    "damage", [b"{", orjson.dumps({"schema": 2}), orjson.dumps({"schema": 99, "attempts": [{"attempt": 9}]})]
)
def test_each_source_adds_its_attempts(damage: bytes) -> None:
    world = World()
    objects = world.objects
    assert isinstance(objects, MemoryObjects)
    for attempt in (2, 3, 5, 8):
        world.collected(0, attempt=attempt)
    head = Head(runs=(entry(1, 77), entry(0, 2)))
    assert merged_attempts(objects, head, at(0)) == (2,)  # of the chain alone; the others died before their merge
    write_end(objects, world.run(0, attempt=5), [])
    assert merged_attempts(objects, head, at(0)) == (2, 5)
    told(objects, 0, 8)
    assert merged_attempts(objects, head, at(0)) == (2, 5, 8)
    assert merged_attempts(objects, Head(), at(0)) == (5, 8)
    objects.put(keys.manifest(at(0)), damage)
    assert merged_attempts(objects, head, at(0)) == (2, 5)


def test_where_nothing_but_shards_is_left_they_all_count() -> None:
    world = World()
    world.collected(0, attempt=2, spot=0.5, band=None)
    world.collected(0, attempt=4, spot=None)
    world.collected(0, attempt=0, spot=None, band=None, scores={"1": 3})
    for key in list(world.objects.keys(keys.WORK_PREFIX)):
        world.objects.delete(key)
    assert merged_attempts(world.objects, Head(), at(0)) == (0, 2, 4)
    assert merged_attempts(world.objects, Head(runs=(entry(0, 4),)), at(0)) == (0, 4)  # 0 never had a record


def test_what_died_before_its_merge_counts_where_others_count_on_it() -> None:
    world = World()
    world.collected(0, attempt=2)
    assert merged_attempts(world.objects, Head(), at(0)) == ()
    run = world.run(0, attempt=9)
    write_record(world.objects, AttemptRecord(run=run, scope=Scope(resume=True), includes=(2,)))
    assert merged_attempts(world.objects, Head(), at(0)) == ()
    write_end(world.objects, run, [])
    assert merged_attempts(world.objects, Head(), at(0)) == (2, 9)


def test_slots_are_found_in_order_of_time_and_those_before_are_left_out() -> None:
    world = World()
    for number in (200, 3, 1):
        write_end(world.objects, world.collected(number), [])
    world.collected(5)  # it died
    found = find_merged_slots(world.objects, Head(), since=None, until=UNTIL)
    assert found == [MergedSlot(at(1), (2,)), MergedSlot(at(3), (4,)), MergedSlot(at(200), (201,))]
    assert find_merged_slots(world.objects, Head(), since=at(3), until=UNTIL) == found[1:]
    assert find_merged_slots(world.objects, Head(), since=at(4), until=UNTIL) == found[2:]
    assert find_merged_slots(world.objects, Head(), since=at(1), until=at(1)) == found[:2]  # a day is looked at whole


def test_keys_that_name_no_slot_are_no_slots() -> None:
    world = World()
    write_end(world.objects, world.collected(1), [])
    for key in ("runs/azure/notes.txt", "rawdata/azure/sps/readme", "work/azure/2025/12/15/x"):
        world.objects.put(key, b"")
    assert [one.slot_at for one in find_merged_slots(world.objects, Head(), since=None, until=UNTIL)] == [at(1)]


@pytest.mark.parametrize("folder", ["sps/", "spot_price/", "spot_if/"])
def test_a_slot_is_found_by_any_of_its_shards(folder: str) -> None:
    world = World()
    world.collected(1, scores={"1": 3})
    for key in list(world.objects.keys("")):
        if folder not in key:
            world.objects.delete(key)
    assert find_merged_slots(world.objects, Head(), since=None, until=UNTIL) == [MergedSlot(at(1), (2,))]


def test_of_a_long_archive_only_the_days_since_are_listed() -> None:
    objects = Listed()
    since = datetime(2025, 12, 30, 23, 50, tzinfo=UTC)
    find_merged_slots(objects, Head(), since=since, until=datetime(2026, 1, 1, 0, 10, tzinfo=UTC))
    days = ("2025/12/30", "2025/12/31", "2026/01/01")
    folders = [f"rawdata/azure/{one.value}" for one in Dataset]
    folders += ["work/azure", "state/azure/work", "runs/azure"]
    assert sorted(objects.listed) == sorted(f"{folder}/{day}/" for folder in folders for day in days)
    objects.listed.clear()
    find_merged_slots(objects, Head(), since=None, until=since)
    assert objects.listed == [f"{folder}/" for folder in folders]
