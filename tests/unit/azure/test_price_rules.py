from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake.azure.price_rules import REJECTED_KINDS, choose_prices
from tests.unit.usecases.rows import REGION, of_size, ondemand, spot

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def chosen(*rows: dict[str, Any], now_at: datetime = NOW_AT) -> tuple[float | None, float | None, dict[str, int]]:
    """Spot and on-demand price of D2s v3, and what was rejected."""
    found = choose_prices(rows, region=REGION, now_at=now_at)
    one, other = found.spot.get("standard_d2s_v3"), found.ondemand.get("standard_d2s_v3")
    return one.usd_per_hour if one else None, other.usd_per_hour if other else None, dict(found.rejected)


def test_linux_spot_and_ondemand_are_taken_with_meter_and_start() -> None:
    found = choose_prices([spot(), ondemand()], region=REGION, now_at=NOW_AT)
    price = found.spot["standard_d2s_v3"]
    assert (price.usd_per_hour, price.instance_type, price.region_name) == (0.018816, "Standard_D2s_v3", "US East")
    assert price.meter_id == "898b8731-56dd-5181-bb31-90ac59267863"
    assert price.effective_start_at == "2026-06-01T00:00:00Z"
    assert found.ondemand["standard_d2s_v3"].usd_per_hour == 0.096
    assert not found.rejected


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("reservation", {"type": "Reservation", "reservationTerm": "1 Year", "retailPrice": 3478.0}),
        ("devtest", {"type": "DevTestConsumption"}),
        ("other_region", {"armRegionName": "eastus2"}),
        ("not_collected_region", {"armRegionName": "usgovvirginia", "location": "US Gov Virginia"}),
        ("not_collected_region", {"armRegionName": "attatlanta1"}),
        ("not_collected_region", {"armRegionName": "", "location": ""}),
        ("no_size", {"armSkuName": ""}),
        ("no_size", {"armSkuName": "ARM_SKU_NAME_PLACEHOLDER"}),
        ("no_size", {"armSkuName": "Dsv3_Type1"}),
        ("cloud_services", {"productName": "DSv3 Series Cloud Services"}),
        ("dedicated_host", {"productName": "DSv3 Series Dedicated Host"}),
        ("windows", {"productName": "Virtual Machines DSv3 Series Windows"}),
        ("windows", {"productName": "Lasv3 Series Windows"}),
        ("windows", {"productName": "Virtual Machines NCCadsv5 Srs Win"}),
        ("low_priority", {"meterName": "D2s v3 Low Priority", "skuName": "D2s v3 Low Priority"}),
        ("expired", {"meterName": "D2s v3 Expired"}),
        ("degenerate", {"effectiveStartDate": "2026-10-01T00:00:00Z", "effectiveEndDate": "2026-09-30T23:59:00Z"}),
        ("not_yet_valid", {"effectiveStartDate": "2026-12-01T00:00:00Z"}),
        ("no_longer_valid", {"effectiveEndDate": "2026-10-31T23:59:00Z"}),
        ("zero_price", {"retailPrice": 0.0}),
        ("zero_price", {"retailPrice": None}),
        ("unreadable", {"retailPrice": "cheap"}),
        ("unreadable", {"retailPrice": float("inf")}),
        ("unreadable", {"effectiveStartDate": None}),
        ("unreadable", {"effectiveStartDate": "2026-06-01"}),
        ("unreadable", {"meterId": None}),
        ("duplicate", {}),
    ],
)
def test_each_kind_of_row_that_is_no_price_is_left_out_and_counted(reason: str, changes: dict[str, Any]) -> None:
    assert reason in REJECTED_KINDS
    for rows in ([spot(), spot(**changes)], [spot(**changes), spot()]):
        assert chosen(*rows) == (0.018816, None, {reason: 1})


@pytest.mark.parametrize("name", ["effectiveStartDate", "retailPrice", "meterId", "location"])
def test_a_row_without_a_field_is_unreadable(name: str) -> None:
    short = {field: value for field, value in spot().items() if field != name}
    assert chosen(short) == (None, None, {"unreadable": 1})


@pytest.mark.parametrize(
    "changes",
    [
        {"armSkuName": "Standard_D2s_v3  "},
        {"productName": "DSv3 Series"},
        {"meterName": "D2s v3/DS2 v3 Spot"},
        {"meterName": "Standard_D2s_v3 Spot", "skuName": "Standard_D2s_v3 Spot"},
        {"meterName": "D2s v3"},
        {"skuName": "D2s v3"},
    ],
    ids=["trailing_blanks", "product_without_the_words", "slash_meter", "newer_names", "sku_alone", "meter_alone"],
)
def test_odd_spellings_of_a_spot_row_are_spot_rows(changes: dict[str, Any]) -> None:
    found = choose_prices([spot(**changes)], region=REGION, now_at=NOW_AT)
    assert found.spot["standard_d2s_v3"].instance_type == "Standard_D2s_v3"
    assert not found.ondemand


@pytest.mark.parametrize(
    ("now_at", "price"),
    [
        (datetime(2026, 9, 30, 23, 50, tzinfo=UTC), 0.398038),
        (datetime(2026, 10, 1, 0, 0, tzinfo=UTC), 0.438702),
    ],
    ids=["last_slot_of_september", "first_slot_of_october"],
)
def test_the_row_in_force_at_the_runs_time_is_the_price(now_at: datetime, price: float) -> None:
    closing = spot(
        retailPrice=0.398038, effectiveStartDate="2026-09-01T00:00:00Z", effectiveEndDate="2026-09-30T23:59:00Z"
    )
    successor = spot(retailPrice=0.438702, effectiveStartDate="2026-10-01T00:00:00Z")
    assert chosen(closing, successor, now_at=now_at)[0] == price
    assert chosen(successor, closing, now_at=now_at)[0] == price


candidates = st.lists(
    st.builds(
        spot,
        retailPrice=st.sampled_from([0.01, 0.02, 0.03]),
        effectiveStartDate=st.sampled_from(["2026-06-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"]),
        meterId=st.sampled_from(["a", "b"]),
        armSkuName=st.sampled_from(["Standard_D2s_v3", "standard_d2s_v3", "Standard_D4s_v3 "]),
    ),
    max_size=6,
)


@given(candidates.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_arrival_decides_nothing(orders: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    one, other = (choose_prices(rows, region=REGION, now_at=NOW_AT) for rows in orders)
    assert {size: price.usd_per_hour for size, price in one.spot.items()} == {
        size: price.usd_per_hour for size, price in other.spot.items()
    }
    assert one.rejected == other.rejected


@given(candidates)
def test_every_row_is_taken_or_counted(rows: list[dict[str, Any]]) -> None:
    found = choose_prices(rows, region=REGION, now_at=NOW_AT)
    assert len(found.spot) + len(found.ondemand) + found.rejected.total() == len(rows)


def test_the_latest_start_counts_then_the_higher_meter() -> None:
    older, newer = spot(retailPrice=9.0), spot(retailPrice=0.02, effectiveStartDate="2026-11-01T00:00:00Z")
    assert chosen(older, newer) == (0.02, None, {"losing_candidate": 1})
    assert chosen(spot(meterId="b", retailPrice=0.03), spot(meterId="a", retailPrice=9.0))[0] == 0.03


def test_sizes_stay_apart() -> None:
    found = choose_prices([spot(), of_size("Standard_E8-2ads_v7", retailPrice=0.5)], region=REGION, now_at=NOW_AT)
    assert found.spot["standard_e8-2ads_v7"].usd_per_hour == 0.5
