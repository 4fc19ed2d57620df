"""Rows of a slot: whose count its snapshot shows, whose rows are refused, and how many there were the day before."""

from __future__ import annotations

import orjson

from spotlake import keys
from spotlake.models import Dataset
from tests.functional.merge.conftest import SIZE, World, snapshot
from tests.functional.merge.test_committed import OTHER, collected, world

__all__ = ["world"]


def test_the_snapshot_shows_the_count_of_the_slots_first_attempt(world: World) -> None:
    world.merge(collected(world, 0, count=5))
    world.merge(collected(world, 0, attempt=9, count=10))
    assert {row["DesiredCount"] for row in snapshot(world, 0)} == {"5"}


def test_a_shard_with_rows_of_a_region_that_was_not_planned_is_refused(world: World) -> None:
    run = world.run(0)
    world.planned(run, sizes=(SIZE,))
    rows = [world.score(SIZE, "1", 3, 1), {**world.score(SIZE, "1", 3, 1), "region": "eastus"}]
    world.shard(run, Dataset.SPS, rows)
    refused = [one["reason"] for one in world.merge(run)["refused_shards"] if one["dataset"] == "sps"]
    assert refused == ["other_region"]


def test_the_difference_of_rows_is_that_to_the_same_slot_of_the_day_before(world: World) -> None:
    yesterday = collected(world, 0)
    world.merge(yesterday)
    world.merge(collected(world, 143))
    assert world.merge(collected(world, 144, sizes=(SIZE, OTHER)))["rows_difference_percent"] == 33.33
    key = keys.manifest(yesterday.slot_at)
    stored = world.objects.get(key)
    assert stored is not None
    whole = orjson.loads(stored.body)
    for body in (b"{", orjson.dumps({**whole, "filtered": True}), None):
        if body is None:
            world.objects.delete(key)
        else:
            world.objects.put(key, body)
        assert world.merge(collected(world, 144, sizes=(SIZE,)))["rows_difference_percent"] is None
