"""Values know when they were last confirmed: looked for and not there is evidence, not looking is none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

from spotlake.merge.evidence import PARTS
from spotlake.merge.state import decode
from spotlake_local.workspace import ROOT
from tests.functional.merge.conftest import FIRST, SIZE, World, items, latest, snapshot

OTHER = "Standard_E2s_v5"
BOTH = (SIZE, OTHER)
A_DAY = 144


def listed(world: World, number: int, there: Any = BOTH, scored: Any = BOTH) -> dict[str, Any]:
    """A slot whose listings have these sizes, and whose scores those."""
    run = world.collected(number, scores={"1": 3}, sizes=scored, spot=None, band=None)
    prices = world.collected(number, attempt=run.attempt + 100_000, sizes=there)
    world.merge(prices)
    return world.merge(run)


def shown(world: World, number: int, size: str = OTHER) -> tuple[str, str, str, str]:
    (row,) = [row for row in snapshot(world, number) if row["ArmSkuName"] == size]
    return row["SpotPrice"], row["PriceConfirmed"], row["IF"], row["IFConfirmed"]


def at(number: int) -> str:
    return f"{FIRST + timedelta(minutes=10 * number):%Y-%m-%d %H:%M:%S}"


def test_a_value_that_looks_do_not_show_becomes_unknown_and_says_when_it_was_known(world: World) -> None:
    listed(world, 0)
    for number in range(1, 6):
        listed(world, number, [SIZE])
    assert shown(world, 5) == ("0.01", at(0), "3.0", at(0))  # five looks, in less than an hour
    listed(world, 36, [SIZE])
    assert shown(world, 36) == ("0.01", at(0), "3.0", at(0))  # six, but not six hours
    listed(world, 37, [SIZE])
    assert shown(world, 37) == ("-1", at(0), "-1", at(0))
    assert shown(world, 37, SIZE)[:2] == ("0.01", at(37))
    (row,) = [row for row in latest(world) if row["InstanceType"] == "E2s_v5"]
    assert (row["SpotPrice"], row["PriceConfirmed"]) == (-1, at(0))
    item = items(world)[OTHER, "koreacentral#1"]
    assert "SpotPrice" not in item
    assert item["PriceConfirmedAt"] == "2025-12-15T10:00:00Z"
    listed(world, 38)
    assert shown(world, 38) == ("0.01", at(38), "3.0", at(38))
    assert "PriceConfirmedAt" not in items(world)[OTHER, "koreacentral#1"]


def test_not_looking_is_no_evidence(world: World) -> None:
    listed(world, 0)
    for number in range(1, 20):
        world.merge(world.collected(A_DAY * number, spot=None, band=None, scores={"1": 3}, sizes=BOTH))
    assert shown(world, A_DAY * 19) == ("0.01", at(0), "3.0", at(0))


def test_a_part_by_hand_is_no_look(world: World) -> None:
    listed(world, 0)
    for number in range(1, 60):
        world.merge(world.collected(number, sizes=[SIZE], filtered=True, instance_types=(SIZE,)))
    assert shown(world, 59) == ("0.01", at(0), "3.0", at(0))


def test_after_a_pause_and_a_failing_listing_nothing_is_retired(world: World) -> None:
    listed(world, 0)
    world.merge(world.collected(A_DAY * 30, spot=None, band=None))
    assert len(latest(world)) == 2
    assert all("RetiredAt" not in item for (_, workload), item in items(world).items() if workload.endswith("#1"))


def test_what_is_not_there_on_enough_days_of_looking_is_retired(world: World) -> None:
    listed(world, 0)
    for day in range(1, 14):
        listed(world, A_DAY * day, [SIZE], [SIZE])
    assert len(latest(world)) == 2
    manifest = world.merge(world.collected(A_DAY * 14, scores={"1": 3}))
    assert (manifest["status"], len(latest(world))) == ("complete", 1)
    assert "RetiredAt" in items(world)[OTHER, "koreacentral#1"]


def test_a_zone_that_answers_leave_out_is_retired_after_enough_days(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3, "2": 3}))
    for day in range(1, 14):
        world.merge(world.collected(A_DAY * day, scores={"1": 3}))
    assert {row["AvailabilityZone"] for row in latest(world)} == {"1", "2"}
    world.merge(world.collected(A_DAY * 14, scores={"1": 3}))
    assert {row["AvailabilityZone"] for row in latest(world)} == {"1"}


def test_another_building_under_the_same_number_is_another_history(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, count in enumerate((50, 10, 1)):
        world.merge(world.collected(number, scores={"1": 3}, count=count))
    assert latest(world)[0]["T3"] == 50
    score = world.score
    monkeypatch.setattr(world, "score", lambda *given: {**score(*given), "physical_zone": "koreacentral-az9"})
    world.merge(world.collected(3, scores={"1": 2}))
    (row,) = latest(world)
    assert (row["Score"], row["T3"], row["T2"]) == (2, 0, 1)
    item = items(world)[SIZE, "koreacentral#1"]
    assert (set(item["Scores"]), item["PhysicalZone"]) == ({"1"}, "koreacentral-az9")


def test_nothing_is_written_while_everything_is_confirmed(world: World) -> None:
    listed(world, 0)
    assert listed(world, 1)["written_items"] == 0
    assert listed(world, 2, [SIZE])["written_items"] == 1  # the one that was not there
    assert listed(world, 3, [SIZE])["written_items"] == 0


def test_a_state_of_the_schema_before_is_confirmed_when_its_values_began() -> None:
    with ZipFile(ROOT / "tests/data/first-form.zip") as kept:
        key = next(name for name in kept.namelist() if "/merged/20251215T1010Z" in name)
        state = decode(kept.read(key), key)
    for part in PARTS:
        assert np.array_equal(state.pair[f"{part}_confirmed"], state.pair[f"{part}_began"])
        assert not state.pair[f"{part}_missed"].any()
    assert decode(state.encode(), "again").encode() == state.encode()
