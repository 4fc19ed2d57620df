"""The files that readers know, word for word."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pytest

from spotlake.merge.files import Files
from spotlake.merge.state import MergedState, slot_number
from spotlake.merge.view import View
from spotlake.models import DESIRED_COUNTS
from tests.unit.merge.test_views import state

AT = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
NOW = slot_number(AT)
ONE, FIVE = DESIRED_COUNTS.index(1), DESIRED_COUNTS.index(5)


def made() -> MergedState:
    found = state(
        ("westus", "Standard_A_v2", "1"), ("westus", "Standard_A_v2", "Single"), ("eastus", "Basic_B", "3"),
        pairs=[("eastus", "=odd"), ("eastus", "Standard_A_v2")],
    )  # fmt: skip
    found.slot, found.regions = NOW, {"westus": 'US "West", 2', "eastus": "=East"}
    pair, rows = found.pair, found.workloads
    (building,) = found.text_numbers(["westus-az3"])
    pair["spot"][:2], pair["ondemand"][:2], pair["frequency"][0] = [0.0205, 1.0], [0.041, np.nan], 2.5
    pair["spot_began"][0], pair["frequency_began"][0] = NOW - 6, NOW - 144
    pair["spot_confirmed"][:2], pair["frequency_confirmed"][0] = [NOW, NOW - 1], NOW - 2
    rows["score"][0, ONE], rows["score_began"][0, ONE], rows["seen"][0, ONE] = 3, NOW - 12, [0, 7, NOW - 3]
    rows["score"][1, FIVE], rows["score_began"][1, FIVE], rows["seen"][1, FIVE] = 1, NOW - 18, [NOW - 18, 0, 0]
    rows["physical"][0] = building
    return found


def files(found: MergedState | None = None, casing: str = "source") -> Files:
    return Files(View.of(found or made(), 14), casing)


def lines(body: bytes) -> list[str]:
    return gzip.decompress(body).decode().split("\n")


HEAD = (
    "InstanceTier,InstanceType,Region,OndemandPrice,SpotPrice,Savings,IF,DesiredCount,AvailabilityZone,Score,Time,T2,T3,"
    "RegionCode,ArmSkuName,PhysicalZone,PriceTime,IFTime,ScoreTime,PriceConfirmed,IFConfirmed,ScoreConfirmed"
)
DAY, NOW_TEXT = "2026-11-26 ", "2026-11-26 10:00:00"
WEST = '"US ""West"", 2"'
OF_WEST = f"Standard,A_v2,{WEST},0.041,0.0205,50.0,2.5"
TIMES_OF_WEST = f"{DAY}09:00:00,2026-11-25 10:00:00"


def test_a_snapshot_has_a_row_for_each_live_workload_in_order() -> None:
    assert lines(files().snapshot(AT, 1)) == [
        HEAD,
        f"'=odd,,'=East,-1,-1,-1,-1,1,N/A,-1,{NOW_TEXT},-1,-1,eastus,'=odd,N/A,N/A,N/A,N/A,N/A,N/A,N/A",
        f"Basic,B,'=East,-1,1.0,-1,-1,1,3,-1,{NOW_TEXT},-1,-1,eastus,Basic_B,N/A,N/A,N/A,N/A,{DAY}09:50:00,N/A,N/A",
        f"Standard,A_v2,'=East,-1,-1,-1,-1,1,N/A,-1,{NOW_TEXT},-1,-1,eastus,Standard_A_v2,N/A,N/A,N/A,N/A,N/A,N/A,N/A",
        (f"{OF_WEST},1,1,3,{NOW_TEXT},1,1,westus,Standard_A_v2,westus-az3,{TIMES_OF_WEST},{DAY}08:00:00,{NOW_TEXT},"
        f"{DAY}09:40:00,{DAY}09:30:00"),
        (f"{OF_WEST},1,Single,-1,{NOW_TEXT},-1,-1,westus,Standard_A_v2,N/A,{TIMES_OF_WEST},N/A,{NOW_TEXT},"
        f"{DAY}09:40:00,N/A"),
        "",
    ]  # fmt: skip


def test_a_snapshot_of_another_count_has_its_scores_and_names_in_lower_case() -> None:
    found = lines(files(casing="lower").snapshot(AT, 5))
    lower = OF_WEST.lower()
    assert found[4:] == [
        (f"{lower},5,1,-1,{NOW_TEXT},1,1,westus,Standard_A_v2,westus-az3,{TIMES_OF_WEST},N/A,{NOW_TEXT},"
        f"{DAY}09:40:00,N/A"),
        (f"{lower},5,Single,1,{NOW_TEXT},-1,-1,westus,Standard_A_v2,N/A,{TIMES_OF_WEST},{DAY}07:00:00,{NOW_TEXT},"
        f"{DAY}09:40:00,{DAY}07:00:00"),
        "",
    ]  # fmt: skip


def row(number: int, tier: str, size: str, region: str, **values: Any) -> dict[str, Any]:
    return {
        "id": number, "InstanceTier": tier, "InstanceType": size, "Region": region, "OndemandPrice": -1,
        "SpotPrice": -1, "Savings": -1, "IF": -1, "DesiredCount": 1, "AvailabilityZone": "N/A", "Score": -1,
        "Time": NOW_TEXT, "T2": -1, "T3": -1, **values,
    }  # fmt: skip


OF_W = {"OndemandPrice": 0.041, "SpotPrice": 0.0205, "Savings": 50.0, "IF": 2.5}
LATEST = [
    row(1, "=odd", "", "=East"),
    row(2, "Basic", "B", "=East", SpotPrice=1.0, AvailabilityZone="3"),
    row(3, "Standard", "A_v2", "=East"),
    row(4, "Standard", "A_v2", 'US "West", 2', **OF_W, AvailabilityZone="1", Score=3, T2=1, T3=1),
    row(5, "Standard", "A_v2", 'US "West", 2', **OF_W, AvailabilityZone="Single"),
]


def test_latest_has_the_same_workloads_at_count_1_without_blanks() -> None:
    body = gzip.decompress(files().latest(AT))
    assert body == orjson.dumps(LATEST)
    assert [list(one) for one in orjson.loads(body)] == [list(one) for one in LATEST]


def test_latest_says_when_a_value_was_confirmed_if_that_is_long_ago() -> None:
    found = made()
    found.pair["spot_missed"][1], found.pair["frequency_missed"][0] = NOW - 1, NOW - 2
    found.workloads["seen"][0, ONE] = [0, 0, NOW - 145]
    told = orjson.loads(gzip.decompress(files(found).latest(AT)))
    extra = [{name: value for name, value in one.items() if name.endswith("Confirmed")} for one in told]
    old = {"IFConfirmed": f"{DAY}09:40:00"}
    assert extra == [
        {}, {"PriceConfirmed": f"{DAY}09:50:00"}, {}, {**old, "ScoreConfirmed": "2026-11-25 09:50:00"}, old,
    ]  # fmt: skip
    found.workloads["seen"][0, ONE] = [0, 0, NOW - 144]  # a day old, and no older
    assert b"ScoreConfirmed" not in gzip.decompress(files(found).latest(AT))


def test_the_selector_and_the_association_name_each_size_and_region_once() -> None:
    assert orjson.loads(files().selector()) == [
        {"InstanceTier": "=odd", "InstanceType": "", "Region": "=East"},
        {"InstanceTier": "Basic", "InstanceType": "B", "Region": "=East"},
        {"InstanceTier": "Standard", "InstanceType": "A_v2", "Region": "=East"},
        {"InstanceTier": "Standard", "InstanceType": "A_v2", "Region": 'US "West", 2'},
    ]
    assert files().association() == orjson.dumps(
        [{"": {"Region": ["=East"]}, "A_v2": {"Region": ["=East", 'US "West", 2']}, "B": {"Region": ["=East"]}}]
    )
    lower = orjson.loads(files(casing="lower").association())
    assert lower[0]["a_v2"] == {"Region": ["=east", 'us "west", 2']}


def test_names_that_are_shown_alike_stand_once() -> None:
    """Two tiers of one size, and two regions of one name."""
    found = state(pairs=[("r", "T_X"), ("s", "T_X"), ("r", "U_X"), ("q", "T_X")])
    found.regions = {"r": "R", "s": "R"}
    assert orjson.loads(files(found).association()) == [{"X": {"Region": ["R", "q"]}}]
    assert orjson.loads(files(found).selector()) == [
        {"InstanceTier": "T", "InstanceType": "X", "Region": "q"},
        {"InstanceTier": "T", "InstanceType": "X", "Region": "R"},
        {"InstanceTier": "U", "InstanceType": "X", "Region": "R"},
    ]


def test_nothing_live_is_nothing_in_every_file() -> None:
    none = files(MergedState())
    assert lines(none.snapshot(AT, 1)) == [HEAD, ""]
    assert gzip.decompress(none.latest(AT)) == b"[]"
    assert none.association() == b"[{}]"
    assert none.selector() == b"[]"


@pytest.mark.parametrize("workloads", [8_192, 8_193, 16_385])
def test_files_of_any_length_are_whole(workloads: int) -> None:
    sizes = [f"Standard_S{number:05}" for number in range(workloads)]
    found = state(pairs=[("r", size) for size in sizes])
    found.pair["spot"][:] = np.arange(1, workloads + 1)
    found.pair["spot_began"][:] = NOW - np.arange(workloads) % 1000
    rows = [line.split(",") for line in lines(files(found).snapshot(AT, 1))[1:-1]]
    assert [(one[14], one[4]) for one in rows] == [(size, f"{n}.0") for n, size in enumerate(sizes, 1)]
    assert rows[1][16] == f"{DAY}09:50:00"
    latest = orjson.loads(gzip.decompress(files(found).latest(AT)))
    assert [(one["id"], one["InstanceType"], one["SpotPrice"]) for one in latest] == [
        (number, size[9:], number) for number, size in enumerate(sizes, 1)
    ]
