from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
import requests

from spotlake.errors import SignInError, SignInUnavailableError
from spotlake.models import Dataset, Mode
from spotlake.reports import CollectorReport, Findings, LocationAnswers
from spotlake.scores.quota import QuotaRules
from spotlake.state.lessons import learn_from, read_invalid_names
from spotlake.stores.ledger import MemoryLedger
from tests.functional.placement_scores.double import (
    QUOTA_TEXT,
    RUN,
    Bench,
    Seen,
    answer,
    arm_error,
    item,
    not_valid,
)

type Made = Callable[[], requests.Response | Exception]


def once(make: Made, *, times: int = 1) -> Callable[[Seen], requests.Response | Exception | None]:
    """The fault for the first requests, whoever sends them."""
    left = [times]

    def fault(seen: Seen) -> requests.Response | Exception | None:
        left[0] -= 1
        return make() if left[0] >= 0 else None

    return fault


def at(location: str, make: Made) -> Callable[[Seen], requests.Response | Exception | None]:
    return lambda seen: make() if seen.location == location else None


def test_all_is_well() -> None:
    bench = Bench()
    report, rows = bench.collect(item(3))
    assert (report.status, report.error, report.unsent_call_ids) == ("complete", None, ())
    assert report.rows == len(rows) == 3 * 2 * 2 * 3
    assert report.counts["calls_sent"] == report.counts["calls_answered"] == 3
    assert {row["zone"] for row in rows} == {"1", "2", "3"}
    assert rows[0] == {
        "run_id": "20261123T1000Z",
        "source": "live",
        "observed_at": "2026-11-23T10:00:00Z",
        "region": "eastus",
        "instance_type": "Standard_D2s_v5",
        "desired_count": 1,
        "zone": "1",
        "logical_zone": "1",
        "physical_zone": "b1",
        "score": 3,
        "score_text": "High",
        "is_quota_available": True,
        "location": "koreacentral",
        "subscription": rows[0]["subscription"],
        "call_id": "c0000",
        "placement_preference": None,
    }
    assert len(rows[0]["subscription"]) == 8
    assert bench.azure.seen[0].api_version == "api-version=2025-06-05"


def test_unknown_regions_are_taken_out_one_by_one_and_the_rest_is_asked() -> None:
    bench = Bench(threads=1)
    bench.azure.invalid_regions = {"korea", "asia"}
    report, rows = bench.collect(item(2, regions=("korea", "koreacentral", "asia")))
    assert report.status == "complete"
    assert report.found.invalid_regions == (
        "asia",
        "korea",
    )
    assert report.counts["calls_sent"] == 4  # two refusals, and the second call knows both names
    assert {row["region"] for row in rows} == {"koreacentral"}


@pytest.mark.parametrize("name", ["Standard_X", "Standard X v2 ", "Standard.X", "Standard_X(v2)"])
def test_unknown_sizes_are_taken_out_whatever_they_are_called(name: str) -> None:
    bench = Bench()
    bench.azure.invalid_sizes = {name}
    report, rows = bench.collect(item(1, sizes=("Standard_D2s_v5", name)))
    assert report.status == "complete"
    assert report.found.invalid_instance_types == (name,)
    assert {row["instance_type"] for row in rows} == {"Standard_D2s_v5"}
    assert report.counts["calls_sent"] == 2


def test_a_refusal_that_says_its_name_twice_counts_once() -> None:
    text = "The value 'korea' provided for the input parameter 'desiredLocations' is not valid."
    bench = Bench()
    bench.azure.fault = once(lambda: arm_error(400, "InvalidParameter", f"{text} {text}"))
    report, _ = bench.collect(item(1, regions=("korea", "koreacentral")))
    assert report.counts["answers_invalid_region"] == 1
    assert report.counts["calls_sent"] == 2


def test_a_refusal_with_escaped_quotes_is_read() -> None:
    body = (
        rb'{"error":{"code":"InvalidParameter","message":"The value \u0027korea\u0027 provided for the input '
        rb'parameter \u0027desiredLocations\u0027 is not valid."}}'
    )
    bench = Bench()
    bench.azure.fault = once(lambda: answer(400, "", raw=body))
    report, _ = bench.collect(item(1, regions=("korea", "koreacentral")))
    assert report.found.invalid_regions == ("korea",)


def test_a_call_of_nothing_but_invalid_names_is_answered_with_no_rows() -> None:
    bench = Bench()
    bench.azure.invalid_regions = {"korea"}
    report, rows = bench.collect(item(1, regions=("korea",)))
    assert (report.status, rows, report.counts["calls_sent"]) == ("complete", [], 1)


def test_a_name_that_was_never_sent_ends_the_call() -> None:
    bench = Bench()
    bench.azure.fault = lambda seen: not_valid("desiredLocations", "atlantis")
    report, _ = bench.collect(item(1))
    assert (report.status, report.unsent_call_ids, report.error) == ("failed", ("c0000",), "AzureRefusedError")
    assert (report.found.invalid_regions, report.found.invalid_instance_types) == ((), ())


def test_other_bad_input_is_not_repeated_for_ever() -> None:
    bench = Bench()
    bench.azure.quota_calls = 1000
    bench.azure.fault = lambda _: arm_error(400, "InvalidParameter", "desiredCount is out of range")
    report, _ = bench.collect(item(9), threads=1)
    assert report.counts["calls_for_parts"] == 24
    assert report.counts["calls_sent"] <= 9 + 24
    assert (report.status, report.counts["unsent_invalid_request"]) == ("failed", 9)
    assert "desiredCount is out of range" in (report.cause or "")


@pytest.mark.parametrize("refused", ["Standard_D2s_v5", "eastus"])
def test_a_name_refused_in_unknown_words_is_found_and_the_others_are_answered(refused: str) -> None:
    bench = Bench()
    regions, sizes = ("koreacentral", "eastus", "westus"), tuple(f"Standard_D{n}s_v5" for n in (2, 4, 8, 16, 32))

    def fault(seen: Seen) -> requests.Response | None:
        if refused in (*seen.regions, *seen.instance_types):
            return arm_error(400, "SomethingNew", "words that nobody knows")
        return None

    bench.azure.fault = fault
    report, rows = bench.collect(item(1, regions=regions, sizes=sizes), threads=1)
    answered = {(row["region"], row["instance_type"]) for row in rows if row["score"]}
    assert answered == {(region, size) for region in regions for size in sizes if refused not in (region, size)}
    assert (*report.found.invalid_regions, *report.found.invalid_instance_types) == (refused,)
    assert report.status == "complete"


def test_a_name_that_was_refused_once_is_healed_by_an_answer() -> None:
    bench = Bench()
    found = Findings(invalid_regions=("eastus",))
    refused = CollectorReport(dataset=Dataset.SPS, region="eastus", status="complete", rows=0, found=found)
    learn_from(bench.objects, RUN, [refused])
    full = replace(RUN, mode=Mode.FULL, run_id="20261123T1010Z")
    report, _ = bench.collect(item(1), full)
    assert report.found.answered_regions == ("eastus",)
    learn_from(bench.objects, full, [report])
    assert read_invalid_names(bench.objects).regions == {}


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


def test_nothing_answers() -> None:
    bench = Bench(threads=2)
    bench.azure.fault = lambda seen: requests.ConnectionError("lost")
    report, rows = bench.collect(item(5))
    assert (report.status, rows) == ("failed", [])
    assert report.unsent_call_ids == ("c0000", "c0001", "c0002", "c0003", "c0004")
    assert report.error == "AzureUnavailableError"
    assert "5 of 5 calls got no answer (5 unavailable)" in (report.cause or "")
    assert len(bench.azure.seen) == report.counts["calls_sent"] <= 5 * 3 * 2


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AuthorizationFailed"), (404, "SubscriptionNotFound"), (409, "MissingSubscriptionRegistration")],
)
def test_a_refused_subscription_is_left_out(status: int, code: str) -> None:
    bench = Bench(threads=1)
    bench.azure.fault = lambda seen: arm_error(status, code, "no") if seen.subscription == "sub-a" else None
    report, _ = bench.collect(item(3))
    assert report.status == "complete"
    assert bench.sent() == {"sub-a@koreacentral": 1, "sub-b@koreacentral": 3}
    assert list(report.found.refused_subscriptions.values()) == [code]


def test_no_subscription_is_left() -> None:
    bench = Bench(threads=1)
    bench.azure.fault = lambda seen: arm_error(403, "AuthorizationFailed", "no role")
    report, _ = bench.collect(item(5))
    assert (report.status, report.error, len(report.unsent_call_ids)) == ("failed", "AzureRefusedError", 5)
    assert "no role" in (report.cause or "")
    assert report.counts["unsent_stopped"] == 5
    assert len(bench.azure.seen) == 2


def test_a_token_that_expires_in_the_middle_is_renewed() -> None:
    bench = Bench(threads=3)

    def fault(seen: Seen) -> requests.Response | None:
        expired = seen.number >= 3 and seen.authorization == "Bearer token-1"
        return arm_error(401, "ExpiredAuthenticationToken", "The access token expiry ...") if expired else None

    bench.azure.fault = fault
    report, _ = bench.collect(item(8))
    assert report.status == "complete"
    assert bench.tokens.number == 2


def test_a_new_token_that_is_refused_too_ends_the_run() -> None:
    bench = Bench(threads=1)
    bench.azure.fault = lambda seen: arm_error(401, "InvalidAuthenticationToken", "The access token is invalid.")
    with pytest.raises(SignInError, match="just issued"):
        bench.collect(item(5))
    assert len(bench.azure.seen) == 2


def test_signing_in_fails_after_some_answers() -> None:
    bench = Bench(threads=1)
    bench.azure.fault = lambda seen: (
        arm_error(401, "InvalidAuthenticationToken", "invalid") if seen.number >= 2 else None
    )
    report, rows = bench.collect(item(5))
    assert (report.status, report.error, len(report.unsent_call_ids)) == ("partial", "SignInError", 3)
    assert len(rows) == 2 * 2 * 2 * 3


def test_a_sign_in_endpoint_that_is_away_ends_the_collector_and_blames_no_location() -> None:
    bench = Bench(threads=1)
    bench.tokens.error = SignInUnavailableError("sign-in", "the endpoint did not answer")
    with pytest.raises(SignInUnavailableError):
        bench.collect(item(5))
    assert bench.azure.seen == []


def test_slow_answers_are_seen() -> None:
    bench = Bench(threads=1)

    def fault(seen: Seen) -> None:
        bench.clock.advance(seconds=25)

    bench.azure.fault = fault
    report, _ = bench.collect(item(3))
    assert report.status == "complete"
    assert report.found.locations["koreacentral"] == LocationAnswers(sent=3, failed=0, slow=3, median_seconds=25.0)


def test_unknown_words_are_kept_and_counted() -> None:
    bench = Bench()
    bench.azure.words = {"b1": "Splendid", "b2": "DataNotFoundOrStale", "b3": "Low"}
    report, rows = bench.collect(item(1, regions=("eastus",), sizes=("Standard_D2s_v5",)))
    assert [(row["score"], row["score_text"]) for row in rows] == [
        (None, "Splendid"),
        (None, "DataNotFoundOrStale"),
        (1, "Low"),
    ]
    assert (report.counts["rows_unknown_word"], report.counts["rows_stale"], report.counts["rows_restricted"]) == (
        1,
        1,
        0,
    )


def test_rows_without_a_zone_are_regional() -> None:
    bench = Bench()
    bench.azure.regional = {"westus"}
    _, rows = bench.collect(item(1, regions=("westus",), sizes=("Standard_D2s_v5",)))
    assert [(row["zone"], row["logical_zone"], row["physical_zone"]) for row in rows] == [("Single", None, None)]


def test_odd_casing_and_blanks_in_an_answer_lose_no_row() -> None:
    bench = Bench()
    body = {"placementScores": [{"sku": "standard_d2s_V5 ", "region": "EastUS", "score": "Medium"}]}
    bench.azure.fault = once(lambda: answer(200, body))
    _, rows = bench.collect(item(1))
    assert [(row["region"], row["instance_type"], row["score"]) for row in rows] == [("eastus", "Standard_D2s_v5", 2)]


def test_another_version_is_asked_for_once_ours_is_no_longer_served() -> None:
    listed = "for location 'koreacentral'. The supported api-versions are '2026-05-05-preview, 2026-10-05-preview'."
    bench = Bench(threads=1)
    bench.azure.fault = lambda seen: (
        arm_error(400, "NoRegisteredProviderFound", f"No registered resource provider found {listed}")
        if seen.api_version == "api-version=2025-06-05"
        else None
    )
    report, rows = bench.collect(item(3))
    assert (report.status, len(rows)) == ("complete", 3 * 2 * 2 * 3)
    assert report.counts["answers_version_unsupported"] == 1
    assert [seen.api_version for seen in bench.azure.seen[1:]] == ["api-version=2026-10-05-preview"] * 3


def test_a_subscription_without_vcpus_is_left_for_this_call_only() -> None:
    bench = Bench(threads=1)
    text = "vCPU quota for standardDSv5Family has reached its limit"
    bench.azure.fault = once(lambda: arm_error(409, "Conflict", text))
    report, rows = bench.collect(item(4))
    assert (report.status, len(rows)) == ("complete", 4 * 2 * 2 * 3)
    first, second = bench.azure.seen[:2]
    assert first.subscription != second.subscription
    assert (first.regions, first.instance_types) == (second.regions, second.instance_types)
    assert report.found.refused_subscriptions == {}
    assert first.subscription in {seen.subscription for seen in bench.azure.seen[2:]}


def test_no_subscription_with_vcpus_ends_the_call_not_the_run() -> None:
    bench = Bench(threads=1)
    bench.azure.fault = once(lambda: arm_error(409, "Conflict", "vCPU quota reached"), times=2 * 3)
    report, _ = bench.collect(item(2))
    assert (report.status, report.counts["unsent_no_quota"]) == ("partial", 1)


@pytest.mark.parametrize("kept", [1, 2, 11])
def test_pairs_that_an_answer_leaves_out_are_counted(kept: int) -> None:
    whole = {
        "placementScores": [
            {"sku": size, "region": region, "availabilityZone": zone, "score": "High", "isQuotaAvailable": True}
            for region in ("koreacentral", "eastus")
            for size in ("Standard_D2s_v5", "Standard_E4s_v5")
            for zone in "123"
        ]
    }
    bench = Bench(threads=1)
    bench.azure.fault = once(lambda: answer(200, {"placementScores": whole["placementScores"][:kept]}))
    report, _ = bench.collect(item(1))
    assert report.counts["pairs_unanswered"] == 4 - -(-kept // 3)


def test_a_pair_without_quota_is_asked_through_another_subscription() -> None:
    bench = Bench(threads=1)

    def fault(seen: Seen) -> requests.Response | None:
        if seen.subscription != "sub-a":
            return None
        rows = [
            {"sku": size, "region": region, "score": "InsufficientQuota", "placementPreference": 1}
            for region in seen.regions
            for size in seen.instance_types
        ]
        return answer(200, {"placementScores": rows})

    bench.azure.fault = fault
    report, rows = bench.collect(item(1))
    assert {row["score"] for row in rows if row["zone"] in "123"} == {3}
    assert (report.counts["second_calls"], report.counts["invalid_rows"]) == (1, 0)
    assert report.found.restricted_pairs == ()
