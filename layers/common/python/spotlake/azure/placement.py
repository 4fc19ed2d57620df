"""Sends one placement-score call, and classifies the answer.

``POST .../locations/{location}/placementScores/spot/generate?api-version=2025-06-05`` (the only stable
version, general since 2025-10-14; limits: MicrosoftDocs spot-placement-score.md of 2026-05-19). Every answer becomes an
``Answer`` with a named outcome. Only an error that makes further calls useless is raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from spotlake.azure.answers import json_of
from spotlake.azure.http import HttpClient
from spotlake.azure.refusals import refused_names, speaks_of_vcpu_quota, supported_versions
from spotlake.azure.signed import Tokens
from spotlake.errors import (
    AzureError,
    AzureRefusedError,
    AzureThrottledError,
    AzureUnavailableError,
    SignInUnavailableError,
    UntrustedAnswerError,
)
from spotlake.names import join_key, region_key
from spotlake.scores.score import Score, score_of_word

API = "placement scores"
API_VERSION = "2025-06-05"
# A 429 that asks for more than this is the hourly quota; a shorter one is a passing throttle.
QUOTA_WAIT_SECONDS = 300.0
# Reader is not enough (MicrosoftDocs spot-placement-score.md, 2026-05-19); other clients ask for more than is needed.
NEEDED_ROLE = "the principal needs the role 'Compute Recommendations Role' on the subscription"
_DEFAULT_SHORT_WAIT_SECONDS = 10.0
_LONGEST_REFUSAL = 1000
# Versions whose answers this module understands, newest last. The stable version is used as long as Azure serves it.
KNOWN_VERSIONS = (API_VERSION, "2026-05-05-preview", "2026-09-05-preview", "2026-10-05-preview")
# The refusal for the hourly quota, which has no JSON. Gateways may put the text behind a 200 or into HTML.
_QUOTA_TEXT = re.compile(r"reached the maximum number of requests allowed", re.IGNORECASE)
_ZONE = re.compile(r"(?:(?:(?:availability)?zone|az)[ -]?)?(?P<number>[0-9]{1,2})", re.IGNORECASE)
_NO_ZONE = frozenset({"", "false", "none", "null", "regional"})


class Outcome(StrEnum):
    """What the sender must do after an answer."""

    SCORED = "scored"
    INVALID_REGION = "invalid_region"  # ``names`` are refused: ask again without them
    INVALID_INSTANCE_TYPE = "invalid_instance_type"
    VERSION_UNSUPPORTED = "version_unsupported"  # ask again with the version in ``names``
    INVALID_REQUEST = "invalid_request"  # any other 4xx: the same call will be refused again
    QUOTA_EXHAUSTED = "quota_exhausted"  # this route rests
    THROTTLED = "throttled"  # wait ``wait_seconds``
    VCPU_QUOTA = "vcpu_quota"  # this subscription has no vCPUs left for the call: use another subscription
    SUBSCRIPTION_REFUSED = "subscription_refused"  # no role, unknown, or not registered: use another subscription
    LOCATION_UNSUPPORTED = "location_unsupported"  # the location routes no call: use another location
    TOKEN_REFUSED = "token_refused"  # 401: sign in anew, once  # noqa: S105 - a word, no secret
    UNAVAILABLE = "unavailable"  # 5xx, time-out, connection lost: another location
    UNREADABLE = "unreadable"  # 200 that cannot be used: another location


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A classified answer.

    Attributes:
        outcome: Kind of the answer.
        scores: Rows of a SCORED answer.
        dropped: Number of rows of a SCORED answer that lack fields, or name an unasked pair or an unknown zone.
        unanswered: Asked pairs for which a SCORED answer has no row.
        names: For INVALID_*: the refused names, spelt as sent. For VERSION_UNSUPPORTED: the version to use.
        wait_seconds: For THROTTLED: seconds to wait. For QUOTA_EXHAUSTED: seconds that the route rests, 0 for a whole
            window.
        error: The error, unless SCORED.
        headers: Headers that were sent, to renew a refused token.
    """

    outcome: Outcome
    scores: tuple[Score, ...] = ()
    dropped: int = 0
    unanswered: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    wait_seconds: float = 0.0
    error: AzureError | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question, and the route of the question.

    Attributes:
        subscription: Id of the subscription.
        location: Routing location.
        regions: At most 8 ARM codes.
        instance_types: At most 5 ARM sizes.
        desired_count: Number of machines.
        api_version: One of ``KNOWN_VERSIONS``.
    """

    subscription: str
    location: str
    regions: Sequence[str]
    instance_types: Sequence[str]
    desired_count: int
    api_version: str = API_VERSION


def ask(
    client: HttpClient, management_url: str, tokens: Tokens, question: Question, *, may_retry: Callable[[], bool]
) -> Answer:
    """Send one call. The client retries failures of availability, as often as ``may_retry`` allows.

    Raises:
        SignInError, SignInUnavailableError: There is no token.
        DeadlineError: Too little time is left to send the call.
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
            params={"api-version": question.api_version},
            json={
                "desiredLocations": list(question.regions),
                "desiredSizes": [{"sku": name} for name in question.instance_types],
                "desiredCount": question.desired_count,
                "availabilityZones": True,
            },
            headers=headers,
            may_retry=may_retry,
        )
        if _QUOTA_TEXT.search(response.text[:_LONGEST_REFUSAL]):
            error = UntrustedAnswerError(API, "the quota's refusal with status 200", status=response.status_code)
            return Answer(outcome=Outcome.QUOTA_EXHAUSTED, error=error)
        scores, dropped = parse_scores(json_of(API, response), question)
    except AzureThrottledError as error:
        return _throttled(error)
    except SignInUnavailableError:  # another location would not help
        raise
    except AzureUnavailableError as error:
        return Answer(outcome=Outcome.UNAVAILABLE, error=error)
    except UntrustedAnswerError as error:
        return Answer(outcome=Outcome.UNREADABLE, error=error)
    except AzureRefusedError as error:
        return _refused(error, question, used)
    answered = {(one.region, one.instance_type) for one in scores}
    asked = [(region, size) for region in question.regions for size in question.instance_types]
    unanswered = tuple(pair for pair in asked if pair not in answered)
    return Answer(outcome=Outcome.SCORED, scores=scores, dropped=dropped, unanswered=unanswered)


def parse_scores(body: Mapping[str, object], question: Question) -> tuple[tuple[Score, ...], int]:
    """The rows of a 200 answer, and the number of rows that could not be used.

    Raises:
        UntrustedAnswerError: The answer has no ``placementScores``, or none of its rows can be used.
    """
    listed = body.get("placementScores")
    if not isinstance(listed, list):
        raise UntrustedAnswerError(API, "the answer has no placementScores", status=200)
    regions = {region_key(name): name for name in question.regions}
    sizes = {join_key(name): name for name in question.instance_types}
    scores = [score for row in listed if (score := _score_of(row, regions, sizes)) is not None]
    if not scores:
        raise UntrustedAnswerError(API, f"none of the answer's {len(listed)} rows is of what was asked", status=200)
    return tuple(scores), len(listed) - len(scores)


def _score_of(row: Any, regions: Mapping[str, str], sizes: Mapping[str, str]) -> Score | None:
    if not isinstance(row, dict) or not isinstance(row.get("score"), str):
        return None
    region = regions.get(region_key(str(row.get("region"))))
    size = sizes.get(join_key(str(row.get("sku"))))
    zone = _zone_of(row.get("availabilityZone"))
    if region is None or size is None or zone is None:
        return None
    word = row["score"].strip()
    score, word = score_of_word(word)
    preference = row.get("placementPreference")
    return Score(
        region=region,
        instance_type=size,
        logical_zone=zone or None,
        score=score,
        score_text=word,
        is_quota_available=_flag(row.get("isQuotaAvailable")),
        placement_preference=preference if type(preference) is int else None,
    )


def _zone_of(value: object) -> str | None:
    """A zone's number as text; "" for a regional score; None for an unknown zone.

    Observed values: "1" to "3", no key, and "" or "False" in the output of the portal and PowerShell. An unknown word
    does not count as a regional score: the row is dropped and counted.
    """
    word = "" if value is None else str(value).strip()
    if word.lower() in _NO_ZONE:
        return ""
    found = _ZONE.fullmatch(word)
    return found["number"].lstrip("0") or None if found else None


def _flag(value: object) -> bool | None:
    """A truth value. Azure has accepted quoted truth values, so an answer may hold one."""
    return {"true": True, "false": False}.get(str(value).lower())


def _throttled(error: AzureThrottledError) -> Answer:
    """Distinguish the hourly quota from a passing throttle.

    The refusal for quota is plain text (or HTML around it), and asks for 3,600 seconds or names no time. ARM's own
    refusals are JSON.
    """
    asked = error.retry_after_seconds
    is_long = asked is not None and asked > QUOTA_WAIT_SECONDS
    is_quota = (error.code is None and asked is None) or _QUOTA_TEXT.search(error.text)
    if (error.code is None and is_long) or (is_quota and (asked is None or is_long)):
        return Answer(outcome=Outcome.QUOTA_EXHAUSTED, error=error)
    wait = _DEFAULT_SHORT_WAIT_SECONDS if asked is None else asked
    return Answer(outcome=Outcome.QUOTA_EXHAUSTED if is_long else Outcome.THROTTLED, wait_seconds=wait, error=error)


def _refused(error: AzureRefusedError, question: Question, used: Mapping[str, str]) -> Answer:
    if error.status == 401:
        return Answer(outcome=Outcome.TOKEN_REFUSED, error=error, headers=dict(used))
    # The decoded message first (JSON may write the quotes as \u0027), then the raw text.
    said = f"{error} {error.text}"
    if error.status == 403:
        needed = f"{str(error).removeprefix(f'{API}: ')}; {NEEDED_ROLE}"
        named = AzureRefusedError(API, needed, status=403, code=error.code, text=error.text)
        return Answer(outcome=Outcome.SUBSCRIPTION_REFUSED, error=named)
    if error.code in ("SubscriptionNotFound", "MissingSubscriptionRegistration"):
        return Answer(outcome=Outcome.SUBSCRIPTION_REFUSED, error=error)
    if error.status == 409 and speaks_of_vcpu_quota(said):
        return Answer(outcome=Outcome.VCPU_QUOTA, error=error)
    return _refused_request(error, said, question)


def _refused_request(error: AzureRefusedError, said: str, question: Question) -> Answer:
    """Find what is wrong with the request: its version, its location, its names, or something else."""
    listed = supported_versions(said)
    names = refused_names(said, question.regions, question.instance_types)
    if listed and question.api_version not in listed:
        served = [version for version in KNOWN_VERSIONS if version in listed]
        outcome = Outcome.VERSION_UNSUPPORTED if served else Outcome.INVALID_REQUEST
        return Answer(outcome=outcome, names=tuple(served[-1:]), error=error)
    if error.code == "NoRegisteredProviderFound" or "No registered resource provider found for location" in said:
        return Answer(outcome=Outcome.LOCATION_UNSUPPORTED, error=error)
    if names.regions:  # a text that names both is handled in two steps
        return Answer(outcome=Outcome.INVALID_REGION, names=names.regions, error=error)
    outcome = Outcome.INVALID_INSTANCE_TYPE if names.instance_types else Outcome.INVALID_REQUEST
    return Answer(outcome=outcome, names=names.instance_types, error=error)
