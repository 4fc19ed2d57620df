from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

import pytest
import requests

from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import (
    AzureError,
    AzureThrottledError,
    AzureUnavailableError,
    DeadlineError,
    UntrustedAnswerError,
)
from spotlake.models import Dataset, Mode, Run, WorkItem, run_id_of
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.shards import open_shard
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.prices import PriceDeps, collect_prices
from tests.support.scripted import Scripted, answered, made, scripted_session
from tests.support.shards import parsed_rows
from tests.unit.usecases.rows import REGION, of_size, ondemand, page, spot

SLOT_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RUN = Run(
    run_id="20261123T1000Z",
    mode=Mode.INCREMENTAL,
    desired_counts=(1,),
    started_at=SLOT_AT,
    owner="execution-1",
    attempt=1,
)
KEY = keys.shard(Dataset.PRICE, SLOT_AT, REGION, RUN.attempt)
ITEM = WorkItem(region=REGION, instance_types=("Standard_D2s_v3",), ondemand=False)
LINK = "https://prices.azure.com:443/api/retail/prices?$filter=x&currencyCode=%27USD%27&$skip="
SIZES = [f"Standard_D{number}s_v5" for number in range(8)]


class Collector:
    """One region's collector in front of a script."""

    def __init__(self, *answers: Scripted, seconds_left: float = 600.0) -> None:
        self.session, self.script = scripted_session(*answers)
        self.objects = MemoryObjects()
        self.waited: list[float] = []
        self.seconds_left = seconds_left

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.seconds_left -= seconds

    def collect(self, item: WorkItem = ITEM, run: Run = RUN, **changes: Any) -> CollectorReport:
        deps = PriceDeps(
            objects=self.objects,
            session=self.session,
            clock=ManualClock(SLOT_AT),
            sleep=self.sleep,
            monotonic=lambda: 0.0,
            **{
                "deadline": Deadline(lambda: self.seconds_left),
                "settings": Settings(azure_source="simulated"),
                **changes,
            },
        )
        return collect_prices(run, item, deps)

    def rows(self) -> list[dict[str, Any]]:
        body = self.objects.objects[KEY]
        return parsed_rows(
            open_shard(body, key=KEY, dataset=Dataset.PRICE, run_id=RUN.run_id, region=REGION, attempt=RUN.attempt)
        )


def test_a_shard_holds_price_meter_and_start_of_each_size() -> None:
    collector = Collector(answered(page(spot(), ondemand(), spot(productName="Virtual Machines DSv3 Series Windows"))))
    report = collector.collect(replace(ITEM, ondemand=True))
    assert collector.rows() == [
        {
            "run_id": RUN.run_id,
            "source": "simulated",
            "observed_at": "2026-11-23T10:00:00Z",
            "region": REGION,
            "region_name": "US East",
            "instance_type": "Standard_D2s_v3",
            "spot_price_usd_per_hour": 0.018816,
            "spot_meter_id": "898b8731-56dd-5181-bb31-90ac59267863",
            "spot_effective_start_at": "2026-06-01T00:00:00Z",
            "ondemand_price_usd_per_hour": 0.096,
            "ondemand_meter_id": "2f64b5de-56dd-5181-bb31-90ac59267863",
            "ondemand_effective_start_at": "2026-06-01T00:00:00Z",
        }
    ]
    assert (report.status, report.rows) == ("complete", 1)
    assert (report.counts["rejected_windows"], report.counts["invalid_rows"]) == (1, 0)


def test_a_row_that_cannot_be_read_is_told_of_and_costs_its_size_only() -> None:
    collector = Collector(answered(page(spot(), of_size("Standard_D4s_v3", retailPrice="cheap"))))
    report = collector.collect()
    assert (report.rows, report.counts["invalid_rows"], report.counts["rejected_unreadable"]) == (1, 1, 1)


ODD = {"no": False, "yes": True, "list": ["a"], "mapping": {"a": 1}, "number": 7, "null": None, "escape": "a\x1b[2J"}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_row_that_is_told_of_costs_no_other_row(odd: object) -> None:
    collector = Collector(answered(page(spot(), of_size("Standard_D4s_v3", productName=odd))))
    report = collector.collect()
    assert (report.rows, len(report.found.unknown_kinds)) == (1, 1)
    assert [row["instance_type"] for row in collector.rows()] == ["Standard_D2s_v3"]  # the merge reads it
    assert str(report.found.unknown_kinds[0]["productName"]).isprintable()


def test_a_run_without_ondemand_says_nothing_about_it() -> None:
    collector = Collector(answered(page(spot())))
    collector.collect()
    assert {value for name, value in collector.rows()[0].items() if name.startswith("ondemand")} == {None}
    assert "contains(meterName,'Spot')" in unquote_plus(str(collector.script.sent[0][0].url)).replace("+", " ")


def test_nobody_signs_in_for_prices() -> None:
    collector = Collector(answered(page(spot())))
    collector.collect()
    assert [request.url.partition("?")[0] for request, _ in collector.script.sent if request.url] == [
        "https://prices.azure.com/api/retail/prices"
    ]
    assert "Authorization" not in collector.script.sent[0][0].headers
    assert "tokens" not in PriceDeps.__dataclass_fields__


def test_pages_follow_the_link_and_a_boundary_row_counts_once() -> None:
    first, second, third = of_size("Standard_D4s_v3"), spot(), of_size("Standard_E4s_v3")
    collector = Collector(answered(page(first, second, link=LINK + "1000")), answered(page(second, third)))
    report = collector.collect()
    assert [row["instance_type"] for row in collector.rows()] == [
        "Standard_D2s_v3",
        "Standard_D4s_v3",
        "Standard_E4s_v3",
    ]
    assert report.counts["rejected_duplicate"] == 1
    assert (report.counts["pages"], report.counts["requests"]) == (2, 2)
    assert "skip=1000" in str(collector.script.sent[1][0].url)


def test_a_full_last_page_without_a_link_is_not_taken_for_the_end() -> None:
    listed = [of_size(f"Standard_D{number}_v3") for number in range(1500)]
    collector = Collector(answered(page(*listed[:1000])), answered(page(*listed[1000:])))
    assert collector.collect().rows == 1500
    assert "skip=1000" in str(collector.script.sent[1][0].url)
    whole = Collector(answered(page(*listed[:1000])), answered(page()))
    assert whole.collect().rows == 1000


UNTRUSTED: dict[str, list[Scripted]] = {
    "not_json": [made(200, b"<html><body>Service Unavailable</body></html>")],
    "truncated": [made(200, b'{"BillingCurrency":"USD","Items":[{"retailPrice":0.0188')],
    "a_list": [made(200, b"[]")],
    "no_items": [answered({"Count": 0})],
    "empty": [answered(page())],
    "no_spot_at_all": [answered(page(ondemand()))],
    "empty_page_in_the_middle": [answered(page(spot(), link=LINK + "1000")), answered(page(link=LINK + "2000"))],
    "second_page_not_json": [answered(page(spot(), link=LINK + "1000")), made(200, b"<html>")],
    "link_to_itself": [answered(page(of_size(size), link=LINK + "1000")) for size in SIZES],
    "repeated_page": [
        answered(page(spot(), of_size("Standard_D4s_v3"), link=LINK + "1000")),
        answered(page(spot(), of_size("Standard_D4s_v3"), link=LINK + "2000")),
        answered(page(of_size("Standard_E4s_v3"))),
    ],
    "repeated_page_at_the_end": [answered(page(spot(), link=LINK + "1000")), answered(page(spot()))],
    "empty_page_at_the_end": [answered(page(spot(), link=LINK + "1000")), answered(page())],
    "items_that_are_no_rows": [answered(page(spot()) | {"Items": ["a row"]})],
    "link_to_elsewhere": [answered(page(spot(), link="https://example.com/api/retail/prices?$skip=1000"))],
    "links_without_end": [
        answered(page(of_size(f"Standard_D{number}s_v5"), link=f"{LINK}{number}")) for number in range(1, 70)
    ],
}


# Where several checks would stop the reading, the first is to.
SAID = {
    "empty_page_in_the_middle": "page 2 is empty",
    "link_to_itself": "circles after 2 pages",
    "repeated_page": "page 2 repeats",
    "link_to_elsewhere": "another place",
    "links_without_end": "circles after 61 pages",
}


@pytest.mark.parametrize("name", UNTRUSTED)
def test_a_list_that_cannot_be_read_to_the_end_is_no_price_list(name: str) -> None:
    collector = Collector(*UNTRUSTED[name])
    with pytest.raises(UntrustedAnswerError, match=SAID.get(name, "retail prices")):
        collector.collect()
    assert not [key for key in collector.objects.objects if key.startswith("rawdata/")]


def test_a_region_that_never_had_a_spot_price_may_have_none() -> None:
    collector = Collector(answered(page(ondemand())))
    assert collector.collect(replace(ITEM, instance_types=())).rows == 1
    with pytest.raises(UntrustedAnswerError, match="no spot prices, the catalogue has"):
        Collector(answered(page(ondemand()))).collect()


def test_a_region_that_was_never_listed_and_lists_nothing_sells_nothing() -> None:
    collector = Collector(answered(page()))
    report = collector.collect(replace(ITEM, instance_types=(), ondemand=True))
    assert (report.status, report.rows, collector.rows()) == ("complete", 0, [])
    with pytest.raises(UntrustedAnswerError):
        Collector(answered(page())).collect(ITEM)


def test_far_fewer_prices_than_sizes_are_not_believed() -> None:
    listed = [of_size(size) for size in SIZES[:4]]
    item = replace(ITEM, instance_types=tuple(SIZES))
    assert Collector(answered(page(*listed))).collect(item).rows == 4
    collector = Collector(answered(page(*listed[:3])))
    with pytest.raises(UntrustedAnswerError, match=r"3 spot prices, the catalogue has 8 sizes"):
        collector.collect(item)
    assert not [key for key in collector.objects.objects if key.startswith("rawdata/")]


@pytest.mark.parametrize("sold", [3, 0], ids=["smaller", "closed"])
def test_a_region_that_shrinks_for_good_is_believed_after_three_looks_over_six_hours(sold: int) -> None:
    objects, item = MemoryObjects(), replace(ITEM, instance_types=tuple(SIZES))
    outcomes: list[tuple[str, int, int]] = []
    for hours in (0, 3, 6, 7):
        collector = Collector(answered(page(*(of_size(size) for size in SIZES[:sold]))))
        collector.objects = objects
        run_id = run_id_of(RUN.slot_at + timedelta(hours=hours))
        try:
            report = collector.collect(item, replace(RUN, run_id=run_id))
            outcomes.append((report.status, report.rows, report.counts["believed_falls"]))
        except UntrustedAnswerError:
            outcomes.append(("refused", 0, 0))
    assert outcomes == [("refused", 0, 0)] * 2 + [("complete", sold, 1)] * 2


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"Retry_After": "7"}, [7.0]),
        ({"x_ms_ratelimit_retailPrices_retry_after": "60"}, [60.0]),
        ({}, [60.0]),
    ],
    ids=["retry_after", "own_header", "no_header"],
)
def test_a_429_is_waited_for_as_long_as_it_says_or_a_minute(headers: dict[str, str], waits: list[float]) -> None:
    collector = Collector(made(429, b"", **headers), answered(page(spot())))
    report = collector.collect()
    assert (report.rows, report.counts["throttles"], report.counts["retries"]) == (1, 1, 1)
    assert collector.waited == waits


@pytest.mark.parametrize(("told", "seconds"), [("17", 17.0), ("soon", 60.0)])
def test_a_budget_that_is_used_up_is_waited_for_before_the_next_page(told: str, seconds: float) -> None:
    headers = {
        "x_ms_ratelimit_remaining_retailPrices_requests": "0",
        "x_ms_ratelimit_retailPrices_retry_after": told,
    }
    collector = Collector(
        answered(page(spot(), link=LINK + "1000"), **headers), answered(page(of_size("Standard_E4s_v3")), **headers)
    )
    report = collector.collect()
    assert collector.waited == [seconds]  # not after the last page
    assert report.counts["throttles"] == 0


def test_a_budget_that_is_used_up_for_longer_than_there_is_time_ends_the_region() -> None:
    headers = {"x_ms_ratelimit_remaining_retailPrices_requests": "0"}
    collector = Collector(answered(page(spot(), link=LINK + "1000"), **headers), seconds_left=30.0)
    with pytest.raises(DeadlineError):
        collector.collect()
    assert not [key for key in collector.objects.objects if key.startswith("rawdata/")]


def test_a_500_then_an_answer_is_an_answer() -> None:
    collector = Collector(made(500, b"oops"), requests.ConnectionError("gone"), answered(page(spot())))
    assert collector.collect().counts["retries"] == 2
    assert len(collector.rows()) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [(made(503), AzureUnavailableError), (made(429, b""), AzureThrottledError), (made(404, b""), AzureError)],
    ids=["503", "429", "404"],
)
def test_a_page_that_never_comes_fails_the_region_and_leaves_its_prices(
    answer: Scripted, error: type[Exception]
) -> None:
    collector = Collector(answered(page(spot(), link=LINK + "1000")), answer, seconds_left=400.0)
    with pytest.raises(error):
        collector.collect()
    assert not [key for key in collector.objects.objects if key.startswith("rawdata/")]


def test_sizes_keep_the_casing_of_the_catalogue_whatever_the_list_says() -> None:
    collector = Collector(answered(page(spot(armSkuName="STANDARD_D2S_V3"), of_size("Standard_N9ew_v9"))))
    collector.collect()
    assert [row["instance_type"] for row in collector.rows()] == ["Standard_D2s_v3", "Standard_N9ew_v9"]


def test_a_filtered_run_keeps_its_sizes_only() -> None:
    collector = Collector(answered(page(spot(), of_size("Standard_E4s_v3"))))
    collector.collect(replace(ITEM, filtered=True))
    assert [row["instance_type"] for row in collector.rows()] == ["Standard_D2s_v3"]
