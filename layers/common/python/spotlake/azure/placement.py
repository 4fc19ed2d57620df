"""One placement-score call: what is sent, and what each kind of answer means.

``POST .../locations/{location}/placementScores/spot/generate?api-version=2025-06-05`` (the only stable
version, general since 2025-10-14; limits: MicrosoftDocs spot-placement-score.md of 2026-05-19). Every
answer becomes an ``Answer`` with a named outcome; only what makes further calls useless is raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from spotlake.azure.http import HttpClient, json_of
from spotlake.errors import (
    AzureError,
    AzureRefusedError,
    AzureThrottledError,
    AzureUnavailableError,
    SignInUnavailableError,
    UntrustedAnswerError,
)
from spotlake.names import join_key
from spotlake.scores.score import SCORES, Score

API = "placement scores"
API_VERSION = "2025-06-05"
# A 429 that asks for more than this is the hourly quota; a shorter one is a passing throttle.
QUOTA_WAIT_SECONDS = 300.0
_DEFAULT_SHORT_WAIT_SECONDS = 10.0
# "The value 'X' provided for the input parameter 'desiredLocations' is not valid", of sizes with a prefix
# ("SpotPlacementRecommenderInput.desiredSizes"). X may hold blanks.
_NOT_VALID = re.compile(
    r"The value '(?P<name>[^']*)' provided for the input parameter '(?:\w+\.)?(?P<field>desired\w+)' is not valid"
)


class Tokens(Protocol):
    """The token source's part that is used here."""

    def headers(self) -> dict[str, str]:
        """Bearer headers. Raises SignInError, SignInUnavailableError."""
        ...

    def renew(self, refused: Mapping[str, str]) -> None:
        """Forget a refused token."""
        ...


class Outcome(StrEnum):
    """What an answer means for the one who asked."""

    SCORED = "scored"
    INVALID_REGION = "invalid_region"  # ``name`` is refused: ask again without it
    INVALID_INSTANCE_TYPE = "invalid_instance_type"
    INVALID_REQUEST = "invalid_request"  # any other 4xx: the same call will be refused again
    QUOTA_EXHAUSTED = "quota_exhausted"  # this pair rests
    THROTTLED = "throttled"  # wait ``wait_seconds``
    SUBSCRIPTION_REFUSED = "subscription_refused"  # no role, unknown, or not registered: another one
    LOCATION_UNSUPPORTED = "location_unsupported"  # nothing is routed through it: another one
    TOKEN_REFUSED = "token_refused"  # 401: sign in anew, once  # noqa: S105 - a word, no secret
    UNAVAILABLE = "unavailable"  # 5xx, time-out, connection lost: another location
    UNREADABLE = "unreadable"  # 200 that cannot be used: another location


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back.

    Attributes:
        outcome: Which kind.
        scores: Rows, of SCORED.
        dropped: Rows of SCORED that name a pair that was not asked for or lack their fields.
        name: The refused name, of INVALID_*; spelt as it was sent.
        wait_seconds: Of THROTTLED; of QUOTA_EXHAUSTED how long the pair rests, 0 for a whole window.
        error: What it was, unless SCORED.
        headers: What was sent, for renewing a refused token.
    """

    outcome: Outcome
    scores: tuple[Score, ...] = ()
    dropped: int = 0
    name: str = ""
    wait_seconds: float = 0.0
    error: AzureError | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, and through which pair.

    Attributes:
        subscription: Its id.
        location: Routing location.
        regions: At most 8 ARM codes.
        instance_types: At most 5 ARM sizes.
        desired_count: Machines.
    """

    subscription: str
    location: str
    regions: Sequence[str]
    instance_types: Sequence[str]
    desired_count: int


def ask(
    client: HttpClient, management_url: str, tokens: Tokens, question: Question, *, may_retry: Callable[[], bool]
) -> Answer:
    """Send one call (the client retries what is unavailable, as often as ``may_retry`` allows).

    Raises:
        SignInError, SignInUnavailableError: No token.
        DeadlineError: Not enough time to send it at all.
    """
    used: dict[str, str] = {}

    def headers() -> Mapping[str, str]:
        used.update(tokens.headers())
        return used

    try:
        response = client.send(
            "POST",
            f"{management_url}/subscriptions/{question.subscription}/providers/Microsoft.Compute"
            f"/locations/{question.location}/placementScores/spot/generate",
            params={"api-version": API_VERSION},
            json={
                "desiredLocations": list(question.regions),
                "desiredSizes": [{"sku": name} for name in question.instance_types],
                "desiredCount": question.desired_count,
                "availabilityZones": True,
            },
            headers=headers,
            may_retry=may_retry,
        )
        scores, dropped = parse_scores(json_of(API, response), question)
    except AzureThrottledError as error:
        return _throttled(error)
    except SignInUnavailableError:  # no other location would be any better
        raise
    except AzureUnavailableError as error:
        return Answer(outcome=Outcome.UNAVAILABLE, error=error)
    except UntrustedAnswerError as error:
        return Answer(outcome=Outcome.UNREADABLE, error=error)
    except AzureRefusedError as error:
        return _refused(error, question, used)
    return Answer(outcome=Outcome.SCORED, scores=scores, dropped=dropped)


def parse_scores(body: Mapping[str, Any], question: Question) -> tuple[tuple[Score, ...], int]:
    """The rows of a 200, and how many could not be used.

    Raises:
        UntrustedAnswerError: There is no ``placementScores``, or none of its rows can be used.
    """
    listed = body.get("placementScores")
    if not isinstance(listed, list):
        raise UntrustedAnswerError(API, "the answer has no placementScores", status=200)
    regions = {name.lower(): name for name in question.regions}
    sizes = {join_key(name): name for name in question.instance_types}
    scores = [score for row in listed if (score := _score_of(row, regions, sizes)) is not None]
    if not scores:
        raise UntrustedAnswerError(API, f"none of the answer's {len(listed)} rows is of what was asked", status=200)
    return tuple(scores), len(listed) - len(scores)


def _score_of(row: Any, regions: Mapping[str, str], sizes: Mapping[str, str]) -> Score | None:
    if not isinstance(row, dict) or not isinstance(row.get("score"), str):
        return None
    region = regions.get(str(row.get("region")).lower())
    size = sizes.get(join_key(str(row.get("sku"))))
    if region is None or size is None:
        return None
    zone = row.get("availabilityZone")
    quota = row.get("isQuotaAvailable")
    return Score(
        region=region,
        instance_type=size,
        logical_zone=str(zone) if zone else None,
        score=SCORES.get(row["score"]),
        score_text=row["score"],
        is_quota_available=quota if isinstance(quota, bool) else None,
    )


def _throttled(error: AzureThrottledError) -> Answer:
    """Tell the hourly quota from a passing throttle.

    The quota's refusal is plain text, asks for 3,600 seconds or does not say how long; ARM's own are JSON.
    """
    asked = error.retry_after_seconds
    is_long = asked is not None and asked > QUOTA_WAIT_SECONDS
    if error.code is None and (asked is None or is_long):
        return Answer(outcome=Outcome.QUOTA_EXHAUSTED, error=error)
    wait = _DEFAULT_SHORT_WAIT_SECONDS if asked is None else asked
    return Answer(outcome=Outcome.QUOTA_EXHAUSTED if is_long else Outcome.THROTTLED, wait_seconds=wait, error=error)


def _refused(error: AzureRefusedError, question: Question, used: Mapping[str, str]) -> Answer:
    if error.status == 401:
        return Answer(outcome=Outcome.TOKEN_REFUSED, error=error, headers=dict(used))
    if error.status == 403 or error.code in ("SubscriptionNotFound", "MissingSubscriptionRegistration"):
        return Answer(outcome=Outcome.SUBSCRIPTION_REFUSED, error=error)
    if error.code == "NoRegisteredProviderFound" or "No registered resource provider found for location" in error.text:
        return Answer(outcome=Outcome.LOCATION_UNSUPPORTED, error=error)
    # The decoded message first (JSON may write the quotes as \u0027), then the raw text; one match counts,
    # however often the answer says it.
    named = _NOT_VALID.search(f"{error} {error.text}")
    if named:
        is_region = named["field"] == "desiredLocations"
        name = _spelt_as_sent(named["name"], question.regions if is_region else question.instance_types)
        if name is not None:
            outcome = Outcome.INVALID_REGION if is_region else Outcome.INVALID_INSTANCE_TYPE
            return Answer(outcome=outcome, name=name, error=error)
    return Answer(outcome=Outcome.INVALID_REQUEST, error=error)


def _spelt_as_sent(name: str, sent: Sequence[str]) -> str | None:
    return next((one for one in sent if join_key(one) == join_key(name)), None)
