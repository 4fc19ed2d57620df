"""What follows from each answer of the API."""

from __future__ import annotations

import pytest
import requests

from spotlake.errors import SignInError, SignInUnavailableError
from spotlake.reports import LocationAnswers
from tests.functional.placement_scores.double import (
    Bench,
    Seen,
    answer,
    arm_error,
    item,
)
from tests.functional.placement_scores.faults import once


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


def test_a_fourth_zone_costs_its_own_rows_and_not_the_shard() -> None:
    bench = Bench()
    zones = {number: f"b{number}" for number in "1234"}
    bench.azure.physical = {"sub-a": zones, "sub-b": zones}
    report, rows = bench.collect(item(1))
    assert {row["zone"] for row in rows} == {"1", "2", "3"}  # the merge refuses a shard with any other
    assert report.counts["rows_zone_unknown"] == report.counts["invalid_rows"] == 2 * 2
    assert all(account.scored == 2 and not account.unanswered for account in report.accounts)
