"""What each shape of a placement-score answer means: observed, documented for the next version, or guessed."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from spotlake.azure.http import HttpClient, RetryPolicy
from spotlake.azure.placement import API, Answer, Outcome, Question, ask, parse_scores
from spotlake.clock import Deadline
from spotlake.errors import UntrustedAnswerError
from tests.support.scripted import Scripted, answered, made, scripted_session

REGIONS, SIZES = ("eastus", "koreacentral"), ("Standard_D2s_v5", "Standard_E4as_v5")
QUESTION = Question(subscription="s", location="westus", regions=REGIONS, instance_types=SIZES, desired_count=1)
ROW: dict[str, Any] = {
    "sku": "Standard_D2s_v5",
    "region": "eastus",
    "availabilityZone": "1",
    "score": "High",
    "isQuotaAvailable": True,
}
QUOTA_TEXT = "You have reached the maximum number of requests allowed. Please try again after 3600 seconds."


class NoTokens:
    def headers(self) -> dict[str, str]:
        return {}

    def renew(self, refused: object) -> None:
        raise AssertionError


def asked(*answers: Scripted, question: Question = QUESTION) -> Answer:
    session, _ = scripted_session(*answers)
    policy = RetryPolicy(attempts=1, retry_throttled=False)
    client = HttpClient(API, session, policy, Deadline.after(60))
    return ask(client, "https://management.azure.com", NoTokens(), question, may_retry=lambda: False)


def arm(status: int, code: str, message: str, **headers: str) -> requests.Response:
    response = answered({"error": {"code": code, "message": message}}, **headers)
    response.status_code = status
    return response


def parsed(**changes: Any) -> tuple[Any, ...]:
    """Zone, score, word, quota and preference of one row; what is left when the row is dropped is ``()``."""
    good = {**ROW, "sku": "Standard_E4as_v5"}
    scores, dropped = parse_scores({"placementScores": [{**ROW, **changes}, good]}, QUESTION)
    if dropped:
        assert len(scores) == 1
        return ()
    one = scores[0]
    assert (one.region, one.instance_type) == ("eastus", "Standard_D2s_v5")
    return one.logical_zone, one.score, one.score_text, one.is_quota_available, one.placement_preference


@pytest.mark.parametrize(
    ("word", "score", "kept"),
    [
        ("High", 3, "High"),
        ("high", 3, "High"),
        ("MEDIUM", 2, "Medium"),
        (" Low ", 1, "Low"),
        ("dataNotFoundOrStale", None, "DataNotFoundOrStale"),
        ("restrictedskunotavailable", None, "RestrictedSkuNotAvailable"),
        ("insufficientQuota", None, "InsufficientQuota"),
        ("Excellent", None, "Excellent"),
        ("", None, ""),
    ],
)
def test_words_in_any_casing(word: str, score: int | None, kept: str) -> None:
    assert parsed(score=word) == ("1", score, kept, True, None)


@pytest.mark.parametrize("score", [None, 3, 3.0, True, ["High"], {"value": "High"}])
def test_a_score_that_is_no_word_costs_its_row(score: object) -> None:
    assert parsed(score=score) == ()


@pytest.mark.parametrize(
    ("zone", "kept"),
    [("1", "1"), (1, "1"), ("3 ", "3"), ("zone-2", "2"), ("Zone 2", "2"), ("az1", "1"), ("AZ-3", "3"), ("01", "1")]
    + [(word, None) for word in (None, "", " ", "False", "false", "none", "null", "Regional")],
)
def test_zones_in_any_spelling(zone: object, kept: str | None) -> None:
    assert parsed(availabilityZone=zone)[0] == kept


@pytest.mark.parametrize("zone", ["eastus-az1", "A", "1,2", "zone", "0", "1.5", ["1"], True, "all zones", "-1"])
def test_a_zone_that_nobody_knows_is_no_regional_score(zone: object) -> None:
    assert parsed(availabilityZone=zone) == ()


@pytest.mark.parametrize(
    ("value", "kept"), [(True, True), ("true", True), ("False", False), (None, None), ("yes", None), (1, None)]
)
def test_whether_there_is_quota_in_any_type(value: object, kept: bool | None) -> None:
    assert parsed(isQuotaAvailable=value)[3] is kept


@pytest.mark.parametrize(
    ("value", "kept"), [(10, 10), (0, 0), (None, None), ("10", None), (True, None), (7.5, None), ([7], None)]
)
def test_the_next_versions_preference_is_kept(value: object, kept: int | None) -> None:
    row = {name: one for name, one in ROW.items() if name != "isQuotaAvailable"}
    scores, dropped = parse_scores({"placementScores": [{**row, "placementPreference": value}]}, QUESTION)
    assert (scores[0].placement_preference, scores[0].is_quota_available, dropped) == (kept, None, 0)


@pytest.mark.parametrize("region", ["eastus", "EastUS", "East US", " east us "])
@pytest.mark.parametrize("size", ["Standard_D2s_v5", "standard_d2s_v5", "STANDARD_D2S_V5 "])
def test_names_are_echoed_in_any_spelling(region: str, size: str) -> None:
    assert parsed(region=region, sku=size)[1] == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"region": "westus"},
        {"sku": "Standard_D4s_v5"},
        {"region": None},
        {"sku": 5},
        {"region": "US East"},
        {"sku": "D2s_v5"},
    ],
)
def test_a_row_of_a_pair_that_was_not_asked_costs_itself(changes: dict[str, Any]) -> None:
    assert parsed(**changes) == ()


@pytest.mark.parametrize("row", [None, "High", [], 7, {}])
def test_a_row_that_is_none_costs_itself(row: object) -> None:
    scores, dropped = parse_scores({"placementScores": [row, ROW]}, QUESTION)
    assert (len(scores), dropped) == (1, 1)


@pytest.mark.parametrize("listed", [None, {}, "High", [], [{}], [{**ROW, "region": "mars"}]])
def test_an_answer_of_nothing_that_was_asked_is_not_believed(listed: object) -> None:
    with pytest.raises(UntrustedAnswerError):
        parse_scores({"placementScores": listed}, QUESTION)


def test_pairs_without_a_row_are_named() -> None:
    rows = [ROW, {**ROW, "region": "koreacentral", "score": "DataNotFoundOrStale"}, {**ROW, "region": "mars"}]
    got = asked(answered({"placementScores": rows}))
    assert (got.outcome, got.dropped) == (Outcome.SCORED, 1)
    assert got.unanswered == (("eastus", "Standard_E4as_v5"), ("koreacentral", "Standard_E4as_v5"))


@pytest.mark.parametrize("pairs", [1, 2, 3])
def test_three_rows_of_four_leave_one_pair_unanswered(pairs: int) -> None:
    listed = [{**ROW, "region": region, "sku": size} for region in REGIONS for size in SIZES][:pairs]
    assert len(asked(answered({"placementScores": listed})).unanswered) == 4 - pairs


@pytest.mark.parametrize(
    "answer",
    [
        made(429, QUOTA_TEXT.encode()),
        made(429, QUOTA_TEXT.encode(), Retry_After="3600"),
        made(429, f"<html><body>{QUOTA_TEXT}</body></html>".encode()),
        made(429, b"<html>You have reached the maximum number of requests allowed.</html>"),
        made(200, QUOTA_TEXT.encode()),
        made(200, f"<html><body>{QUOTA_TEXT}</body></html>".encode(), Content_Type="text/html"),
        arm(429, "TooManyRequests", QUOTA_TEXT),
        made(429, b""),
    ],
)
def test_the_hourly_quota_is_known_wherever_it_is_told(answer: requests.Response) -> None:
    assert asked(answer).outcome is Outcome.QUOTA_EXHAUSTED


@pytest.mark.parametrize(
    ("code", "text", "outcome"),
    [
        ("Conflict", "vCPU quota for standardDSv5Family has reached its limit", Outcome.VCPU_QUOTA),
        ("OperationNotAllowed", "Operation could not be completed: exceeding approved Quota", Outcome.VCPU_QUOTA),
        ("QuotaExceeded", "Cores limit reached for this subscription", Outcome.VCPU_QUOTA),
        ("InsufficientQuota", "not enough", Outcome.VCPU_QUOTA),
        (
            "MissingSubscriptionRegistration",
            "The subscription is not registered to use namespace 'Microsoft.Compute'.",
            Outcome.SUBSCRIPTION_REFUSED,
        ),
        ("AnotherOperationInProgress", "Another operation is in progress.", Outcome.INVALID_REQUEST),
    ],
)
def test_a_conflict_has_two_meanings(code: str, text: str, outcome: Outcome) -> None:
    assert asked(arm(409, code, text)).outcome is outcome


@pytest.mark.parametrize("code", ["AuthorizationFailed", "LinkedAuthorizationFailed", "Forbidden"])
def test_a_missing_role_is_named_in_one_line(code: str) -> None:
    text = "The client 'x' does not have authorization to perform action 'Microsoft.Compute/locations/placementScores'."
    got = asked(arm(403, code, text))
    assert got.outcome is Outcome.SUBSCRIPTION_REFUSED
    assert str(got.error) == (
        f"placement scores: HTTP 403 {code}: {text}; the principal needs the role 'Compute Recommendations Role' "
        "on the subscription"
    )


VERSIONS = "No registered resource provider found for location 'westus' and API version '2025-06-05' for type \
'locations/placementScores'. The supported api-versions are '{}'. The supported locations are 'westus, eastus'."


@pytest.mark.parametrize(
    ("listed", "outcome", "names"),
    [
        ("2026-05-05-preview, 2026-10-05-preview", Outcome.VERSION_UNSUPPORTED, ("2026-10-05-preview",)),
        ("2026-10-05-preview, 2026-05-05-preview", Outcome.VERSION_UNSUPPORTED, ("2026-10-05-preview",)),
        ("2026-05-05-preview, 2027-01-01", Outcome.VERSION_UNSUPPORTED, ("2026-05-05-preview",)),
        ("2027-01-01, 2027-06-01", Outcome.INVALID_REQUEST, ()),
        ("2025-06-05, 2026-10-05-preview", Outcome.LOCATION_UNSUPPORTED, ()),
    ],
)
def test_a_version_that_is_not_served_falls_back_to_the_newest_known(
    listed: str, outcome: Outcome, names: tuple[str, ...]
) -> None:
    got = asked(arm(400, "NoRegisteredProviderFound", VERSIONS.format(listed)))
    assert (got.outcome, got.names) == (outcome, names)


@pytest.mark.parametrize(
    ("text", "outcome", "names"),
    [
        ("The value 'eastus' provided for the input parameter 'desiredLocations' is not valid.", "region", ("eastus",)),
        ("The values 'eastus, koreacentral' provided for 'desiredLocations' are not valid.", "region", REGIONS),
        ("The values 'eastus', 'koreacentral' for desiredLocations are invalid", "region", REGIONS),
        ("The input parameter 'spotPlacementScoresInput.desiredLocations[0]' is not valid", "region", ("eastus",)),
        ("'desiredLocations[1]' is invalid: 'nowhere'", "region", ("koreacentral",)),
        ("/desiredLocations/1 is not valid", "region", ("koreacentral",)),
        ('Location "EastUS" is not supported.', "region", ("eastus",)),
        ("The location \u2018eastus\u2019 isn't available: it is not supported", "region", ("eastus",)),
        (
            "The value 'Standard_E4as_v5' provided for 'SpotPlacementRecommenderInput.desiredSizes' is not valid.",
            "size",
            ("Standard_E4as_v5",),
        ),
        ("Input.desiredSkus: the values 'Standard_D2s_v5, Standard_E4as_v5' are not valid", "size", SIZES),
        ("'spotPlacementScoresInput.desiredSizes[1].sku' is not valid", "size", ("Standard_E4as_v5",)),
        ("The size 'standard_d2s_v5' is not found.", "size", ("Standard_D2s_v5",)),
        ("The value '5000' provided for the input parameter 'desiredCount' is not valid.", "", ()),
        ("The value 'atlantis' provided for the input parameter 'desiredLocations' is not valid.", "", ()),
        ("'desiredLocations[9]' is not valid", "", ()),
        ("desiredCount is out of range", "", ()),
        (f"Request '{', '.join(REGIONS)}' '{', '.join(SIZES)}' is invalid", "", ()),
        ("The region 'eastus2' is not valid", "", ()),
        ("x" * 1_000_000, "", ()),
    ],
)
def test_refused_names_are_read_whatever_the_wording(text: str, outcome: str, names: tuple[str, ...]) -> None:
    kinds = {"region": Outcome.INVALID_REGION, "size": Outcome.INVALID_INSTANCE_TYPE, "": Outcome.INVALID_REQUEST}
    got = asked(arm(400, "InvalidParameter", text))
    assert (got.outcome, got.names) == (kinds[outcome], names)
