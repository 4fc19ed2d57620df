"""What is gone is retired, then forgotten; a "no score" is no sign of life."""

from __future__ import annotations

from typing import Any

import pytest

from spotlake.merge.state import MergedState
from spotlake.merge.table_changes import REGION_NAMES, Changes, Writing
from spotlake.merge.view import View
from spotlake.models import Run
from spotlake.state.merged_states import MergedStates
from tests.functional.merge.conftest import REGION, SIZE, World, items, latest

OTHER = "Standard_E2s_v5"
BOTH = (SIZE, OTHER)
A_DAY = 144
SOON: dict[str, Any] = {"retire_after_days": 2, "retired_ttl_days": 3}


def state_of(world: World) -> MergedState:
    states = MergedStates(world.objects)
    return states.load(states.head().runs[-1].key)


def sizes_of(world: World) -> set[str]:
    return {size for _, size in state_of(world).pairs()}


def day(world: World, number: int, sizes: Any = BOTH, slot: int = 0) -> Run:
    """A slot of a day, with these sizes; merged."""
    run = world.collected(number * A_DAY + slot, sizes=sizes, scores={"1": 3})
    world.merge(run, **SOON)
    return run


def test_what_was_retired_long_ago_is_forgotten_with_its_texts(world: World) -> None:
    day(world, 0)
    for number in range(1, 5):
        day(world, number, [SIZE])
    assert "RetiredAt" in items(world)[OTHER, f"{REGION}#1"]
    assert sizes_of(world) == {*BOTH}  # retired after two days, and forgotten three days later
    day(world, 5, [SIZE])
    state = state_of(world)
    assert (state.pairs(), OTHER in state.texts) == ([(REGION, SIZE)], False)
    assert state.texts[int(state.workloads["physical"][0])] == f"{REGION}-az1"
    assert [row["InstanceType"] for row in latest(world)] == ["D2s_v5"]


def test_what_stays_keeps_its_values_and_what_comes_back_begins_again(world: World) -> None:
    day(world, 0)
    began = items(world)[SIZE, f"{REGION}#1"]["PriceAt"]
    for number in range(1, 6):
        day(world, number, [SIZE])
    assert items(world)[SIZE, f"{REGION}#1"]["PriceAt"] == began
    day(world, 6)
    item = items(world)[OTHER, f"{REGION}#1"]
    assert "RetiredAt" not in item
    assert item["PriceAt"] > began


def test_what_is_retired_after_a_long_pause_is_shown_as_retired_before_it_is_forgotten(world: World) -> None:
    day(world, 0)
    day(world, 1, [SIZE])
    day(world, 40, [SIZE])
    assert sizes_of(world) == {*BOTH}
    assert "RetiredAt" in items(world)[OTHER, f"{REGION}#1"]
    for number in range(41, 44):
        day(world, number, [SIZE])
    assert sizes_of(world) == {SIZE}
    assert "RetiredAt" in items(world)[OTHER, f"{REGION}#1"]


@pytest.mark.parametrize("zones", [{"1": None}, {"Single": None}])
def test_no_score_creates_no_pair(world: World, zones: dict[str, None]) -> None:
    run = world.collected(0, sizes=[SIZE], scores={"1": 3})
    world.merge(run)
    # A call is a rectangle: it asks sizes that the region does not sell.
    world.merge(world.collected(1, sizes=[OTHER], spot=None, band=None, scores=zones))
    assert sizes_of(world) == {SIZE}
    assert [row["InstanceType"] for row in latest(world)] == ["D2s_v5"]


def test_no_score_keeps_no_pair_alive(world: World) -> None:
    day(world, 0)
    for number in range(1, 3):
        day(world, number, [SIZE])
        world.merge(
            world.collected(number * A_DAY + 1, sizes=[OTHER], spot=None, band=None, scores={"1": None}), **SOON
        )
    assert [row["InstanceType"] for row in latest(world)] == ["D2s_v5"]


def test_no_score_in_one_zone_is_a_workload_of_a_pair_that_is_scored_in_another(world: World) -> None:
    world.merge(world.collected(0, spot=None, band=None, scores={"1": 3, "2": None}))
    assert [(row["AvailabilityZone"], row["Score"]) for row in latest(world)] == [("1", 3), ("2", -1)]


def test_a_closed_region_is_forgotten_in_time_though_it_is_looked_at_once_a_week(world: World) -> None:
    for number, sizes in ((0, BOTH), (1, [SIZE]), (2, [SIZE]), (9, [SIZE])):
        day(world, number, sizes)
    assert sizes_of(world) == {SIZE}


def test_an_item_follows_a_region_whose_name_is_forgotten(world: World) -> None:
    """The item kept the name, though state and snapshot went by the code: only new names counted as a change."""
    world.merge(world.collected(0, scores={"1": 3}))
    named, plain = state_of(world), state_of(world)
    plain.regions.clear()
    writing = Writing(run_id="20260101T0000Z", version=1, ttl_days=90)
    changes = Changes(View.of(named, 14), View.of(plain, 14), writing)
    assert [(change.item["RegionName"], change.only) for change in changes] == [(REGION, REGION_NAMES)]
    assert len(Changes(View.of(named, 14), View.of(state_of(world), 14), writing)) == 0
