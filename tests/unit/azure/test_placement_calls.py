"""One placement-score call: its documented request, and every field of its answer, refusals and throttles included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from spotlake.azure.http import HttpClient, RetryPolicy
from spotlake.azure.placement import Answer, Outcome, Question, ask, parse_scores
from spotlake.azure.refusals import RefusedNames, refused_names, speaks_of_vcpu_quota, supported_versions
from spotlake.clock import Deadline
from spotlake.errors import (
    AzureRefusedError,
    AzureThrottledError,
    AzureUnavailableError,
    SignInError,
    SignInUnavailableError,
    UntrustedAnswerError,
)
from spotlake.scores.score import Score
from tests.support.errors import says
from tests.support.scripted import Script, answered, made, scripted_session

REGIONS, SIZES = ("eastus", "koreacentral"), ("Standard_D2s_v5", "Standard_E4as_v5")
QUESTION = Question(subscription="sub-a", location="westus", regions=REGIONS, instance_types=SIZES, desired_count=7)
QUOTA = "You have reached the maximum number of requests allowed."


class Tokens:
    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    def headers(self) -> dict[str, str]:
        if self.failure:
            raise self.failure
        return {"Authorization": "Bearer a"}

    def renew(self, refused: Mapping[str, str]) -> None:
        raise AssertionError


def asked(*answers: Any, question: Question = QUESTION, attempts: int = 1, leaves: int = 0) -> tuple[Answer, Script]:
    session, script = scripted_session(*answers)
    policy = RetryPolicy(attempts=attempts, retry_throttled=False)
    client = HttpClient("placement scores", session, policy, Deadline.after(60), sleep=lambda _: None)
    allowed = iter([True] * leaves + [False] * 9)
    return ask(client, "https://arm.example", Tokens(), question, may_retry=lambda: next(allowed)), script


def row(region: str = "eastus", sku: str = SIZES[0], **more: Any) -> dict[str, Any]:
    return {"region": region, "sku": sku, "score": "High", **more}


def arm(status: int, code: str, message: str, **headers: str) -> requests.Response:
    response = answered({"error": {"code": code, "message": message}}, **headers)
    response.status_code = status
    return response


def test_the_request_is_the_documented_one() -> None:
    _, script = asked(answered({"placementScores": [row()]}))
    ((request, _),) = script.sent
    assert request.method == "POST"
    assert request.url == (
        "https://arm.example/subscriptions/sub-a/providers/Microsoft.Compute/locations/westus/placementScores/spot/generate"
        "?api-version=2025-06-05"
    )
    assert json.loads(request.body or b"") == {
        "desiredLocations": ["eastus", "koreacentral"],
        "desiredSizes": [{"sku": "Standard_D2s_v5"}, {"sku": "Standard_E4as_v5"}],
        "desiredCount": 7,
        "availabilityZones": True,
    }
    assert request.headers["Authorization"] == "Bearer a"
    other = Question(subscription="s", location="l", regions=["eastus"], instance_types=[SIZES[0]], desired_count=1,
                     api_version="2026-10-05-preview")  # fmt: skip
    _, script = asked(answered({"placementScores": [row()]}), question=other)
    assert str(script.sent[0][0].url).endswith("?api-version=2026-10-05-preview")


def test_an_answer_in_full() -> None:
    full = row(availabilityZone="2", isQuotaAvailable=False, placementPreference=7)
    found, _ = asked(answered({"placementScores": [full, row("koreacentral", score=" weird "), row("mars"), 7]}))
    assert found == Answer(
        outcome=Outcome.SCORED,
        scores=(
            Score(region="eastus", instance_type="Standard_D2s_v5", logical_zone="2", score=3, score_text="High",
                  is_quota_available=False, placement_preference=7),
            Score(region="koreacentral", instance_type="Standard_D2s_v5", logical_zone=None, score=None,
                  score_text="weird", is_quota_available=None, placement_preference=None),
        ),
        dropped=2,
        unanswered=(("eastus", "Standard_E4as_v5"), ("koreacentral", "Standard_E4as_v5")),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "the answer has no placementScores"),
        ({"placementScores": {}}, "the answer has no placementScores"),
        ({"placementScores": []}, "none of the answer's 0 rows is of what was asked"),
        ({"placementScores": [row("mars"), 7]}, "none of the answer's 2 rows is of what was asked"),
    ],
)
def test_an_answer_of_nothing_is_unreadable(body: Any, said: str) -> None:
    with says(UntrustedAnswerError, f"placement scores: {said}") as raised:
        parse_scores(body, QUESTION)
    error: Any = raised.value
    assert error.status == 200
    found, _ = asked(answered(body))
    assert (found.outcome, str(found.error)) == (Outcome.UNREADABLE, f"placement scores: {said}")


def test_the_quotas_refusal_with_status_200_counts_in_its_first_thousand_characters() -> None:
    found, _ = asked(made(200, f"<html>{QUOTA}</html>".encode()))
    assert (found.outcome, found.wait_seconds) == (Outcome.QUOTA_EXHAUSTED, 0.0)
    assert str(found.error) == "placement scores: the quota's refusal with status 200"
    assert (type(found.error), found.error and found.error.status) == (UntrustedAnswerError, 200)
    text = "reached the maximum number of requests allowed"
    assert asked(made(200, (" " * (1000 - len(text)) + text).encode()))[0].outcome is Outcome.QUOTA_EXHAUSTED
    assert asked(made(200, (" " * (1001 - len(text)) + text).encode()))[0].outcome is Outcome.UNREADABLE


@pytest.mark.parametrize(
    ("answer", "outcome", "wait_seconds"),
    [
        # Plain text: the hourly quota, unless it asks for a short wait.
        (made(429, b""), Outcome.QUOTA_EXHAUSTED, 0.0),
        (made(429, b"", Retry_After="301"), Outcome.QUOTA_EXHAUSTED, 0.0),
        (made(429, b"", Retry_After="300"), Outcome.THROTTLED, 300.0),
        (made(429, b"", Retry_After="0"), Outcome.THROTTLED, 0.0),
        (made(429, QUOTA.encode(), Retry_After="12"), Outcome.THROTTLED, 12.0),
        # ARM's own refusals are JSON: a passing throttle, unless they ask for long or speak of the quota.
        (arm(429, "TooMany", "slow down"), Outcome.THROTTLED, 10.0),
        (arm(429, "TooMany", "slow down", Retry_After="3"), Outcome.THROTTLED, 3.0),
        (arm(429, "TooMany", "slow down", Retry_After="301"), Outcome.QUOTA_EXHAUSTED, 301.0),
        (arm(429, "TooMany", QUOTA), Outcome.QUOTA_EXHAUSTED, 0.0),
        (arm(429, "TooMany", QUOTA, Retry_After="900"), Outcome.QUOTA_EXHAUSTED, 0.0),
        (arm(429, "TooMany", QUOTA, Retry_After="3"), Outcome.THROTTLED, 3.0),
    ],
)
def test_a_throttle_is_the_hourly_quota_or_passes(answer: Any, outcome: Outcome, wait_seconds: float) -> None:
    found, _ = asked(answer)
    assert (found.outcome, found.wait_seconds, type(found.error)) == (outcome, wait_seconds, AzureThrottledError)


def test_what_is_unavailable_is_sent_again_as_often_as_is_allowed() -> None:
    found, script = asked(made(503, b"{}"), attempts=5, leaves=2)
    assert (found.outcome, type(found.error), len(script.sent)) == (Outcome.UNAVAILABLE, AzureUnavailableError, 3)
    found, _ = asked(requests.ReadTimeout("x"))
    assert (found.outcome, str(found.error)) == (Outcome.UNAVAILABLE, "placement scores: no answer (ReadTimeout)")


@pytest.mark.parametrize("failure", [SignInError("no"), SignInUnavailableError("sign-in", "later")])
def test_without_a_token_another_location_would_not_help(failure: Exception) -> None:
    client = HttpClient("placement scores", scripted_session(made(200))[0], RetryPolicy(attempts=1), Deadline.after(60))
    with pytest.raises(type(failure)):
        ask(client, "https://arm.example", Tokens(failure), QUESTION, may_retry=lambda: False)


NEEDED = "the principal needs the role 'Compute Recommendations Role' on the subscription"


@pytest.mark.parametrize(
    ("answer", "outcome", "said"),
    [
        (arm(401, "ExpiredToken", "x"), Outcome.TOKEN_REFUSED, "HTTP 401 ExpiredToken: x"),
        (arm(403, "No", "x"), Outcome.SUBSCRIPTION_REFUSED, f"HTTP 403 No: x; {NEEDED}"),
        (arm(404, "SubscriptionNotFound", "x"), Outcome.SUBSCRIPTION_REFUSED, "HTTP 404 SubscriptionNotFound: x"),
        (
            arm(409, "MissingSubscriptionRegistration", "quota"),
            Outcome.SUBSCRIPTION_REFUSED,
            "HTTP 409 MissingSubscriptionRegistration: quota",
        ),
        (arm(409, "Conflict", "quota"), Outcome.VCPU_QUOTA, "HTTP 409 Conflict: quota"),
        (arm(400, "Conflict", "quota"), Outcome.INVALID_REQUEST, "HTTP 400 Conflict: quota"),
        (arm(409, "Conflict", "busy"), Outcome.INVALID_REQUEST, "HTTP 409 Conflict: busy"),
        (
            arm(400, "NoRegisteredProviderFound", "x"),
            Outcome.LOCATION_UNSUPPORTED,
            "HTTP 400 NoRegisteredProviderFound: x",
        ),
        (
            arm(400, "Other", "No registered resource provider found for location 'x'"),
            Outcome.LOCATION_UNSUPPORTED,
            "HTTP 400 Other: No registered resource provider found for location 'x'",
        ),
        (arm(404, "NotFound", "x"), Outcome.INVALID_REQUEST, "HTTP 404 NotFound: x"),
    ],
)  # fmt: skip
def test_a_refusal_has_one_meaning_and_its_own_sentence(answer: Any, outcome: Outcome, said: str) -> None:
    found, _ = asked(answer)
    assert (found.outcome, str(found.error), found.names) == (outcome, f"placement scores: {said}", ())
    assert (type(found.error), found.error and found.error.status) == (AzureRefusedError, answer.status_code)
    assert found.headers == ({"Authorization": "Bearer a"} if outcome is Outcome.TOKEN_REFUSED else None)
    assert found.error is not None
    assert (found.error.code, found.error.text) == (json.loads(answer.content)["error"]["code"], answer.text)


def test_a_version_is_replaced_by_the_newest_that_both_know() -> None:
    said = "The supported api-versions are '{}'."
    for listed, outcome, names in (
        ("2026-05-05-preview,2026-09-05-preview", Outcome.VERSION_UNSUPPORTED, ("2026-09-05-preview",)),
        ("2030-01-01", Outcome.INVALID_REQUEST, ()),
        ("2025-06-05", Outcome.INVALID_REQUEST, ()),  # it serves what was asked: something else is wrong
    ):
        found, _ = asked(arm(400, "InvalidApiVersion", said.format(listed)))
        assert (found.outcome, found.names) == (outcome, names)
        assert found.error is not None


def test_refused_names_are_told_with_their_error() -> None:
    found, _ = asked(arm(400, "InvalidParameter", "The value 'eastus' for 'desiredLocations' is not valid."))
    assert (found.outcome, found.names, type(found.error)) == (Outcome.INVALID_REGION, ("eastus",), AzureRefusedError)
    both = "desiredLocations 'eastus' and desiredSizes 'Standard_D2s_v5' are not valid"
    assert asked(arm(400, "InvalidParameter", both))[0].names == ("eastus",)
    found, _ = asked(arm(400, "InvalidParameter", "The value 'Standard_D2s_v5' of 'desiredSizes' is invalid"))
    assert (found.outcome, found.names) == (Outcome.INVALID_INSTANCE_TYPE, ("Standard_D2s_v5",))
    assert type(found.error) is AzureRefusedError


@pytest.mark.parametrize(
    ("text", "regions", "sizes"),
    [
        ("'eastus' was asked", (), ()),  # nothing is refused
        ("desiredRegions 'eastus' is unsupported", ("eastus",), ()),
        ("desiredSkus 'Standard_D2s_v5' not a valid size", (), ("Standard_D2s_v5",)),
        ("desiredLocations[1] and desiredSizes.0 are invalid", ("koreacentral",), ("Standard_D2s_v5",)),
        ("desiredRegions/0, desiredRegions[0], desiredSkus[1] are invalid", ("eastus",), ("Standard_E4as_v5",)),
        ("desiredLocations[2] is invalid", (), ()),
        ("invalid: 'eastus', 'Standard_D2s_v5'", ("eastus",), ("Standard_D2s_v5",)),
        ("invalid: 'eastus', 'koreacentral'", REGIONS, ()),
        ("invalid: 'eastus', 'koreacentral', 'Standard_D2s_v5', 'Standard_E4as_v5'", (), ()),  # the question itself
        ("desiredLocations 'eastus', 'koreacentral' are invalid, unlike 'Standard_D2s_v5'", REGIONS, ()),
        ("desiredSizes is invalid: 'eastus'", (), ()),
        (f"{' ' * 3990} invalid 'eastus'", (), ()),
        (f"invalid {' ' * 3984}'eastus'", ("eastus",), ()),
    ],
)
def test_the_sent_names_that_a_refusal_speaks_of(text: str, regions: Any, sizes: Any) -> None:
    assert refused_names(text, REGIONS, SIZES) == RefusedNames(regions, sizes)


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        ("Quota", True),
        ("core limit", True),
        ("cores have a limit", True),
        ("coreless limit", False),
        ("limit of cores", False),
        (" " * 3995 + "quota", True),
        (" " * 3996 + "quota", False),
    ],
)
def test_a_text_about_vcpus(text: str, speaks: bool) -> None:
    assert speaks_of_vcpu_quota(text) is speaks


def test_versions_that_a_text_lists() -> None:
    assert supported_versions("THE SUPPORTED API-VERSIONS ARE 'a, b ,,c'. '") == ("a", "b", "c")
    assert supported_versions("versions 'a'") == ()
    listed = "supported api-versions are 'a'"
    assert supported_versions(" " * (4000 - len(listed)) + listed) == ("a",)
    assert supported_versions(" " * (4001 - len(listed)) + listed) == ()
