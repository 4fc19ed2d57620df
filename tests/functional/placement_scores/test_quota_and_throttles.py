"""Refusals for quota, throttles and failures: what rests, what is tried elsewhere, what is never hammered."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
import requests

from spotlake.reports import LocationAnswers
from spotlake.scores.quota import QuotaRules
from spotlake.stores.ledger import MemoryLedger
from tests.functional.placement_scores.double import (
    QUOTA_TEXT,
    Bench,
    Seen,
    answer,
    arm_error,
    item,
)
from tests.functional.placement_scores.faults import Made, at, once


def test_an_unsupported_routing_location_is_left_for_another() -> None:
    text = "No registered resource provider found for location 'koreacentral' and API version '2025-06-05'"
    bench = Bench(threads=1)
    bench.azure.fault = at("koreacentral", lambda: arm_error(400, "NoRegisteredProviderFound", text))
    report, rows = bench.collect(item(3))
    assert report.status == "complete"
    assert sum(seen.location == "koreacentral" for seen in bench.azure.seen) == 1
    assert report.found.locations["koreacentral"].failed == 1
    assert {row["location"] for row in rows} <= {"eastus", "westus"}


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "3600"}])
@pytest.mark.parametrize(
    "text", [QUOTA_TEXT, "You have reached the maximum number of requests allowed."], ids=["3600", "no number"]
)
def test_a_refused_pair_rests_and_another_subscription_is_used(text: str, headers: dict[str, str]) -> None:
    bench = Bench(threads=1)
    bench.azure.fault = lambda seen: answer(429, text, headers=headers) if seen.subscription == "sub-a" else None
    report, _ = bench.collect(item(3))
    assert report.status == "complete"
    assert bench.sent() == {"sub-a@koreacentral": 1, "sub-b@koreacentral": 3}
    assert report.counts["throttles"] == 1
    assert bench.waited == []
    bench.clock.advance(minutes=61)
    bench.collect(item(1))
    assert bench.sent()["sub-a@koreacentral"] == 1  # still at rest
    bench.clock.advance(minutes=2)
    bench.azure.fault = None
    bench.collect(item(15))
    assert bench.sent()["sub-a@koreacentral"] > 1
    assert bench.azure.refused == 0


def test_when_every_subscription_is_refused_few_calls_are_wasted() -> None:
    bench = Bench(subscriptions=tuple(f"sub-{number}" for number in range(50)), threads=1)
    bench.azure.fault = lambda seen: answer(429, QUOTA_TEXT)
    report, _ = bench.collect(item(12))
    assert (report.status, report.error) == ("failed", "AzureThrottledError")
    assert report.counts["calls_sent"] == 3 * 5  # five at each of the three locations
    assert report.counts["unsent_no_quota"] == 12


def test_refusals_with_scores_in_between_do_not_shut_a_location() -> None:
    subscriptions = tuple(f"sub-{number:02}" for number in range(14))
    bench = Bench(subscriptions=subscriptions, threads=1)
    bench.azure.fault = lambda seen: answer(429, QUOTA_TEXT) if int(seen.subscription[-2:]) % 2 == 0 else None
    report, _ = bench.collect(item(60, fallback=()))
    assert report.status == "complete"
    assert report.counts["answers_quota_exhausted"] > 5


def test_a_call_is_tried_at_four_locations_and_each_call_at_others() -> None:
    places = tuple(f"place{number}" for number in range(8))
    bench = Bench(threads=1)
    bench.azure.fault = lambda seen: answer(200, {"placementScores": []})
    report, _ = bench.collect(item(1, fallback=places))
    assert len({seen.location for seen in bench.azure.seen}) == report.counts["calls_sent"] == 4
    bench = Bench(threads=1)
    bench.azure.fault = at("koreacentral", lambda: answer(200, {"placementScores": []}))
    report, rows = bench.collect(item(20, fallback=places))
    assert report.status == "complete"
    assert len({row["location"] for row in rows}) >= 5


def test_many_threads_refused_through_one_pair_do_not_shut_a_location() -> None:
    bench = Bench(threads=12)
    bench.azure.fault = lambda seen: answer(429, QUOTA_TEXT) if seen.subscription == "sub-a" else None
    report, _ = bench.collect(item(10, fallback=()))
    assert report.status == "complete"


def test_an_error_that_was_dealt_with_is_not_the_reason_of_another() -> None:
    bench = Bench(subscriptions=("sub-a",), threads=1)
    bench.azure.invalid_regions = {"korea"}
    report, _ = bench.collect(item(12, regions=("korea", "koreacentral"), fallback=()))
    assert (report.status, report.error) == ("partial", None)
    assert report.cause == "3 of 12 calls got no answer (3 no_quota); 6 pairs are without an answer"


def test_calls_refused_together_are_written_down_once() -> None:
    class Noting(MemoryLedger):
        rests = 0

        def rest(self, location: str, subscription: str, *, until_at: datetime, rules: QuotaRules) -> None:
            Noting.rests += 1
            super().rest(location, subscription, until_at=until_at, rules=rules)

    bench = Bench(subscriptions=("sub-a", "sub-b"), threads=4, ledger=Noting())
    gate = threading.Barrier(4)

    def fault(seen: Seen) -> requests.Response | None:
        return answer(429, QUOTA_TEXT) if seen.subscription == "sub-a" else None

    tokens = bench.tokens
    headers = tokens.headers
    waiting = iter(range(4))

    def together() -> dict[str, str]:
        if next(waiting, None) is not None:
            gate.wait(10)
        return headers()

    bench.azure.fault = fault
    tokens.headers = together  # type: ignore[method-assign]
    report, _ = bench.collect(item(4))
    assert report.status == "complete"
    assert report.counts["throttles"] == 4
    assert Noting.rests == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: answer(429, "Please try again after 4 seconds."),
        lambda: answer(429, "slow down", headers={"Retry-After": "4"}),
        lambda: arm_error(429, "SubscriptionRequestsThrottled", "exceeded. Please try again after '4' seconds."),
    ],
    ids=["text", "header", "json"],
)
def test_a_short_throttle_is_waited_for(make: Made) -> None:
    bench = Bench(threads=1)
    bench.azure.fault = once(make)
    report, _ = bench.collect(item(1))
    assert report.status == "complete"
    assert bench.waited == [4.0]
    assert report.counts["calls_sent"] == 2


def test_a_throttle_that_does_not_end_is_not_hammered() -> None:
    bench = Bench(subscriptions=("sub-a",), threads=1)
    bench.azure.fault = lambda seen: arm_error(429, "SubscriptionRequestsThrottled", "again after '4' seconds.")
    report, _ = bench.collect(item(2))
    assert report.status == "failed"
    assert report.counts["calls_sent"] <= 4 * 3 + 3
    assert len(bench.waited) <= 3 * 3 * 2


def test_a_json_429_that_asks_for_minutes_rests_as_long_as_it_says() -> None:
    text = "exceeded the limit of '50' for time interval '00:05:00'. Please try again after '372' seconds."
    bench = Bench(subscriptions=("sub-a",), threads=1)
    bench.azure.fault = once(lambda: arm_error(429, "ResourceRequestsThrottled", text))
    report, _ = bench.collect(item(1, fallback=()))
    assert (report.status, report.counts["unsent_no_quota"]) == ("failed", 1)
    bench.clock.advance(seconds=373)
    assert bench.collect(item(1, fallback=()))[0].status == "complete"


@pytest.mark.parametrize(
    "make",
    [
        lambda: arm_error(500, "InternalServerError", "Encountered unknown error while generating recommendations."),
        lambda: answer(502, "<html>BadGatewayConnection</html>"),
        lambda: answer(400, "BadGatewayConnection"),
        lambda: requests.ReadTimeout("slow"),
        lambda: requests.ConnectionError("lost"),
        lambda: requests.exceptions.ChunkedEncodingError("cut"),
    ],
    ids=["500", "502", "400 with 502 in it", "time-out", "connection", "body cut on the wire"],
)
def test_what_is_unavailable_is_tried_again_and_then_elsewhere(make: Made) -> None:
    bench = Bench(threads=1)
    bench.azure.fault = once(make)
    report, _ = bench.collect(item(1))
    assert (report.status, report.counts["retries"]) == ("complete", 1)
    bench = Bench(threads=1)
    bench.azure.fault = at("koreacentral", make)
    report, rows = bench.collect(item(10))
    assert report.status == "complete"
    assert len(rows) == 10 * 2 * 2 * 3
    assert sum(seen.location == "koreacentral" for seen in bench.azure.seen) <= 4 * 2  # then it is left alone
    assert report.found.locations["koreacentral"] == LocationAnswers(sent=4, failed=4, slow=0, median_seconds=None)
    assert len(bench.azure.seen) == report.counts["calls_sent"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: answer(200, "", raw=b'{"placementScores":[{"sku":"Standard_D2'),
        lambda: answer(200, {"desiredCount": 1}),
        lambda: answer(200, {"placementScores": None}),
        lambda: answer(200, {"placementScores": []}),
        lambda: answer(200, {"placementScores": [{"sku": "Standard_Z", "region": "mars", "score": "High"}]}),
        lambda: answer(200, "<html>sign in</html>"),
    ],
    ids=["cut", "no scores", "null", "empty", "of something else", "html"],
)
def test_a_200_that_cannot_be_used_costs_one_call_and_nothing_else(make: Made) -> None:
    bench = Bench(threads=1)
    bench.azure.fault = once(make)
    report, rows = bench.collect(item(3))
    assert report.status == "complete"
    assert report.counts["answers_unreadable"] == 1
    assert (report.counts["calls_sent"], len(rows)) == (4, 3 * 2 * 2 * 3)
