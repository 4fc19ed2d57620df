"""The second witness at its limits: the query word for word, prices that hold from a moment on, and the tolerance."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake.azure.price_history import (
    Comparison,
    Disagreement,
    PastPrice,
    PriceHistory,
    compare_prices,
    price_history_query,
    read_history,
)
from tests.support.errors import says

AT = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


def past(*prices: float, ending: datetime = AT) -> tuple[PastPrice, ...]:
    """One price a day, the last one since ``ending``."""
    return tuple(PastPrice(ending - timedelta(days=len(prices) - 1 - n), price) for n, price in enumerate(prices))


def row(prices: Any, **changes: Any) -> dict[str, Any]:
    return {"skuName": "Standard_D2s_v5", "osType": "Linux", "location": "East US", "spotPrices": prices, **changes}


def prices(count: int) -> list[dict[str, Any]]:
    return [{"priceUSD": 1 + n, "effectiveDate": (AT + timedelta(hours=n)).isoformat()} for n in range(count)]


def test_the_query_asks_for_text_in_the_order_of_a_unique_key() -> None:
    assert price_history_query("eastus") == (
        "spotresources | where type =~ 'microsoft.compute/skuspotpricehistory/ostype/location'"
        " | where location =~ 'eastus'"
        " | project skuName=tostring(sku.name), osType=tostring(properties.osType), location,"
        " spotPrices=tostring(properties.spotPrices)"
        " | where isnotempty(skuName) and isnotempty(osType) and isnotempty(spotPrices)"
        " | order by skuName asc, osType asc, location asc"
    )
    with says(ValueError, "'east-us' is not an ARM code"):
        price_history_query("east-us")


@pytest.mark.parametrize("system", ["Linux", " WINDOWS "])
def test_a_history_is_read_oldest_first_from_text_or_from_a_list(system: str) -> None:
    listed = [
        {"priceUSD": "0.02", "effectiveDate": "2026-11-02T00:00:00Z"},
        {"priceUSD": 0.5, "effectiveDate": "2026-11-01T00:00:00Z"},
    ]
    for told in (listed, json.dumps(listed)):
        found = read_history([row(told, osType=system)], region="eastus")
        key = (system.strip().lower(), "standard_d2s_v5")
        older, newer = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
        assert found.prices == {key: (PastPrice(older, 0.5), PastPrice(newer, 0.02))}
        assert found.counts == {"contradicted_sizes": 0}


@pytest.mark.parametrize("told", [{}, "{}", "7", 7, None, prices(1001), [7], [{"priceUSD": 1}]])
def test_what_is_no_history_costs_its_row(told: object) -> None:
    assert read_history([row(told)], region="eastus").counts["invalid_rows"] == 1


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_one_price_that_is_none_costs_the_row(bad: float) -> None:
    good = {"priceUSD": 1.0, "effectiveDate": "2026-11-02T00:00:00Z"}
    odd = {"priceUSD": bad, "effectiveDate": "2026-11-01T00:00:00Z"}
    assert read_history([row([good, odd])], region="eastus").prices == {}
    assert read_history([row([good, good])], region="eastus").counts["invalid_rows"] == 0


def test_a_thousand_prices_are_a_history_and_rows_of_elsewhere_or_of_no_size_are_none() -> None:
    rows = [
        row(prices(1000)),
        row(prices(1), location="West US"),
        row(prices(1), skuName=None),
        row(prices(1), osType=7),
    ]
    found = read_history(rows, region="eastus")
    assert (len(found.prices["linux", "standard_d2s_v5"]), found.counts["invalid_rows"]) == (1000, 3)
    torn = read_history([row(prices(1)), row(prices(2)), row(prices(1), osType="windows")], region="eastus")
    assert (list(torn.prices), torn.counts) == ([("windows", "standard_d2s_v5")], {"contradicted_sizes": 1})


def test_a_price_holds_from_its_moment_on() -> None:
    history = PriceHistory(prices={("linux", "standard_d2s_v5"): past(0.3, 0.2)})
    day = timedelta(days=1)
    moments = (AT - day - timedelta(seconds=1), AT - day, AT - timedelta(seconds=1), AT)
    assert [history.at("linux", "Standard_D2s_v5", one) for one in moments] == [None, 0.3, 0.3, 0.2]
    assert history.at("linux", "Standard_D4s_v5", AT) is None


def test_the_sources_are_compared_within_a_share_of_the_lists_price() -> None:
    told = {"a": 1.0, "b": 1.25, "c": 1.26, "d": 0.5, "e": 9.0, "g": 1.0, "h": 0.74}
    history = PriceHistory(prices={("linux", size): past(7.0, price) for size, price in told.items()})
    history.prices["windows", "a"] = past(5.0)
    history.prices["linux", "future"] = past(5.0, ending=AT + timedelta(seconds=1))
    listed = {"A": 1.0, "B": 1.0, "C": 1.0, "D": 1.0, "F": 1.0, "G": 0.0, "H": 1.0}
    assert compare_prices(listed, history, at=AT, tolerance=0.25) == Comparison(
        agreeing=2,  # a, and b at the edge
        disagreeing=3,
        worst=(Disagreement("D", 1.0, 0.5), Disagreement("C", 1.0, 1.26), Disagreement("H", 1.0, 0.74)),
        only_listed=1,  # f
        only_in_history=2,  # e, and g, whose listed price is unknown
    )
    assert compare_prices({"A": 5.0}, history, at=AT, system="windows").agreeing == 1
    assert compare_prices({"a": 100.0}, PriceHistory(prices={("linux", "a"): past(101.0)}), at=AT).agreeing == 1
    assert compare_prices({"a": 100.0}, PriceHistory(prices={("linux", "a"): past(101.1)}), at=AT).disagreeing == 1


def test_of_all_that_differ_twenty_are_named_the_widest_first() -> None:
    history = PriceHistory(prices={("linux", f"s{n:02}"): past(2.0 + n % 3) for n in range(30)})
    found = compare_prices({f"s{n:02}": 1.0 for n in range(30)}, history, at=AT)
    assert (found.disagreeing, len(found.worst)) == (30, 20)
    names = [f"s{n:02}" for start in (2, 1) for n in range(start, 30, 3)]
    assert [one.instance_type for one in found.worst] == names
    # The share of the list's price counts, not the distance.
    history = PriceHistory(prices={("linux", "a"): past(20.0), ("linux", "b"): past(3.0)})
    found = compare_prices({"a": 15.0, "b": 1.0}, history, at=AT)
    assert [one.instance_type for one in found.worst] == ["b", "a"]
