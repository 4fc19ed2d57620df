from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake import keys
from spotlake.azure.resource_graph import eviction_query
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import (
    AzureRefusedError,
    AzureThrottledError,
    DeadlineError,
    UntrustedAnswerError,
)
from spotlake.models import Dataset, Mode, Run, WorkItem
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.shards import open_shard
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.eviction_rates import EvictionDeps, collect_eviction_rates
from tests.support.scripted import Scripted, answered, made, scripted_session
from tests.support.shards import parsed_rows

SLOT_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
REGION = "koreacentral"
RUN = Run(
    run_id="20261123T1000Z",
    mode=Mode.INCREMENTAL,
    desired_counts=(1,),
    started_at=SLOT_AT,
    owner="execution-1",
    attempt=1,
)
KEY = keys.shard(Dataset.EVICTION, SLOT_AT, REGION, RUN.attempt)
ITEM = WorkItem(region=REGION, instance_types=("Standard_D2s_v3", "Standard_D4s_v3"))


class SignedIn:
    """Tokens t0, t1, ...: a new one after each that was refused."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer t{len(self.refused)}"}

    def renew(self, refused: Mapping[str, str]) -> None:
        self.refused.append(refused["Authorization"])


class NoQueue:
    """Turns that are always free, and noted."""

    def __init__(self, wait: float = 0.0) -> None:
        self.wait, self.taken = wait, 0

    def take(self, now: float) -> float:
        assert now > 0
        self.taken += 1
        return self.wait


class Collector:
    """One region's collector in front of a script."""

    def __init__(self, *answers: Scripted, seconds_left: float = 300.0, turn: float = 0.0) -> None:
        self.session, self.script = scripted_session(*answers)
        self.objects, self.turns, self.tokens = MemoryObjects(), NoQueue(turn), SignedIn()
        self.waited: list[float] = []
        self.seconds_left = seconds_left

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.waited.append(seconds)
        self.seconds_left -= seconds

    def collect(self, item: WorkItem = ITEM) -> CollectorReport:
        deps = EvictionDeps(
            objects=self.objects,
            session=self.session,
            tokens=self.tokens,
            turns=self.turns,
            clock=ManualClock(SLOT_AT),
            deadline=Deadline(lambda: self.seconds_left),
            settings=Settings(azure_source="simulated"),
            sleep=self.sleep,
            monotonic=lambda: -self.seconds_left,
            epoch=lambda: 1.7e9,
            jitter=lambda: 1.0,
        )
        return collect_eviction_rates(RUN, item, deps)

    def rows(self) -> list[dict[str, Any]]:
        body = self.objects.objects[KEY]
        return parsed_rows(
            open_shard(body, key=KEY, dataset=Dataset.EVICTION, run_id=RUN.run_id, region=REGION, attempt=RUN.attempt)
        )


def rate(size: str = "standard_d2s_v3", band: str = "0-5") -> dict[str, str]:
    return {"skuName": size, "location": REGION, "evictionRate": band}


def page(
    *rows: Mapping[str, Any], total: int | None = None, token: str = "", truncated: str = "false"
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "totalRecords": len(rows) if total is None else total,
        "count": len(rows),
        "data": list(rows),
        "facets": [],
        "resultTruncated": truncated,
    }
    return body | ({"$skipToken": token} if token else {})


@pytest.mark.parametrize(
    ("band", "frequency"), [("0-5", 3.0), ("5-10", 2.5), ("10-15", 2.0), ("15-20", 1.5), ("20+", 1.0)]
)
def test_a_band_becomes_an_interruption_frequency(band: str, frequency: float) -> None:
    collector = Collector(answered(page(rate(band=band))))
    assert collector.collect().rows == 1
    assert collector.rows() == [
        {
            "run_id": RUN.run_id,
            "source": "simulated",
            "observed_at": "2026-11-23T10:00:00Z",
            "region": REGION,
            "instance_type": "Standard_D2s_v3",  # in the catalogue's casing
            "eviction_band": band,
            "interruption_frequency": frequency,
        }
    ]


def test_an_unknown_band_is_unknown_and_counted() -> None:
    collector = Collector(answered(page(rate(band="25-30"), rate("standard_d4s_v3"))))
    report = collector.collect()
    assert report.counts["unknown_bands"] == 1
    assert [(row["eviction_band"], row["interruption_frequency"]) for row in collector.rows()] == [
        ("25-30", None),
        ("0-5", 3.0),
    ]


def test_rows_without_a_size_or_band_or_of_elsewhere_are_counted_and_left_out() -> None:
    elsewhere = rate() | {"location": "eastus"}
    nothing: dict[str, Any] = {"skuName": None, "location": REGION, "evictionRate": None}
    good = [rate(f"standard_d{number}s_v3") for number in range(12)]
    collector = Collector(
        answered(page(*good, rate(size=""), rate("standard_d64s_v3", " "), elsewhere, nothing)),
    )
    report = collector.collect()
    assert (report.rows, report.counts["invalid_rows"], report.counts["listed_rows"]) == (12, 4, 16)


def test_a_size_that_the_catalogue_does_not_know_is_kept_as_served_and_counted() -> None:
    collector = Collector(answered(page(rate("standard_new_v9"))))
    assert collector.collect().counts["unknown_sizes"] == 1
    assert collector.rows()[0]["instance_type"] == "standard_new_v9"


def test_the_query_is_the_documented_one_and_names_no_subscription() -> None:
    collector = Collector(answered(page(rate(), token="t", total=2)), answered(page(rate("standard_d4s_v3"), total=2)))
    collector.collect()
    first, second = (json.loads(request.body or b"") for request, _ in collector.script.sent)
    assert first == {
        "query": eviction_query(REGION),
        "options": {"resultFormat": "objectArray", "$top": 1000},
    }
    assert second["options"]["$skipToken"] == "t"
    columns = eviction_query(REGION).split("project ")[1].split(" | ")[0]
    assert columns == "skuName=tostring(sku.name), location, evictionRate=tostring(properties.evictionRate)"
    with pytest.raises(ValueError, match="is not an ARM code"):
        eviction_query("eastus' or '1'=='1")


UNTRUSTED: dict[str, list[Scripted]] = {
    "no_row_at_all": [answered(page())],
    "truncated_result": [answered(page(rate(), truncated="true"))],
    "fewer_rows_than_said": [answered(page(rate(), total=2))],
    "empty_page_in_the_middle": [
        answered(page(rate(), total=3, token="a")),
        answered(page(total=3, token="b")),
        answered(page(rate(), rate(), total=3)),
    ],
    "tokens_in_circles": [answered(page(rate(), total=99, token="a"))],
    "tokens_without_end": [answered(page(rate(), total=9999, token=f"t{number}")) for number in range(40)],
    "repeated_page": [answered(page(rate(), total=2, token="a")), answered(page(rate(), total=2))],
    "rows_that_are_none": [answered(page() | {"totalRecords": 1, "data": ["a row"]})],
    "no_data": [answered({"totalRecords": 1})],
    "html": [made(200, b"<html>")],
    "cut_off": [made(200, b'{"totalRecords": 1, "data": [{"skuName"')],
}


@pytest.mark.parametrize("name", UNTRUSTED)
def test_what_cannot_be_read_to_the_end_is_no_answer(name: str) -> None:
    collector = Collector(*UNTRUSTED[name])
    with pytest.raises(UntrustedAnswerError):
        collector.collect()
    assert not [key for key in collector.objects.objects if key.startswith("rawdata/")]


@pytest.mark.parametrize(("before", "believed"), [(2, True), (3, False)])
def test_a_fall_of_more_than_the_setting_is_not_believed(before: int, believed: bool) -> None:
    collector = Collector(answered(page(rate(), rate("standard_d4s_v3"))))
    item = replace(ITEM, last_good_rows={"spot_if": before})
    if believed:
        assert collector.collect(item).rows == 2
        return
    with pytest.raises(UntrustedAnswerError, match="2 rows, the last good run had 3"):
        collector.collect(item)
    assert not [key for key in collector.objects.objects if key.startswith("rawdata/")]


@pytest.mark.parametrize(("prices", "believed"), [({}, False), ({"spot_price": 1}, False), ({"spot_price": 0}, True)])
def test_no_rate_at_all_is_believed_once_the_region_sells_nothing(prices: dict[str, int], believed: bool) -> None:
    collector = Collector(answered(page()))
    item = replace(ITEM, last_good_rows={"spot_if": 3, **prices})
    if believed:
        report = collector.collect(item)
        assert (report.status, report.rows, report.counts["believed_falls"]) == ("complete", 0, 1)
        return
    with pytest.raises(UntrustedAnswerError, match="no eviction rate at all"):
        collector.collect(item)


def test_each_query_waits_for_its_turn() -> None:
    collector = Collector(
        answered(page(rate(), token="t", total=2)), answered(page(rate("standard_d4s_v3"), total=2)), turn=1.5
    )
    collector.collect()
    assert (collector.turns.taken, collector.waited) == (2, [1.5, 1.5])


def test_a_turn_that_comes_too_late_ends_the_region() -> None:
    collector = Collector(answered(page(rate())), turn=60.0, seconds_left=30.0)
    with pytest.raises(DeadlineError):
        collector.collect()
    assert collector.script.sent == []


def test_a_quota_that_something_else_has_used_up_is_waited_for() -> None:
    headers = {"x_ms_user_quota_remaining": "0", "x_ms_user_quota_resets_after": "00:00:05"}
    collector = Collector(
        answered(page(rate(), token="t", total=2), **headers), answered(page(rate("standard_d4s_v3"), total=2))
    )
    report = collector.collect()
    assert collector.waited == [6.0]
    assert report.counts["throttles"] == 0


def test_a_429_is_waited_for_as_long_as_it_says_and_given_up_when_there_is_no_time() -> None:
    collector = Collector(made(429, b"{}", Retry_After="2"), answered(page(rate())))
    assert collector.collect().counts["throttles"] == 1
    assert collector.waited == [2.0]
    busy = Collector(made(429, b"{}", Retry_After="20"), seconds_left=50.0)
    with pytest.raises(AzureThrottledError):
        busy.collect()


EXPIRED = made(401, b'{"error":{"code":"ExpiredAuthenticationToken","message":"The access token expiry ..."}}')


@pytest.mark.parametrize(("refusals", "is_whole"), [(39, True), (40, False)])
def test_a_429_is_waited_for_as_often_as_a_whole_run_of_others_may_cost(refusals: int, is_whole: bool) -> None:
    collector = Collector(*[made(429, b"{}", Retry_After="1")] * refusals, answered(page(rate())), seconds_left=250.0)
    if is_whole:
        assert collector.collect().counts["throttles"] == refusals
        return
    with pytest.raises(AzureThrottledError):
        collector.collect()


def test_a_token_that_is_refused_is_renewed_once() -> None:
    collector = Collector(EXPIRED, answered(page(rate())))
    assert collector.collect().rows == 1
    assert [request.headers["Authorization"] for request, _ in collector.script.sent] == ["Bearer t0", "Bearer t1"]
    assert collector.turns.taken == 2
    refused = Collector(EXPIRED)
    with pytest.raises(AzureRefusedError, match="ExpiredAuthenticationToken"):
        refused.collect()
    assert len(refused.script.sent) == 2


def test_a_missing_role_is_not_asked_again() -> None:
    collector = Collector(made(403, b'{"error":{"code":"AuthorizationFailed","message":"no"}}'))
    with pytest.raises(AzureRefusedError):
        collector.collect()
    assert (len(collector.script.sent), collector.tokens.refused) == (1, [])


def test_a_failure_of_the_gateway_is_sent_again() -> None:
    collector = Collector(made(502, b"BadGatewayConnection"), made(500), answered(page(rate())))
    assert collector.collect().counts["retries"] == 2
