"""Rows that look like a machine's price and are none: sightings and guesses of 2026, each with variations.

Each stands beside the machine's two true rows, with a later start: what wrongly counts would win.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake.azure.price_names import Product, read_product
from spotlake.azure.price_rules import ROUNDING, choose_prices
from tests.unit.usecases.rows import SPOT

NOW_AT = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
MACHINE = SPOT | {
    "armRegionName": "westeurope",
    "location": "EU West",
    "armSkuName": "Standard_E4as_v5",
    "productName": "Virtual Machines Easv5 Series",
    "meterName": "E4as v5",
    "skuName": "E4as v5",
    "retailPrice": 0.226,
    "effectiveStartDate": "2021-11-01T00:00:00Z",
    "meterId": "machine",
}
SPOT_OF_IT = MACHINE | {"meterName": "E4as v5 Spot", "skuName": "E4as v5 Spot", "retailPrice": 0.04, "meterId": "spot"}
LATER = {"effectiveStartDate": "2026-01-01T00:00:00Z", "meterId": "z-later", "retailPrice": 0.41}


def names(kind: str) -> dict[str, Any]:
    return {"meterName": f"E4as v5 {kind}", "skuName": f"E4as v5 {kind}"}


def product(name: str) -> dict[str, Any]:
    return {"productName": name}


LOOKALIKES: dict[str, list[dict[str, Any]]] = {
    "cloud_services": [
        product("Easv5 Series CloudServices"),
        product("Easv5 Series Cloud Services"),
        product("Virtual Machines Easv5 Series cloudservices"),
        product("Easv5-Series Cloud-Services"),
        product("Easv5 Srs Cloud Service"),
        product("Easv5 CLOUDSERVICES Series"),
    ],
    "dedicated_host": [
        product("Easv5 Series DedicatedHost") | {"armSkuName": "Easv5_Type1"},
        product("Easv5 Series DedicatedHost") | {"armSkuName": "Standard_Easv5_Type1"},
        product("NVadsA10v5 DedicatedHost") | {"armSkuName": "Standard_E4as_v5"},
        product("Virtual Machines Msv3 Medium Memory Series Dedicated-Hosts"),
    ],
    "no_size": [
        {"armSkuName": "Standard_Easv5_Type1"},
        {"armSkuName": "Standard_Easv5 Type 1"},
        {"armSkuName": "Standard_Easv5-type1"},
        {"armSkuName": "Standard_"},
        {"armSkuName": "ARM_SKU_NAME_PLACEHOLDER"},
        {"armSkuName": "L192isv4"},
        {"armSkuName": "Standard_E4" + "x" * 3000},  # longer than a key of the table may be
        {"armSkuName": "Standard_E4as v5"},
        {"armSkuName": "Standard_E4as_v5\nStandard_E8as_v5"},
        {"armSkuName": "Standard_E4as_v5\0"},
        {"armSkuName": "Standard_E4as_v5' or '1"},
    ],
    "windows": [
        product("Virtual Machines Easv5 Series WINDOWS"),
        product("Virtual Machines Easv5 Series Windows Server"),
        product("Easv5-series Windows"),
        product("Virtual Machines Easv5 Srs Win"),
        product("Virtual Machines Easv5 SeriesWindows"),
    ],
    "unknown_kind": [
        names("Spot Plus"),
        names("Premium Spot"),
        names("SpotPlus"),
        names("Spot2"),
        names("Spot v2"),
        names("Spot - Rebalanced"),
        names("Capacity Block"),
        {"meterName": "Spot E4as v5", "skuName": "Spot E4as v5"},
        {"meterName": "E4as v5 Spot Plus", "skuName": "E4as v5"},
        {"meterName": "E4as v5 Spot", "skuName": "E4as v5 Premium Spot"},
        product("Easv5 Series App Services"),
        product("Virtual Machines Easv5 Series Confidential"),
        product("Virtual Machines Premium Easv5 Series"),
        product("Virtual Machines Dsv5 Series"),
        product("Virtual Machines RI"),
        product("Azure Compute Fleet"),
        {"type": "SavingsPlan"},
    ],
    "other_unit": [
        {"unitOfMeasure": "100 Hours", "retailPrice": 22.6},
        {"unitOfMeasure": "10 Hours"},
        {"unitOfMeasure": "1/Month"},
        {"unitOfMeasure": ""},
    ],
    "other_currency": [{"currencyCode": "EUR"}, {"currencyCode": "KRW"}, {"currencyCode": ""}, {"currencyCode": "US"}],
    "higher_tier": [
        {"tierMinimumUnits": 100.0, "retailPrice": 0.2},
        {"tierMinimumUnits": 1},
        {"tierMinimumUnits": "100"},
        {"tierMinimumUnits": float("nan")},
    ],
    "other_service": [{"serviceName": "Virtual Machines Licenses"}, {"serviceName": "Batch"}, {"serviceName": ""}],
    "promo": [
        product("Virtual Machines Easv5 promo Series"),
        product("Virtual Machines Easv5 Series Promo"),
        product("Virtual Machines Easv5 Promo"),
    ],
    "expired": [
        {"meterName": "E4as v5 - Expired"},
        {"meterName": "E4 v5/E4as v5 - Expired"},
        product("Virtual Machines Easv5 promo Series") | {"meterName": "E4as v5 - Expired"},
        {"meterName": "E4as v5 Spot - Expired"},
        names("EXPIRED"),
    ],
    "low_priority": [names("Low Priority"), names("low priority"), names("LowPriority"), names("Low-Priority")],
    "unreadable": [
        {"tierMinimumUnits": None},
        {"unitPrice": 0.1, "meterId": ""},
        {"effectiveStartDate": "2026"},
        # Python has no such moment in UTC, and no such number.
        {"effectiveStartDate": "0001-01-01T00:00:00+14:00"},
        {"effectiveEndDate": "9999-12-31T23:59:59-14:00"},
        {"tierMinimumUnits": 10**400},
        *({"retailPrice": price} for price in (10**400, 1e300, 1e9, 1e-9, True, "1_000", "\u0661", "NaN", [0.04])),
    ],
}  # fmt: skip


def _cases() -> Iterator[Any]:
    for kind, cases in LOOKALIKES.items():
        for number, changes in enumerate(cases):
            yield pytest.param(kind, changes, id=f"{kind}-{number}")


def chosen(*rows: dict[str, Any]) -> tuple[float | None, float | None, dict[str, int]]:
    """Spot and on-demand price of the machine, and what was rejected."""
    found = choose_prices(rows, region="westeurope", now_at=NOW_AT)
    spot, ondemand = found.spot.get("standard_e4as_v5"), found.ondemand.get("standard_e4as_v5")
    return spot and spot.usd_per_hour, ondemand and ondemand.usd_per_hour, dict(found.rejected)  # type: ignore[return-value]


@pytest.mark.parametrize(("kind", "changes"), list(_cases()))
def test_a_lookalike_is_never_the_machines_price(kind: str, changes: dict[str, Any]) -> None:
    row = MACHINE | LATER | changes
    for rows in ([row, MACHINE, SPOT_OF_IT], [MACHINE, SPOT_OF_IT, row]):
        assert chosen(*rows) == (0.04, 0.226, {kind: 1})


@pytest.mark.parametrize(
    "changes",
    [
        {"armRegionName": "WestEurope"},
        {"armRegionName": "West Europe"},
        {"armRegionName": " westeurope "},
        {"armRegionName": "WESTEUROPE"},
        {"currencyCode": "usd"},
        {"unitOfMeasure": "1 hour"},
        {"unitOfMeasure": "1  Hour"},
        {"tierMinimumUnits": "0.0"},
        {"serviceName": "virtual machines"},
        {"productName": "Virtual Machines Easv5-Series Linux"},
        {"productName": "VIRTUAL MACHINES EASV5 SRS"},
        {"productName": "Easv5 Series Linux"},
        {"productName": "Virtual Machines Easv5"},
        {"armSkuName": "standard_e4as_v5  "},
    ],
)
def test_another_spelling_of_the_machine_is_the_machine(changes: dict[str, Any]) -> None:
    assert chosen(MACHINE | changes, SPOT_OF_IT | changes) == (0.04, 0.226, {})


@pytest.mark.parametrize("name", ["E4as v5 spot", "E4as v5 SPOT", "Standard_E4as_v5 spot", "E4as_v5-Spot"])
def test_spot_is_spot_in_any_casing(name: str) -> None:
    assert chosen(MACHINE, SPOT_OF_IT | {"meterName": name, "skuName": name}) == (0.04, 0.226, {})


NOT_READ = {"unitPrice", "productId", "skuId", "serviceId", "serviceFamily", "isPrimaryMeterRegion"}


@pytest.mark.parametrize("name", sorted(MACHINE.keys() - NOT_READ))
def test_a_field_that_a_rule_needs_and_that_is_missing_makes_a_row_unreadable(name: str) -> None:
    short = {field: value for field, value in (MACHINE | LATER).items() if field != name}
    assert chosen(short, MACHINE, SPOT_OF_IT) == (0.04, 0.226, {"unreadable": 1})


def test_respelt_regions_are_counted() -> None:
    found = choose_prices([MACHINE | {"armRegionName": "WestEurope"}, SPOT_OF_IT], region="westeurope", now_at=NOW_AT)
    assert found.respelt_regions == 1


def test_the_plainest_product_wins_and_the_disagreement_is_counted() -> None:
    other = MACHINE | LATER | {"productName": "Virtual Machines Easv5 Series Linux"}
    for rows in ([MACHINE, other], [other, MACHINE]):
        found = choose_prices(rows, region="westeurope", now_at=NOW_AT)
        assert found.ondemand["standard_e4as_v5"].usd_per_hour == 0.226
        assert (found.disagreements, found.rejected["losing_candidate"]) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "disagreements"),
    [
        ({"meterId": "other", "retailPrice": 0.226 * (1 + ROUNDING / 2)}, 0),
        ({"meterId": "other", "retailPrice": 0.226 * (1 + ROUNDING * 2)}, 1),
        # One meter's older tier is no disagreement: its price changed.
        ({"retailPrice": 0.3, "effectiveStartDate": "2020-01-01T00:00:00Z"}, 0),
        ({"retailPrice": 0.3}, 1),
    ],
)
def test_only_another_meters_other_price_disagrees(changes: dict[str, Any], disagreements: int) -> None:
    found = choose_prices([MACHINE, MACHINE | changes], region="westeurope", now_at=NOW_AT)
    assert (found.disagreements, found.rejected["losing_candidate"]) == (disagreements, 1)


def test_five_different_samples_of_unknown_rows_are_kept_whatever_their_order_and_size() -> None:
    rows = [
        MACHINE | names(f"Novelty {'abcdefghij'[number % 10]}") | {"meterId": str(number)} for number in range(40)
    ] + [MACHINE | {"productName": "x" * 100_000}]
    one, other = (choose_prices(given, region="westeurope", now_at=NOW_AT) for given in (rows, rows[::-1]))
    assert one.rejected == {"unknown_kind": 41}
    assert one.unknown_samples == other.unknown_samples
    assert len({str(sample) for sample in one.unknown_samples}) == 5
    assert max(len(str(sample)) for sample in one.unknown_samples) < 400
    assert set(one.unknown_samples[0]) == {
        *("kind", "productName", "skuName", "meterName", "armSkuName", "type", "retailPrice")
    }


@pytest.mark.parametrize("field", sorted(MACHINE))
@pytest.mark.parametrize("value", [None, [], {}, 0, "", float("nan"), True, "'; --", ["Spot"]])
def test_no_value_of_any_field_ends_the_reading(field: str, value: object) -> None:
    spot, _, _ = chosen(MACHINE | LATER | {field: value}, SPOT_OF_IT)
    assert spot == 0.04


# Linux products of the list that the capture's regions do not sell: price sheets of eastus and others, 2025 and 2026.
OTHER_LINUX_PRODUCTS = """
DCadsv5-series Linux|DCasv5-series Linux|DCdsv3 Series Linux|DCsv3 Series Linux|ECadsv5-series Linux
Virtual Machines DCSv2 Series|Virtual Machines DCedsv6 Series|Virtual Machines ECesv6 Series|Virtual Machines FX Series
Virtual Machines H Series|Virtual Machines HBS Series|Virtual Machines HBSv2 Series|Virtual Machines HBrsv3 Series
Virtual Machines HBrsv4 series|Virtual Machines HCS Series|Virtual Machines HXrs Series|Virtual Machines LS Series
Virtual Machines Mbdsv3 Series|Virtual Machines Mbsv3 Series|Virtual Machines Mdsv3 High Memory Series Linux
Virtual Machines Mdsv3 Medium Memory Series Linux|Virtual Machines Mdsv3 Very High Memory Series Linux
Virtual Machines Msv3 High Memory Series Linux|Virtual Machines Msv3 Medium Memory Series Linux
Virtual Machines NCadsH100v5 Series|Virtual Machines NDasr A100 v4 Series|Virtual Machines NDrSv2 Series
Virtual Machines NP Series|Virtual Machines NVadsV710v5 Series|Virtual Machines NCdsxlRTX6kv6
"""


@pytest.mark.parametrize("name", OTHER_LINUX_PRODUCTS.strip().replace("\n", "|").split("|"))
def test_products_of_other_regions_are_known(name: str) -> None:
    assert read_product(name).kind is Product.LINUX
    assert read_product(f"{name.removesuffix(' Linux')} Windows").kind is Product.WINDOWS
