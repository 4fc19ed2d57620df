"""The retail prices API: filter grammar, paging, versions, refusals, the budget of an address."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests

from spotlake_local.azure.odata import parse_filter
from tests.functional.simulator.conftest import NOW_AT, Caller

REGION = "southindia"
VMS = f"serviceName eq 'Virtual Machines' and armRegionName eq '{REGION}'"
SPOT = f"{VMS} and priceType eq 'Consumption' and contains(meterName,'Spot')"
ONE = f"{VMS} and armSkuName eq 'Standard_D2s_v3'"
BAD = {"Error": {"Code": "BadRequest", "Message": "Invalid OData parameters supplied"}}
FIELDS = {
    "currencyCode", "tierMinimumUnits", "retailPrice", "unitPrice", "armRegionName", "location", "effectiveStartDate",
    "meterId", "meterName", "productId", "skuId", "productName", "skuName", "serviceName", "serviceId", "serviceFamily",
    "unitOfMeasure", "type", "isPrimaryMeterRegion", "armSkuName",
}  # fmt: skip


def items(response: requests.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["Items"]
    return found


def pages(caller: Caller, text: str, **params: str) -> list[dict[str, Any]]:
    """Every page, by its link."""
    found = [caller.prices(text, **params).json()]
    while link := found[-1]["NextPageLink"]:
        found.append(caller.session.get(link, timeout=30).json())
    return found


def test_pages_of_a_thousand_follow_each_other_by_link(caller: Caller) -> None:
    found = pages(caller, SPOT)
    assert [page["Count"] for page in found] == [len(page["Items"]) for page in found]
    assert all(page["Count"] == 1000 for page in found[:-1])
    assert len(found) > 1
    assert found[-1]["NextPageLink"] is None
    assert {name: found[0][name] for name in ("BillingCurrency", "CustomerEntityId", "CustomerEntityType")} == {
        "BillingCurrency": "USD",
        "CustomerEntityId": "Default",
        "CustomerEntityType": "Retail",
    }
    # Each page begins with the row that ended the one before: rows repeat at the boundary, none is lost.
    for one, after in pairwise(found):
        assert after["Items"][0] == one["Items"][-1]
    rows = [item for page in found for item in page["Items"]]
    assert {item["armRegionName"] for item in rows} == {REGION}
    linux = {item["armSkuName"].strip() for item in rows if not item["productName"].endswith((" Windows", " Win"))}
    world = caller.azure.world()
    assert linux == {size for size in world.spot_sizes(REGION) if world.spot_price(REGION, size, NOW_AT)}


def test_a_link_has_a_port_an_encoded_filter_and_what_was_asked(caller: Caller) -> None:
    version = "2021-10-01-preview"
    link = caller.prices(SPOT, currencyCode="'USD'", **{"api-version": version}).json()["NextPageLink"]
    parts = urlsplit(link)
    assert parts.port is not None
    assert " " not in link
    assert unquote(parts.query) == f"$filter={SPOT}&api-version={version}&currencyCode='USD'&$skip=1000"


def test_past_the_end_is_an_empty_page(caller: Caller) -> None:
    body = caller.prices(SPOT, **{"$skip": "9000"}).json()
    assert (body["Items"], body["Count"], body["NextPageLink"]) == ([], 0, None)


def test_top_ends_the_list_early(caller: Caller) -> None:
    whole = [row for page in pages(caller, SPOT) for row in page["Items"]]
    few = caller.prices(SPOT, **{"$top": "7"}).json()
    assert (few["Items"], few["Count"], few["NextPageLink"]) == (whole[:7], 7, None)
    more = caller.prices(SPOT, **{"$top": "1005"}).json()
    assert len(more["Items"]) == 1000
    assert more["NextPageLink"].endswith("&$skip=1000&$top=5")
    for wrong in ("0", "-1", "many"):
        assert caller.prices(SPOT, **{"$top": wrong}).status_code == 400


def test_skip_gives_the_page_that_the_link_gives(caller: Caller) -> None:
    assert caller.prices(SPOT, **{"$skip": "1000"}).json()["Items"] == pages(caller, SPOT)[1]["Items"]


def test_all_rows_of_a_size_and_their_fields(caller: Caller) -> None:
    rows = items(caller.prices(ONE))
    assert all(FIELDS <= set(row) <= FIELDS | {"effectiveEndDate", "reservationTerm"} for row in rows)
    assert all(row["retailPrice"] == row["unitPrice"] for row in rows)
    world = caller.azure.world()
    (plain,) = _plain(rows)
    assert plain["retailPrice"] == world.ondemand[REGION]["Standard_D2s_v3"]
    assert plain["location"] == world.regions[REGION].location
    assert not plain["isPrimaryMeterRegion"]  # so that meterRegion='primary' hides it


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Linux on-demand rows."""
    suffixes = (" Spot", " Low Priority", " Expired")
    return [
        row
        for row in rows
        if row["type"] == "Consumption"
        and row["productName"].endswith("Series")
        and not row["meterName"].endswith(suffixes)
    ]


def test_primary_meters_alone_hide_linux_on_demand(caller: Caller) -> None:
    rows = items(caller.prices(ONE, meterRegion="'primary'"))
    assert rows
    assert not _plain(rows)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (f"{ONE} and priceType eq 'Consumption'", True),
        (f"{ONE} and type eq 'Consumption'", True),
        (f"{ONE} and priceType eq 'SavingsPlan'", False),
        (f"{ONE} and currencyCode eq 'USD'", True),
        (f"{ONE} and currencyCode eq 'EUR'", False),
        (f"{ONE} and contains(productName, 'Windows')", True),
        (f"{VMS} and (armSkuName eq 'Standard_D2s_v3' or armSkuName eq 'Standard_D4s_v3')", True),
        (f"({ONE})", True),
        (f"{VMS} and armSkuName eq 'it''s'", False),
        (f"{VMS} and armSkuName eq 'standard_d2S_V3'", True),
    ],
    ids=["price_type", "type", "savings_plan", "usd", "eur", "contains", "or", "parentheses", "quote", "casing"],
)
def test_what_the_grammar_takes(caller: Caller, text: str, rows: bool) -> None:
    assert bool(items(caller.prices(text))) is rows


def test_an_or_is_no_and(caller: Caller) -> None:
    text = f"{VMS} and (armSkuName eq 'Standard_D2s_v3' or armSkuName eq 'Standard_D4s_v3')"
    assert {row["armSkuName"] for row in items(caller.prices(text))} == {"Standard_D2s_v3", "Standard_D4s_v3"}


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("armRegionName eq 'a'", "a"),
        ("armRegionName eq 'a' and (armSkuName eq 'x' or armSkuName eq 'y')", "a"),
        ("(armRegionName eq 'a' or armRegionName eq 'b') and armRegionName eq 'a'", "a"),
        ("armRegionName eq 'a' or armSkuName eq 'x'", None),
        ("armSkuName eq 'x' or armSkuName eq 'y' and armRegionName eq 'a'", None),
        ("armSkuName eq 'x'", None),
    ],
    ids=["alone", "and_either", "twice", "either", "either_last", "none"],
)
def test_only_a_region_that_every_row_is_in_narrows_the_search(text: str, region: str | None) -> None:
    assert parse_filter(text, case_sensitive=False).region == region


def comparisons(number: int) -> str:
    sizes = " or ".join(f"armSkuName eq 's{one}'" for one in range(number - 1))
    return f"armRegionName eq '{REGION}' and ({sizes})"


@pytest.mark.parametrize(
    "text",
    [
        comparisons(21),
        f"{VMS} and armSkuName in ('a','b')",
        f"{VMS} and not contains(productName,'Windows')",
        f"{VMS} and not(contains(productName,'Windows'))",
        f"{VMS} and indexof(productName,'Windows') eq 1",
        f"{VMS} and productName ne 'x'",
        f"{VMS} and retailPrice eq 1",
        f"{VMS} and priceType eq 'Spot'",
        f"{VMS} and priceType eq 'OnDemand'",
        f"{VMS} and (armSkuName eq 'x'",
        f"{VMS} and",
        f"{VMS} and armSkuName eq x",
    ],
    ids=["21_comparisons", "in", "not", "not_parenthesised", "indexof", "ne", "price", "type_spot", "type_ondemand",
         "parenthesis", "half", "unquoted"],
)  # fmt: skip
def test_what_the_grammar_refuses(caller: Caller, text: str) -> None:
    refused = caller.prices(text)
    assert (refused.status_code, refused.json()) == (400, BAD)


def test_twenty_comparisons_are_taken(caller: Caller) -> None:
    assert caller.prices(comparisons(20)).status_code == 200


def test_other_refusals(caller: Caller) -> None:
    def message(**params: str) -> tuple[int, str]:
        refused = caller.prices(ONE, **params)
        return refused.status_code, refused.json()["Error"]["Message"]

    assert message(**{"api-version": "2023-01-01"}) == (400, "Unsupported API version")
    assert message(**{"$skip": "-1"}) == (400, "Invalid OData parameters supplied")
    lambdas = caller.prices(f"{VMS} and savingsPlan/any(s: s/term eq '1 Year')")
    assert (lambdas.status_code, lambdas.json()["Error"]["Message"]) == (400, "Invalid parameters supplied")
    long = caller.prices(f"{VMS} and armSkuName eq '{'x' * 2000}'")
    assert (long.status_code, long.text) == (404, "")


def test_the_preview_minds_casing_and_has_savings_plans(caller: Caller) -> None:
    preview = {"api-version": "2023-01-01-preview"}
    assert items(caller.prices(f"{VMS} and armSkuName eq 'standard_d2s_v3'", **preview)) == []
    rows = [
        row for row in items(caller.prices(f"{VMS} and priceType eq 'Consumption'", **preview)) if "savingsPlan" in row
    ]
    assert rows
    assert {one["term"] for row in rows for one in row["savingsPlan"]} == {"1 Year", "3 Years"}
    assert not any("savingsPlan" in row for row in items(caller.prices(VMS)))


def test_rows_of_regions_that_are_not_collected(caller: Caller) -> None:
    for region in ("usgovvirginia", "usgovarizona", "attatlanta1", "sgxsingapore1"):
        rows = items(caller.prices(f"serviceName eq 'Virtual Machines' and armRegionName eq '{region}'"))
        assert {row["armRegionName"] for row in rows} == {region}
    licences = items(caller.prices("armRegionName eq ''"))
    assert {(row["serviceName"], row["location"], row["armSkuName"]) for row in licences} == {
        ("Virtual Machines Licenses", "", "")
    }


def test_without_a_filter_everything_comes(caller: Caller) -> None:
    """And in the order of a meter key that no column shows, region by region."""
    rows = items(caller.prices())
    assert len(rows) == 1000
    assert {row["type"] for row in rows} == {"Consumption", "DevTestConsumption", "Reservation"}
    assert Counter(row["armRegionName"] for row in rows).total() == 1000


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("retry_after", [True, False])
def test_the_budget_of_an_address(caller: Caller, headers: bool, retry_after: bool) -> None:
    caller.azure.options(
        retail_requests=3, retail_window_seconds=600, retail_headers=headers, retail_retry_after=retry_after
    )
    replies = [caller.prices(ONE) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    left = [reply.headers.get("x-ms-ratelimit-remaining-retailPrices-requests") for reply in replies]
    assert left == (["2", "1", "0", "0"] if headers else [None] * 4)
    refused = replies[-1]
    assert refused.content == b""
    assert refused.headers.get("x-ms-ratelimit-retailPrices-retry-after") == ("600" if headers else None)
    assert refused.headers.get("Retry-After") == ("600" if retry_after else None)


def test_nobody_signs_in(caller: Caller) -> None:
    caller.prices(ONE)
    assert caller.azure.stats()["answers"] == {"retail 200": 1}


@pytest.mark.parametrize("currency", ["EUR", "'KRW'", "eur"])
def test_other_currencies(caller: Caller, currency: str) -> None:
    filtered = "armRegionName eq 'koreacentral' and armSkuName eq 'Standard_D2s_v3' and priceType eq 'Consumption'"
    dollars = caller.prices(filtered).json()
    others = caller.prices(filtered, currencyCode=currency).json()
    money = currency.strip("'").upper()
    assert (dollars["BillingCurrency"], others["BillingCurrency"]) == ("USD", money)
    assert {row["currencyCode"] for row in others["Items"]} == {money}
    rate = {"EUR": 0.9, "KRW": 1400.0}[money]
    pairs = zip(dollars["Items"], others["Items"], strict=True)
    assert all(other["retailPrice"] == pytest.approx(row["retailPrice"] * rate, abs=1e-6) for row, other in pairs)
    assert caller.prices(filtered, currencyCode="'XYZ'").status_code == 400


def test_every_answer_tells_what_is_left_of_the_budget(caller: Caller) -> None:
    answer = caller.prices("armRegionName eq 'koreacentral'")
    assert int(answer.headers["x-ms-ratelimit-remaining-retailPrices-requests"]) > 0
