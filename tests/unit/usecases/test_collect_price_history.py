"""The second witness of prices is a side input: asked after the rates are stored, and nothing of it stops them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import requests

from spotlake import keys
from spotlake.azure.price_history import price_history_query
from spotlake.errors import StoreError
from spotlake.packing import unpack
from spotlake.state.price_histories import read_price_history, write_price_history
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.price_history import collect_price_history
from tests.support.scripted import Scripted, answered, made
from tests.unit.usecases.rows import ONDEMAND, SPOT
from tests.unit.usecases.rows import page as price_page
from tests.unit.usecases.test_collect_eviction_rates import (
    ITEM,
    KEY,
    REGION,
    RUN,
    SLOT_AT,
    Collector,
    page,
    rate,
)
from tests.unit.usecases.test_collect_prices import ITEM as PRICE_ITEM
from tests.unit.usecases.test_collect_prices import Collector as PriceCollector

ASKED = replace(ITEM, witness=True)
RATES = answered(page(rate(), rate("standard_d4s_v3")))
HISTORY_KEY = keys.price_history(SLOT_AT, REGION, RUN.attempt)


def past(size: str = "standard_d2s_v3") -> dict[str, str]:
    prices = json.dumps([{"priceUSD": 0.02, "effectiveDate": "2026-11-01T00:00:00Z"}])
    return {"skuName": size, "osType": "linux", "location": REGION, "spotPrices": prices}


def test_the_history_is_asked_after_the_rates_in_turns_of_its_own_and_stored_as_served() -> None:
    collector = Collector(
        RATES, answered(page(past(), token="next")), answered(page(past("standard_d4s_v3"))), turn=0.4
    )
    collector.collect(ASKED)
    queries = [json.loads(request.body or "")["query"] for request, _ in collector.script.sent]
    assert queries[1:] == [price_history_query(REGION)] * 2
    assert collector.turns.taken == 3
    rows = [past(), past("standard_d4s_v3")]
    assert read_price_history(collector.objects, SLOT_AT, REGION, RUN.attempt) == rows


@pytest.mark.parametrize(("total", "is_stored"), [(2, True), (1, True), (3, False)])
def test_a_history_that_lacks_rows_is_none_because_the_first_one_is_kept_for_ever(
    total: int, *, is_stored: bool
) -> None:
    collector = Collector(RATES, answered(page(past(), past("standard_d4s_v3"), total=total)))
    assert collector.collect(ASKED).status == "complete"
    assert (HISTORY_KEY in collector.objects.objects) == is_stored


@pytest.mark.parametrize(("turn", "is_stored"), [(43.9, True), (44.0, False)])
def test_it_gets_45_seconds_of_which_the_last_is_no_use(turn: float, *, is_stored: bool) -> None:
    collector = Collector(RATES, answered(page(past())), turn=turn)
    collector.collect(ASKED)
    assert (HISTORY_KEY in collector.objects.objects) == is_stored


@pytest.mark.parametrize(
    ("answer", "waited"),
    [
        (made(503), [1.0, 2.0]),  # three tries
        (made(429, retry_after="10"), [10.0, 10.0]),
        (made(429, retry_after="11"), []),
    ],
    ids=["503", "ten seconds", "eleven seconds"],
)
def test_it_is_tried_three_times_and_not_waited_for_long(answer: Scripted, waited: list[float]) -> None:
    collector = Collector(RATES, answer)
    collector.collect(ASKED)
    assert collector.waited == waited
    assert len(collector.script.sent) == 2 + len(waited)
    # An answer may take a minute, and one of the side input half a minute.
    assert [timeout for _, timeout in collector.script.sent[:2]] == [(5.0, 60.0), (5.0, 30.0)]


def test_it_is_asked_only_where_planned() -> None:
    collector = Collector(RATES)
    collector.collect(ITEM)
    assert (len(collector.script.sent), HISTORY_KEY in collector.objects.objects) == (1, False)


@pytest.mark.parametrize(
    "answer",
    [
        made(400),
        made(403),
        made(500),
        made(429, retry_after="3600"),
        made(200, b"<html>"),
        answered({"data": None}),
        answered(page(past(), truncated="true")),
        requests.ConnectionError("gone"),
        ValueError("a fault of ours"),
    ],
)
def test_whatever_goes_wrong_with_it_the_rates_are_whole(answer: Scripted) -> None:
    collector = Collector(RATES, answer)
    report = collector.collect(ASKED)
    assert (report.status, report.rows) == ("complete", 2)
    assert [*collector.objects.objects] == [KEY]


def test_it_gets_little_time_and_few_attempts() -> None:
    collector = Collector(RATES, made(503), seconds_left=10_000.0)
    collector.collect(ASKED)
    assert len(collector.script.sent) == 1 + 3
    slow = Collector(RATES, answered(page(past())), seconds_left=10_000.0, turn=95.0)
    slow.collect(ASKED)
    assert len(slow.script.sent) == 1  # its turn would come too late
    assert [*slow.objects.objects] == [KEY]


def test_a_history_that_is_stored_already_stays_and_a_damaged_one_is_refused() -> None:
    objects = MemoryObjects()
    assert read_price_history(objects, SLOT_AT, REGION, RUN.attempt) is None
    for rows in ([past()], [past("standard_e4s_v5")]):
        write_price_history(objects, RUN, REGION, rows, source="live", collected_at=SLOT_AT)
    assert read_price_history(objects, SLOT_AT, REGION, RUN.attempt) == [past()]
    for body in (b"", objects.objects[HISTORY_KEY][:-9]):
        objects.objects[HISTORY_KEY] = body
        with pytest.raises(StoreError, match="damaged"):
            read_price_history(objects, SLOT_AT, REGION, RUN.attempt)


WINDOWS = SPOT | {
    "productName": "Virtual Machines DSv3 Series Windows",
    "retailPrice": 0.03,
    "meterId": "windows",
}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, {"Standard_D2s_v3": 0.03}),
        ({"productName": "Virtual Machines DSv3-series Windows"}, {"Standard_D2s_v3": 0.03}),
        ({"productName": "DSv3 Srs Win"}, {"Standard_D2s_v3": 0.03}),
        ({"productName": "Virtual Machines DSv3 SeriesWindows"}, {"Standard_D2s_v3": 0.03}),
        ({"meterName": "D2s v3", "skuName": "D2s v3"}, {}),
        ({"meterName": "D2s v3 Low Priority", "skuName": "D2s v3 Low Priority"}, {}),
        ({"productName": "DSv3 Series CloudServices Windows"}, {}),
        ({"productName": "Virtual Machines DSv3 Series Windows Something"}, {}),
        ({"currencyCode": "EUR"}, {}),
        ({"type": "DevTestConsumption"}, {}),
    ],
)
def test_windows_spot_prices_are_taken_by_the_same_rules_where_the_witness_is_asked(
    changes: dict[str, Any], found: dict[str, float]
) -> None:
    listed = answered(price_page(SPOT, ONDEMAND, WINDOWS | changes))
    report = PriceCollector(listed).collect(replace(PRICE_ITEM, witness=True))
    assert report.found.windows_spot_usd_per_hour == found
    assert report.rows == 1
    assert PriceCollector(listed).collect(PRICE_ITEM).found.windows_spot_usd_per_hour == {}


def test_by_itself_it_says_whether_the_history_is_stored_and_of_what_source() -> None:
    class Pages:
        total = 1

        def rows(self, region: str) -> list[dict[str, str]]:
            if region != REGION:
                raise StoreError("no such region")
            return [past()]

    objects, pages = MemoryObjects(), Pages()
    told: dict[str, Any] = {"source": "simulated", "collected_at": SLOT_AT}
    assert collect_price_history(RUN, REGION, pages, objects, **told)  # type: ignore[arg-type]
    header = json.loads(unpack(objects.objects[HISTORY_KEY]).splitlines()[0])
    assert header == {
        "schema": 1, "run_id": RUN.run_id, "attempt": RUN.attempt, "region": REGION, "source": "simulated",
        "collected_at": f"{SLOT_AT:%Y-%m-%dT%H:%M:%SZ}", "rows": 1,
    }  # fmt: skip
    assert not collect_price_history(RUN, "nowhere", pages, objects, **told)  # type: ignore[arg-type]
    assert [*objects.objects] == [HISTORY_KEY]
