"""The second witness: what a history says, and how it is compared with the price list."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake.azure.price_history import MOST_NAMED, compare_prices, price_history_query, read_history

AT = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
NOVEMBER, OCTOBER = "2026-11-01T00:00:00Z", "2026-10-01T00:00:00Z"


def row(size: str = "standard_d2s_v5", price: float = 0.02, **changes: Any) -> dict[str, Any]:
    history = [{"priceUSD": price, "effectiveDate": NOVEMBER}, {"priceUSD": 0.5, "effectiveDate": OCTOBER}]
    made = {"skuName": size, "osType": "linux", "location": "eastus", "spotPrices": json.dumps(history)}
    return made | changes


def test_the_price_that_held_at_a_time() -> None:
    history = read_history([row()], region="eastus")
    assert history.at("linux", "Standard_D2s_v5", AT) == 0.02
    assert history.at("linux", "Standard_D2s_v5", datetime(2026, 10, 31, 23, 59, tzinfo=UTC)) == 0.5
    assert history.at("linux", "Standard_D2s_v5", datetime(2026, 9, 30, tzinfo=UTC)) is None
    assert history.at("windows", "Standard_D2s_v5", AT) is None


@pytest.mark.parametrize("changes", [{"osType": "Linux"}, {"location": "EastUS"}, {"skuName": "Standard_D2s_v5 "}])
def test_casings_do_not_count(changes: dict[str, Any]) -> None:
    assert read_history([row(**changes)], region="eastus").at("linux", "standard_d2s_v5", AT) == 0.02


@pytest.mark.parametrize(
    "changes",
    [
        {"osType": "beos"},
        {"osType": None},
        {"skuName": ""},
        {"location": "eastus2euap"},
        {"spotPrices": "[]"},
        {"spotPrices": "nothing"},
        {"spotPrices": None},
        {"spotPrices": '[{"priceUSD": "much", "effectiveDate": "2026-11-01T00:00:00Z"}]'},
        {"spotPrices": '[{"priceUSD": 0, "effectiveDate": "2026-11-01T00:00:00Z"}]'},
        {"spotPrices": '[{"priceUSD": NaN, "effectiveDate": "2026-11-01T00:00:00Z"}]'},
        {"spotPrices": '[{"priceUSD": 1, "effectiveDate": "yesterday"}]'},
        {"spotPrices": '[{"priceUSD": 1, "effectiveDate": "0001-01-01T00:00:00+14:00"}]'},
        {"spotPrices": f'[{{"priceUSD": 1{"0" * 400}, "effectiveDate": "2026-11-01T00:00:00Z"}}]'},
        {"spotPrices": '[{"priceUSD": 1, "effectiveDate": "2026-11-01"}]'},
        {"spotPrices": '[{"priceUSD": 1}]'},
        {"spotPrices": "[1]"},
        {"spotPrices": "[" * 100_000},
        {"spotPrices": json.dumps([{"priceUSD": price, "effectiveDate": NOVEMBER} for price in (1, 2)])},
    ],
)
def test_an_odd_row_costs_itself(changes: dict[str, Any]) -> None:
    history = read_history([row(**changes), row("standard_e4s_v5")], region="eastus")
    assert history.counts["invalid_rows"] == 1
    assert list(history.prices) == [("linux", "standard_e4s_v5")]


def test_a_size_with_two_histories_has_none_and_a_doubled_row_counts_once() -> None:
    history = read_history([row(), row(price=9.0), row("standard_e4s_v5"), row("standard_e4s_v5")], region="eastus")
    assert (list(history.prices), history.counts["contradicted_sizes"]) == ([("linux", "standard_e4s_v5")], 1)


def test_disagreements_are_counted_and_named_and_neither_source_corrects_the_other() -> None:
    history = read_history(
        [
            row("standard_d2s_v5", 0.1116),
            row("standard_d4s_v5", 0.0202),
            row("standard_d8s_v5", 0.0201),
            row("standard_d16s_v5", 1.0),
            row("standard_d2s_v5", 7.0, osType="windows"),
        ],
        region="eastus",
    )
    listed = {"Standard_D2s_v5": 0.0168, "Standard_D4s_v5": 0.02, "Standard_D8s_v5": 0.02, "Standard_D32s_v5": 1.0}
    found = compare_prices(listed, history, at=AT)
    assert (found.agreeing, found.disagreeing, found.only_listed, found.only_in_history) == (2, 1, 1, 1)
    (worst,) = found.worst
    assert (worst.instance_type, worst.listed_usd_per_hour, worst.history_usd_per_hour) == (
        *("Standard_D2s_v5", 0.0168),
        0.1116,
    )
    assert compare_prices(listed, history, at=AT, tolerance=0.005).disagreeing == 2


def test_only_the_widest_are_named() -> None:
    sizes = [f"standard_d{number}s_v5" for number in range(1, 100)]
    history = read_history([row(size, number + 2.0) for number, size in enumerate(sizes)], region="eastus")
    found = compare_prices(dict.fromkeys(sizes, 1.0), history, at=AT)
    assert (found.disagreeing, len(found.worst)) == (99, MOST_NAMED)
    assert found.worst[0].instance_type == "standard_d99s_v5"


def test_nothing_but_an_arm_code_is_put_into_the_query() -> None:
    assert "location =~ 'eastus'" in price_history_query("eastus")
    with pytest.raises(ValueError, match="is not an ARM code"):
        price_history_query("eastus' or '1'=='1")
