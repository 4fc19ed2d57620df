"""Which row of the price list is the price: each rule at its boundary, in the form of a row of eastus of 2026."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake.azure.price_rules import REJECTED_KINDS, ChosenPrices, Price, choose_prices, windows_spot
from tests.unit.usecases.rows import REGION, of_size, ondemand, spot

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SIZE = "standard_d2s_v3"


def chosen(*rows: Any, **options: Any) -> ChosenPrices:
    return choose_prices(rows, region=REGION, now_at=NOW_AT, **options)


def rejected(**changes: Any) -> dict[str, int]:
    """What the row is counted as beside a good one of another size, which is taken."""
    found = chosen(of_size("Standard_E8s_v5"), spot(**changes))
    assert "standard_e8s_v5" in found.spot
    return dict(found.rejected)


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("unknown_kind", {"type": "Savings"}),
        ("unknown_kind", {"type": 7}),
        ("unknown_kind", {"type": ["Consumption"]}),
        ("other_service", {"serviceName": "Storage"}),
        ("other_currency", {"currencyCode": "EUR"}),
        ("other_unit", {"unitOfMeasure": "1 Month"}),
        ("other_unit", {"unitOfMeasure": "10 Hours"}),
        ("higher_tier", {"tierMinimumUnits": 1.0}),
        ("higher_tier", {"tierMinimumUnits": "0.5"}),
        ("unreadable", {"tierMinimumUnits": "none"}),
        ("unreadable", {"tierMinimumUnits": None}),
        ("other_region", {"armRegionName": "westus"}),
        ("not_collected_region", {"armRegionName": "usgovvirginia"}),
        ("windows", {"productName": "Virtual Machines DSv3 Series Windows"}),
        ("unknown_kind", {"productName": "Virtual Machines ESv3 Series"}),  # another family than the size's
        ("unknown_kind", {"productName": "Virtual Machines DSv3 Batch Series"}),
        ("promo", {"productName": "Virtual Machines DSv3 Promo Series", "meterName": "D2s v3", "skuName": "D2s v3"}),
        ("expired", {"productName": "Virtual Machines DSv3 Promo Series", "meterName": "D2s v3 - Expired"}),
        ("unknown_kind", {"meterName": "D2s v3 Spot Plus"}),
        ("low_priority", {"meterName": "D2s v3 Low Priority"} | {"skuName": "D2s v3 Low Priority"}),
        ("expired", {"meterName": "D2s v3 Spot Expired", "skuName": "D2s v3 Spot Expired"}),
        ("degenerate", {"effectiveEndDate": "2026-05-31T23:59:59Z"}),
        ("no_longer_valid", {"effectiveEndDate": "2026-11-23T09:59:59Z"}),
        ("not_yet_valid", {"effectiveStartDate": "2026-11-23T10:00:01Z"}),
        ("unreadable", {"effectiveStartDate": "x" * 41}),
        ("unreadable", {"effectiveEndDate": "never"}),
        ("unreadable", {"meterId": ""}),
        ("unreadable", {"location": ""}),
        ("unreadable", {"retailPrice": float("nan")}),
        ("unreadable", {"retailPrice": 10**400}),
        ("unreadable", {"retailPrice": 9.9e-7}),
        ("unreadable", {"retailPrice": 100_000.1}),
        ("zero_price", {"retailPrice": -0.1}),
        ("zero_price", {"retailPrice": 0}),
    ],
)  # fmt: skip
def test_a_row_that_breaks_a_rule_is_counted_under_it(reason: str, changes: dict[str, Any]) -> None:
    assert rejected(**changes) == {reason: 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"serviceName": " virtual MACHINES "},
        {"currencyCode": " usd "},
        {"unitOfMeasure": "1 HOUR"},
        {"unitOfMeasure": "1hour"},
        {"tierMinimumUnits": "0.0"},
        {"tierMinimumUnits": 0},
        {"effectiveEndDate": "2026-11-23T10:00:00Z"},  # ends now
        {"effectiveStartDate": "2026-11-23T10:00:00Z"},  # begins now
        {"effectiveStartDate": "2026-11-23T10:00:00Z", "effectiveEndDate": "2026-11-23T10:00:00Z"},
        {"effectiveEndDate": ""},
        {"effectiveEndDate": None},
        {"retailPrice": 1e-6},
        {"retailPrice": 100_000.0},
        {"retailPrice": "0.02"},
        {"armSkuName": " Standard_D2s_v3 "},
    ],
)
def test_a_row_at_the_edge_of_a_rule_is_a_price(changes: dict[str, Any]) -> None:
    found = chosen(spot(**changes))
    assert (set(found.spot), dict(found.rejected), found.respelt_regions) == ({SIZE}, {}, 0)
    assert found.spot[SIZE].usd_per_hour == float(changes.get("retailPrice", 0.018816))
    assert found.spot[SIZE].instance_type == "Standard_D2s_v3"


def test_a_size_that_is_itself_a_promotion_has_a_price() -> None:
    names = {"productName": "Virtual Machines Dv2 Promo Series", "meterName": "D11 v2 Spot", "skuName": "D11 v2 Spot"}
    assert set(chosen(spot(armSkuName="Standard_D11_v2_Promo", **names)).spot) == {"standard_d11_v2_promo"}
    assert rejected(armSkuName="Standard_D11_v2", **names) == {"promo": 1}


def test_every_reason_has_its_name_in_the_counts() -> None:
    assert " ".join(REJECTED_KINDS) == (
        "unreadable reservation devtest other_service other_currency other_unit higher_tier other_region "
        "not_collected_region cloud_services dedicated_host windows promo no_size low_priority expired unknown_kind "
        "degenerate not_yet_valid no_longer_valid zero_price duplicate losing_candidate"
    )


def test_a_region_in_another_spelling_is_taken_and_counted() -> None:
    rows = [spot(armRegionName="East US"), ondemand(armRegionName="EastUS")]
    found = chosen(*rows)
    assert (set(found.spot), set(found.ondemand), found.respelt_regions) == ({SIZE}, {SIZE}, 2)
    elsewhere = choose_prices([spot(armRegionName="usgovvirginia")], region="usgovvirginia", now_at=NOW_AT)
    assert dict(elsewhere.rejected) == {"not_collected_region": 1}


def test_the_price_says_where_it_is_from() -> None:
    assert chosen(spot()).spot == {
        SIZE: Price(
            usd_per_hour=0.018816, meter_id="898b8731-56dd-5181-bb31-90ac59267863",
            effective_start_at="2026-06-01T00:00:00Z", instance_type="Standard_D2s_v3", region_name="US East",
        )
    }  # fmt: skip


@pytest.mark.parametrize(
    ("other", "wins"),
    [
        ({"productName": "Virtual Machines DSv3 Series Linux", "effectiveStartDate": "2026-11-01T00:00:00Z"}, False),
        ({"effectiveStartDate": "2026-06-01T00:00:01Z", "meterId": "0"}, True),
        ({"effectiveStartDate": "2026-05-31T23:59:59Z", "meterId": "z"}, False),
        ({"meterId": "z", "retailPrice": 0.001}, True),
        ({"meterId": "0", "retailPrice": 9.0}, False),
        ({"retailPrice": 9.0}, True),
        ({"retailPrice": 0.001}, False),
    ],
    ids=["plainer product", "later", "earlier", "higher meter", "lower meter", "dearer", "cheaper"],
)
def test_plainness_then_start_then_meter_then_price_decide(other: dict[str, Any], wins: bool) -> None:
    one, two = spot(location="one"), spot(location="two", **other)
    for rows in ((one, two), (two, one)):
        found = chosen(*rows)
        assert found.spot[SIZE].region_name == ("two" if wins else "one")
        assert found.rejected == {"losing_candidate": 1}


@pytest.mark.parametrize(
    ("others", "disagreements"),
    [
        ([{"meterId": "z", "retailPrice": 1.002}], 1),
        ([{"meterId": "z", "retailPrice": 1.001}], 0),  # a thousandth of the winner's price
        ([{"meterId": "z", "retailPrice": 0.5}], 1),
        ([{"meterId": "z", "retailPrice": 1000.0}, {"meterId": "y", "retailPrice": 1001.0}], 1),  # exactly: the first
        ([{"retailPrice": 2.0}], 1),  # the same meter says two prices from the same day on
        ([{"retailPrice": 2.0, "effectiveStartDate": "2026-07-01T00:00:00Z"}], 0),  # an older tier
        ([{"meterId": "y", "retailPrice": 2.0}, {"meterId": "z", "retailPrice": 3.0}], 2),
    ],
)
def test_meters_that_disagree_are_counted_and_named(others: list[dict[str, Any]], disagreements: int) -> None:
    found = chosen(spot(retailPrice=1.0), *(spot(**one) for one in others))
    assert (found.disagreements, found.disagreeing) == (
        disagreements, {"spot Standard_D2s_v3"} if disagreements else set()
    )  # fmt: skip
    assert found.rejected == {"losing_candidate": len(others)}
    beside = chosen(ondemand(), ondemand(meterId="z", retailPrice=9.0))
    assert beside.disagreeing == {"ondemand Standard_D2s_v3"}


@pytest.mark.parametrize(
    "name",
    ["meterId", "armSkuName", "skuName", "productName", "effectiveStartDate", "effectiveEndDate", "retailPrice"],
)
def test_a_row_that_differs_in_one_telling_field_is_no_repetition(name: str) -> None:
    other = {
        "meterId": "z", "armSkuName": "standard_d2s_v3", "skuName": "D2s v3", "retailPrice": 0.5,
        "productName": "DSv3 Series", "effectiveStartDate": "2026-06-02T00:00:00Z",
        "effectiveEndDate": "2027-01-01T00:00:00Z",
    }[name]  # fmt: skip
    assert chosen(spot(), spot(**{name: other})).rejected == {"losing_candidate": 1}
    assert chosen(spot(), spot(armRegionName="East US")).rejected == {"losing_candidate": 1}
    assert chosen(spot(), spot(productId="another")).rejected == {"duplicate": 1}


def test_rows_without_a_price_leave_the_size_and_windows_only_where_they_are_wanted() -> None:
    windows = [
        of_size("Standard_E8s_v5", productName="Virtual Machines Esv5 Series Windows", retailPrice=0.7),
        of_size("Standard_E4s_v5", productName="Virtual Machines Esv5 Series Windows", type="Reservation"),
    ]
    found = chosen(spot(retailPrice=0.0), *windows)
    assert (found.unpriced, found.windows, found.spot) == ({SIZE}, [], {})
    kept = chosen(*windows, spot(), keep_windows=True)
    assert kept.windows == windows[:1]
    assert windows_spot(kept, region=REGION, now_at=NOW_AT) == {"Standard_E8s_v5": 0.7}
    assert windows_spot(kept, region="westus", now_at=NOW_AT) == {}
    assert windows_spot(kept, region=REGION, now_at=datetime(2026, 5, 1, tzinfo=UTC)) == {}


def test_unknown_kinds_leave_a_sample_each() -> None:
    found = chosen(spot(meterName="D2s v3 Spot Plus", skuName="D2s v3 Spot Plus"), spot(type="Savings"), spot())
    assert [one["kind"] for one in found.unknown_samples] == sorted(found.unknown)
    plus = found.unknown["plus spot"]
    assert plus == {
        "productName": "Virtual Machines DSv3 Series", "skuName": "D2s v3 Spot Plus", "meterName": "D2s v3 Spot Plus",
        "armSkuName": "Standard_D2s_v3", "type": "Consumption", "retailPrice": 0.018816, "kind": "plus spot",
    }  # fmt: skip
    assert set(found.unknown) == {"plus spot", "Savings spot"}


def test_a_narrow_answer_adds_what_is_missing_alone() -> None:
    mine = chosen(spot(), ondemand())
    narrow = chosen(
        spot(retailPrice=9.0),
        spot(retailPrice=9.5, meterId="z"),
        of_size("Standard_E8s_v5"),
        of_size("Standard_E8s_v5", meterName="E8s v5", skuName="E8s v5", retailPrice=1.0, meterId="m"),
        of_size("Standard_E4s_v5", retailPrice=0.0),
        spot(type="Savings"),
        spot(type="Reservation"),
    )
    assert mine.add_missing(narrow) == 1  # one size, of both kinds
    assert (set(mine.spot), set(mine.ondemand)) == ({SIZE, "standard_e8s_v5"}, {SIZE, "standard_e8s_v5"})
    assert mine.spot[SIZE].usd_per_hour == 0.018816
    assert (mine.ondemand["standard_e8s_v5"].usd_per_hour, mine.unpriced) == (1.0, {"standard_e4s_v5"})
    assert mine.rejected == {
        "duplicate": 1, "losing_candidate": 1, "zero_price": 1, "unknown_kind": 1, "reservation": 1
    }  # fmt: skip
    assert (mine.disagreements, mine.disagreeing) == (1, {"spot Standard_D2s_v3"})
    assert set(mine.unknown) == {"Savings spot"}


def doubted(size: str) -> list[dict[str, Any]]:
    """Two meters of a size that say two prices each, and a row without a price."""
    return [of_size(size, meterId=meter, retailPrice=price) for meter, price in (("a", 1.0), ("b", 2.0), ("c", 0.0))]


def test_what_is_counted_is_counted_over_all_sizes() -> None:
    found = chosen(*doubted("Standard_E8s_v5"), *doubted("Standard_E4s_v5"))
    assert found.rejected == {"losing_candidate": 2, "zero_price": 2}
    assert (found.disagreements, len(found.disagreeing), len(found.unpriced)) == (2, 2, 2)


def test_a_narrow_answer_adds_to_every_count() -> None:
    mine, narrow = chosen(*doubted("Standard_E8s_v5")), chosen(*doubted("Standard_E4s_v5"), ondemand())
    assert mine.add_missing(narrow) == 2  # one has a spot price, the other an on-demand price
    assert (mine.disagreements, mine.unpriced) == (2, {"standard_e8s_v5", "standard_e4s_v5"})
    assert mine.disagreeing == {"spot Standard_E8s_v5", "spot Standard_E4s_v5"}
    assert mine.rejected == {"losing_candidate": 2, "zero_price": 2}


def test_words_of_the_size_itself_say_nothing_of_the_meter() -> None:
    assert set(chosen(of_size("Standard_D2_flex")).spot) == {"standard_d2_flex"}
