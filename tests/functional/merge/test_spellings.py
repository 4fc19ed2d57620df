"""One size that two regions spell differently is one partition of the table."""

from __future__ import annotations

import pytest

from spotlake import keys
from spotlake.models import Dataset
from tests.functional.merge.conftest import REGION, SIZE, World, items

OTHER = "eastus"


@pytest.mark.parametrize("later", [0, 1], ids=["in one slot", "in a later slot"])
def test_a_size_spelt_two_ways_in_two_regions_is_one_size_in_the_table(world: World, later: int) -> None:
    for number in range(2 + later):
        run = world.run(number)
        world.planned(run, regions=(REGION, OTHER))
        world.shard(run, Dataset.PRICE, [world.price(SIZE, 0.01)])
        if number >= later:
            alone = World()
            alone.shard(run, Dataset.PRICE, [alone.price(SIZE.upper(), 0.02 + number)])
            (key,) = alone.objects.keys("")
            stored = alone.objects.get(key)
            assert stored is not None
            moved = World.moved(stored.body, OTHER)
            world.objects.put(keys.shard(Dataset.PRICE, run.slot_at, OTHER, run.attempt), moved)
        world.merge(run)
    first = SIZE if later else SIZE.upper()  # regions of one slot are read in order of their names
    assert {key: item["SpotPrice"] for key, item in items(world).items()} == {
        (first, f"{OTHER}#N/A"): 0.02 + 1 + later,
        (first, f"{REGION}#N/A"): 0.01,
    }


def test_the_later_attempt_of_a_slot_counts_however_it_spells_a_size(world: World) -> None:
    """Each spelling was a pair of its own until the fold, where the price of the earlier attempt could be the last."""
    for attempt, spelt, spot in ((1, SIZE, 0.02), (2, SIZE.upper(), 0.3), (3, SIZE, None), (4, SIZE, 0.01)):
        run = world.collected(0, attempt=attempt, sizes=[spelt, "Standard_A1"])
        world.shard(run, Dataset.PRICE, [world.price(spelt, spot), world.price("Standard_A1", 0.5)])
        rows = world.merge(run)["rows"]
        assert items(world)[SIZE, f"{REGION}#N/A"]["SpotPrice"] == (0.3 if spot is None else spot)
        assert (rows["price"], rows["eviction"]) == (2, 2)
