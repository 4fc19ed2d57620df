from __future__ import annotations

import itertools
from typing import Any

import pytest

from spotlake import keys
from spotlake.merge.files import CSV_COLUMNS, LATEST_COLUMNS
from tests.functional.merge.conftest import REGION, SIZE, World, items, latest, snapshot


def test_the_first_run_writes_everything(world: World) -> None:
    outcome = world.merge(world.collected(0, ondemand=0.05, scores={"1": 3, "2": 1}))
    assert outcome["complete"] is True
    assert outcome["status"] == "complete"
    assert outcome["written_items"] == 2
    (one, two) = snapshot(world, 0)
    assert tuple(one) == CSV_COLUMNS
    assert (one["InstanceTier"], one["InstanceType"], one["Region"]) == ("Standard", "D2s_v5", "KR Central")
    assert (one["SpotPrice"], one["OndemandPrice"], one["Savings"], one["IF"]) == ("0.01", "0.05", "80.0", "3.0")
    assert [(row["AvailabilityZone"], row["Score"], row["T3"], row["T2"]) for row in (one, two)] == [
        ("1", "3", "1", "1"),
        ("2", "1", "0", "0"),
    ]
    assert [row["id"] for row in latest(world)] == [1, 2]
    assert set(latest(world)[0]) == {"id", *LATEST_COLUMNS}
    assert items(world)[SIZE, f"{REGION}#1"]["Scores"] == {"1": {"s": 3, "at": "2025-12-15T10:00:00Z"}}


def test_merging_again_writes_no_item_and_the_same_files(world: World) -> None:
    run = world.collected(0, scores={"1": 3})
    world.merge(run)
    before = world.objects.get(keys.LATEST), world.objects.get(keys.snapshot(run.slot_at))
    assert world.merge(run)["written_items"] == 1  # of the first merge: the manifest is the slot's, not a merge's
    assert before == (world.objects.get(keys.LATEST), world.objects.get(keys.snapshot(run.slot_at)))


def test_only_changed_rows_are_written(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3, "2": 2}))
    outcome = world.merge(world.collected(1, scores={"1": 3, "2": 1}))
    assert outcome["written_items"] == 1
    assert items(world)[SIZE, f"{REGION}#1"]["RunId"] == "20251215T1000Z"
    assert items(world)[SIZE, f"{REGION}#2"]["Scores"]["1"]["at"] == "2025-12-15T10:10:00Z"


def test_unknown_replaces_nothing(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    world.merge(world.collected(1, spot=None, band=None, scores={"1": None}))
    (row,) = latest(world)
    assert (row["SpotPrice"], row["IF"], row["Score"], row["T3"]) == (0.01, 3.0, 3, 1)


def test_latest_keeps_count_1_while_the_snapshot_shows_the_count_asked(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    world.merge(world.collected(1, scores={"1": 2}, count=50))
    assert [(row["DesiredCount"], row["Score"], row["T3"], row["T2"]) for row in latest(world)] == [(1, 3, 1, 50)]
    assert [(row["DesiredCount"], row["Score"]) for row in snapshot(world, 1)] == [("50", "2")]


def test_a_workload_with_a_price_only_is_a_row_of_zone_na(world: World) -> None:
    outcome = world.merge(world.collected(0, band=None))
    assert [(row["AvailabilityZone"], row["Score"], row["IF"]) for row in latest(world)] == [("N/A", -1, -1)]
    assert outcome["status"] == "partial"
    world.merge(world.collected(1, scores={"1": 3}))
    assert [row["AvailabilityZone"] for row in latest(world)] == ["1"]
    assert "RetiredAt" in items(world)[SIZE, f"{REGION}#N/A"]


def test_no_score_of_a_whole_region_makes_no_workload(world: World) -> None:
    world.merge(world.collected(0, scores={"Single": None}))
    assert [row["AvailabilityZone"] for row in latest(world)] == ["N/A"]  # it has a price
    world.merge(world.collected(1, scores={"1": 3}))
    world.merge(world.collected(2, scores={"Single": None}))
    assert [(row["AvailabilityZone"], row["Score"]) for row in latest(world)] == [("1", 3)]
    unpriced = World()
    unpriced.merge(unpriced.collected(0, spot=None, scores={"Single": None}))
    assert latest(unpriced) == []


def test_a_regional_score_that_gets_lost_keeps_its_workload(world: World) -> None:
    world.merge(world.collected(0, scores={"Single": 2}))
    world.merge(world.collected(140, scores={"Single": None}), retire_after_days=1)
    world.merge(world.collected(200, scores={"Single": None}), retire_after_days=1)
    assert [(row["AvailabilityZone"], row["Score"]) for row in latest(world)] == [("Single", 2)]


def test_a_workload_that_left_is_retired_and_goes_by_ttl(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}, sizes=[SIZE, "Standard_E2s_v5"]))
    world.merge(world.collected(200, scores={"1": 3}), retire_after_days=1)
    assert [row["InstanceType"] for row in latest(world)] == ["D2s_v5"]
    retired = items(world)["Standard_E2s_v5", f"{REGION}#1"]
    assert retired["RetiredAt"] == "2025-12-16T19:20:00Z"
    assert isinstance(retired["ExpiresAt"], int)


def test_names_in_lower_case_by_a_setting(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}), name_casing="lower")
    assert (latest(world)[0]["InstanceType"], latest(world)[0]["Region"]) == ("d2s_v5", "kr central")


RUNS = (
    {"scores": {"1": 3, "2": 2}, "ondemand": 0.05},
    {"scores": {"1": 3, "2": 3}, "count": 5, "spot": 0.02},
    {"scores": {"1": 2}, "band": "20+", "spot": None},
    {"scores": {"1": 1, "2": 3}, "spot": 0.02, "band": None},
)


def merged(order: tuple[int, ...]) -> World:
    world = World()
    for number in order:
        world.merge(world.collected(number, **RUNS[number]))
    return world


def essence(world: World) -> tuple[Any, Any]:
    """Table and latest file; the table's writer and version depend on the merges, its values must not."""
    table = {
        key: {name: value for name, value in item.items() if name not in ("Version", "RunId", "UpdatedAt")}
        for key, item in items(world).items()
    }
    return table, latest(world)


@pytest.mark.parametrize("order", [*itertools.permutations(range(4)), (0, 1, 1, 2, 0, 3)])
def test_any_order_and_repetition_end_the_same(order: tuple[int, ...]) -> None:
    assert essence(merged(order)) == essence(merged((0, 1, 2, 3)))


def test_a_late_run_s_snapshot_shows_nothing_newer() -> None:
    world = merged((0, 2, 3, 1))
    assert {row["SpotPrice"] for row in snapshot(world, 1)} == {"0.02"}
    assert [(row["AvailabilityZone"], row["Score"]) for row in snapshot(world, 1)] == [("1", "3"), ("2", "3")]
    assert {row["IF"] for row in snapshot(world, 1)} == {"3.0"}


def test_an_item_with_all_counts_stays_under_one_kilobyte(world: World) -> None:
    from spotlake.models import DESIRED_COUNTS

    size = "Standard_E112ibds_v5_longest_name"
    for number, count in enumerate(DESIRED_COUNTS):
        world.merge(world.collected(number, scores={"1": 3}, count=count, ondemand=123.456789, sizes=[size]))
    (item,) = (one for key, one in items(world).items() if key[1].endswith("#1"))
    assert dynamodb_size(item) < 1024


def dynamodb_size(value: Any) -> int:
    """Bytes by the service's size rules (DynamoDB manual, item sizes): 3 per map and 1 per element, 21 per number."""
    if isinstance(value, dict):
        return 3 + sum(len(name.encode()) + dynamodb_size(one) + 1 for name, one in value.items())
    if isinstance(value, str):
        return len(value.encode())
    return len(str(abs(value)).replace(".", "").lstrip("0")) // 2 + 2


def test_rows_are_compared_with_those_of_a_day_before(world: World) -> None:
    manifest = world.merge(world.collected(0, scores={"1": 3, "2": 2}))
    assert manifest["rows_difference_percent"] is None
    manifest = world.merge(world.collected(144, scores={"1": 3, "2": None}))
    assert manifest["rows_difference_percent"] == 50.0  # of the known scores
    part = world.collected(288, scores={"1": 3}, filtered=True)
    assert world.merge(part)["rows_difference_percent"] is None
