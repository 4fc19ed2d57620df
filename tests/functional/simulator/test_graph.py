"""Resource Graph: the grammar that the spot tables need, paging, scope, the quota's headers."""

from __future__ import annotations

from typing import Any

import pytest

from spotlake.azure.resource_graph import eviction_query
from tests.functional.simulator.conftest import NOW_AT, Caller

ALL = (
    "spotresources | where type =~ 'microsoft.compute/skuspotevictionrate/location' "
    "| project skuName=tostring(sku.name), location, evictionRate=tostring(properties.evictionRate) "
)
ORDERED = ALL + "| order by skuName asc, location asc"


def rows_of(caller: Caller, query: str, **more: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = caller.graph(query, **more).json()["data"]
    return rows


def test_pages_go_on_by_token_to_the_last_row(caller: Caller) -> None:
    world = caller.azure.world()
    query = eviction_query("eastus")
    first = caller.graph(query, options={"$top": 1000}).json()
    assert (first["count"], len(first["data"]), first["resultTruncated"], first["facets"]) == (1000, 1000, "false", [])
    second = caller.graph(query, options={"$skipToken": first["$skipToken"]}).json()
    assert "$skipToken" not in second
    assert first["totalRecords"] == second["totalRecords"] == 1000 + second["count"]
    rates = {row["skuName"]: row["evictionRate"] for row in (*first["data"], *second["data"])}
    assert list(rates) == sorted(rates)
    true = {size.lower(): world.eviction_band("eastus", size, NOW_AT) for size in world.spot_sizes("eastus")}
    assert rates == {size: band for size, band in true.items() if band}


def test_options_hold_to_their_limits(caller: Caller) -> None:
    assert len(rows_of(caller, ORDERED, options={"$top": 7})) == 7
    assert (
        rows_of(caller, ORDERED, options={"$top": 2, "$skip": 3}) == rows_of(caller, ORDERED, options={"$top": 5})[3:]
    )
    for options in ({"$top": 0}, {"$top": 1001}, {"$skip": -1}, {"$skipToken": "x"}, {"resultFormat": "csv"}):
        assert caller.graph(ORDERED, options=options).status_code == 400
    assert caller.graph(ORDERED, options={"$skipToken": ""}).status_code == 200  # as production sends it


def test_a_table_instead_of_objects(caller: Caller) -> None:
    (row,) = rows_of(caller, ORDERED, options={"$top": 1})
    table = caller.graph(ORDERED, options={"$top": 1, "resultFormat": "table"}).json()["data"]
    assert [one["name"] for one in table["columns"]] == ["skuName", "location", "evictionRate"]
    assert table["rows"] == [list(row.values())]


def test_without_a_text_column_there_is_one_page_only(caller: Caller) -> None:
    dynamic = caller.graph(ALL.split("| project", maxsplit=1)[0] + "| project sku.name, properties.evictionRate").json()
    assert (dynamic["count"], dynamic["resultTruncated"], "$skipToken" in dynamic) == (1000, "true", False)
    assert dynamic["totalRecords"] > 50_000


def test_after_a_limit_there_is_no_token(caller: Caller) -> None:
    answer = caller.graph(ORDERED + " | limit 3", options={"$top": 2}).json()
    assert (answer["totalRecords"], answer["count"], "$skipToken" in answer) == (3, 2, False)


def test_without_an_order_pages_repeat_some_rows_and_lose_others(caller: Caller) -> None:
    query = eviction_query("eastus").removesuffix(" | order by skuName asc, location asc")
    first = caller.graph(query).json()
    second = caller.graph(query, options={"$skipToken": first["$skipToken"]}).json()
    read = [row["skuName"] for row in (*first["data"], *second["data"])]
    assert len(read) == first["totalRecords"] > len(set(read))


def test_without_an_order_rows_come_neither_by_region_nor_by_size(caller: Caller) -> None:
    rows = rows_of(caller, ALL)
    assert len({row["location"] for row in rows}) > 40
    of_one = [row["skuName"] for row in rows_of(caller, eviction_query("eastus").partition(" | order")[0])]
    assert of_one != sorted(of_one)


def test_facets_count_the_values_of_columns_over_all_pages(caller: Caller) -> None:
    facets = [
        {"expression": "location", "options": {"$top": 3, "sortOrder": "desc"}},
        {"expression": "evictionRate", "options": {"sortBy": "evictionRate", "sortOrder": "asc"}},
        {"expression": "nothing"},
        {"expression": "location", "options": {"filter": "location == 'eastus'"}},
    ]
    body = caller.graph(ORDERED, options={"$top": 2}, facets=facets).json()
    by_location, by_band, unknown, filtered = body["facets"]
    assert (by_location["resultType"], by_location["count"]) == ("FacetResult", 3)
    assert by_location["totalRecords"] == len(caller.azure.world().ondemand)
    counts = [one["count"] for one in by_location["data"]]
    assert counts == sorted(counts, reverse=True)
    assert [one["evictionRate"] for one in by_band["data"]] == ["", "0-5", "10-15", "15-20", "20+", "5-10"]
    assert sum(one["count"] for one in by_band["data"]) == body["totalRecords"]
    assert {unknown["resultType"], filtered["resultType"]} == {"FacetError"}
    assert len(body["data"]) == 2


def test_a_scoped_question_finds_nothing(caller: Caller) -> None:
    for answer in (
        caller.graph(ORDERED, subscriptions=[caller.subscription]),
        caller.graph(ORDERED, managementGroups=["all"]),
    ):
        assert (answer.status_code, answer.json()["totalRecords"], answer.json()["data"]) == (200, 0, [])


def test_operators(caller: Caller) -> None:
    def locations(where: str) -> set[str]:
        query = f"spotresources | where {where} | project location, rate=tostring(properties.evictionRate)"
        rows = rows_of(caller, query + " | order by location desc", options={"$top": 1000})
        return {row["location"] for row in rows}

    caller.azure.options(graph_queries=1000)
    size = "sku.name == 'standard_d2s_v3'"
    everywhere = locations(size)
    assert len(everywhere) > 40
    assert locations(f"{size} and location == 'eastus'") == {"eastus"}
    assert locations(f"{size} and location == 'EastUS'") == set()
    assert locations(f"{size} and location =~ 'EastUS'") == {"eastus"}
    assert locations(f"{size} and location in ('eastus', 'westus2')") == {"eastus", "westus2"}
    assert locations(f"{size} and location in~ ('EASTUS')") == {"eastus"}
    assert locations(f"{size} and location != 'eastus'") == everywhere - {"eastus"}
    assert locations("sku.name == 'Standard_D2s_v3'") == set()  # the table is in lower case
    assert locations(f"{size} and properties.evictionRate == '0-5'") < everywhere


def test_some_pairs_have_an_empty_band_which_the_query_leaves_out(caller: Caller) -> None:
    bands = {row["evictionRate"] for row in rows_of(caller, eviction_query("eastus"))}
    assert bands == {"0-5", "5-10", "10-15", "15-20", "20+"}
    query = (
        "spotresources | where location == 'eastus' and properties.evictionRate == '' "
        "| project skuName=tostring(sku.name)"
    )
    assert len(rows_of(caller, query)) > 5


@pytest.mark.parametrize(
    ("query", "token"),
    [
        ("", "<EOF>"),
        ("spotresources | where", "where"),
        ("spotresources | join x", "join"),
        ("securityresources | project location", "securityresources"),
        ("spotresources | where location ~ 'x' | project location", "~"),
        ("spotresources | where location has 'x' | project location", "has"),
        ("spotresources | where location == | project location", "|"),
        ("spotresources | project location | order by nothing", "nothing"),
        ("spotresources | project location | limit many", "many"),
    ],
    ids=["empty", "half", "verb", "table", "sign", "operator", "no_value", "column", "number"],
)  # fmt: skip
def test_what_it_does_not_know_is_refused_with_the_place(caller: Caller, query: str, token: str) -> None:
    refused = caller.graph(query)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (400, "BadRequest")
    assert error["message"].startswith("Please provide below info when asking for support: timestamp = 2026-11-23T10:0")
    invalid, failure = error["details"]
    assert (invalid["code"], failure["code"], failure["token"], failure["line"]) == (
        "InvalidQuery",
        "ParserFailure",
        token,
        1,
    )
    assert query[failure["characterPositionInLine"] :].startswith("" if token == "<EOF>" else token)


def test_other_bodies_are_refused(caller: Caller) -> None:
    path = "/providers/Microsoft.ResourceGraph/resources"
    bodies: list[Any] = [{}, {"query": 1}, [], {"query": ORDERED, "options": ["$top"]}]
    for body in bodies:
        assert caller.arm("POST", path, version="2024-04-01", json=body).status_code == 400


def test_fifteen_queries_in_the_window_and_each_reply_says_what_is_left(caller: Caller) -> None:
    caller.azure.options(graph_window_seconds=600.0)  # so that no test hangs on how fast it is
    query = ORDERED + " | limit 1"
    replies = [caller.graph(query) for _ in range(16)]
    assert [reply.status_code for reply in replies] == [200] * 15 + [429]
    left = [reply.headers["x-ms-user-quota-remaining"] for reply in replies]
    assert left == [str(number) for number in (*range(14, -1, -1), 0)]
    assert all(reply.headers["x-ms-user-quota-resets-after"].startswith("00:") for reply in replies)
    refused = replies[-1]
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    assert refused.headers["x-ms-ratelimit-remaining-tenant-resource-requests"] == "0"
    error = refused.json()["error"]
    assert (error["code"], error["details"][0]["code"]) == ("RateLimiting", "RateLimiting")
    assert caller.azure.stats()["refused"] == {"graph RateLimiting": 1}


def test_for_days_it_may_answer_200_and_nothing(caller: Caller) -> None:
    caller.azure.fault(api="graph", empty=True)
    answer = caller.graph(eviction_query("eastus"))
    assert answer.status_code == 200
    assert answer.json() == {"totalRecords": 0, "count": 0, "data": [], "facets": [], "resultTruncated": "false"}


REAL_QUERIES = {
    # An older collector's way to the properties.
    "parse_json": (
        "spotresources | where type =~ 'microsoft.compute/skuspotevictionrate/location' "
        "| extend props = parse_json(properties) | where location =~ 'eastus' "
        "| project location, props.skuName, props.evictionRate"
    ),
    # Learn's sample for spot prices.
    "learn": (
        "SpotResources\n| where type =~ 'microsoft.compute/skuspotpricehistory/ostype/location'\n"
        "| where sku.name in~ ('Standard_D2s_v3','standard_d4s_v3')\n| where properties.osType =~ 'linux'\n"
        "| where location in~ ('EastUS', 'southcentralus') // two of them\n"
        "| project skuName = tostring(sku.name), osType = tostring(properties.osType), location, "
        "latestSpotPriceUSD = todouble(properties.spotPrices[0].priceUSD)\n| order by latestSpotPriceUSD asc"
    ),
    "summarize": (
        "spotresources | where type =~ 'microsoft.compute/skuspotevictionrate/location' and (location == 'eastus' or "
        "location startswith 'westus') | summarize rows=count() by location | order by location asc"
    ),
    "no project": "spotresources | where type has_rate and location == 'eastus' | limit 5".replace(
        "has_rate", "=~ 'microsoft.compute/skuspotevictionrate/location'"
    ),
    "distinct": "spotresources | where location == 'eastus' | distinct tostring(properties.evictionRate)",
    "top": "spotresources | where location == 'eastus' and isnotnull(properties.spotPrices) | top 3 by name",
    "resources": "resources | where type =~ 'microsoft.compute/virtualmachines' | count",
}


def test_queries_of_others(caller: Caller) -> None:
    world = caller.azure.world()
    found = {name: caller.graph(query).json() for name, query in REAL_QUERIES.items()}
    first = found["parse_json"]["data"][0]
    assert set(first) == {"location", "props_skuName", "props_evictionRate"}
    assert found["parse_json"]["totalRecords"] > 1_000
    prices = {(row["skuName"], row["location"]): row["latestSpotPriceUSD"] for row in found["learn"]["data"]}
    assert prices[("standard_d2s_v3", "eastus")] == world.spot_price("eastus", "Standard_D2s_v3", NOW_AT)
    assert list(prices.values()) == sorted(prices.values())
    assert len(prices) == 4
    counts = {row["location"]: row["rows"] for row in found["summarize"]["data"]}
    assert list(counts) == ["eastus", "westus", "westus2", "westus3"]
    row = found["no project"]["data"][0]
    assert row["properties"]["skuName"] == row["sku"]["name"]
    assert row["id"].endswith("/eastus")
    assert {row["properties_evictionRate"] for row in found["distinct"]["data"]} >= {"0-5", "20+"}
    assert len(found["top"]["data"]) == 3
    assert found["resources"]["data"] == [{"Count": 0}]
