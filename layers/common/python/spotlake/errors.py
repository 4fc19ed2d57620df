"""Every error the product raises, sorted by how to recover from it.

The class name is the Step Functions error name (``errorType``), so ``Retry`` and ``Catch`` in
``statemachine/collector.asl.json`` name these classes. Drawn as a tree::

    SpotlakeError
    +-- InvalidInputError       FIX_INPUT      the run's input is wrong; nothing was called
    +-- ConfigurationError      FIX_SETUP      a setting, permission or secret is missing or wrong
    |   +-- SignInError         FIX_SETUP      Azure refused the credentials
    +-- RunInProgressError      SKIP           another execution holds the claim
    +-- AzureError
    |   +-- AzureThrottledError TRY_LATER      429; ``retry_after_seconds`` when Azure gave it
    |   +-- AzureUnavailableError TRY_LATER    5xx, time-out, connection lost; retries are used up
    |   |   +-- SignInUnavailableError TRY_LATER  the sign-in endpoint gave no usable answer
    |   +-- AzureRefusedError   FIX_SETUP      any other 4xx; ``status``, ``code`` and ``text`` say why
    |   +-- UntrustedAnswerError KEEP_OLD_DATA empty, shrunken, unreadable or looping answer
    +-- StoreError              TRY_LATER      S3 or DynamoDB failed after botocore's own retries
    |   +-- ConflictError       TRY_LATER      a conditional write lost against another writer
    |   +-- DamagedStateError   FIX_SETUP      a document of the state is damaged or of a newer schema
    +-- ShardRefusedError       KEEP_OLD_DATA  a shard that is damaged or not of this run
    +-- DeadlineError           RESUME         time ran out; what was done is stored
    +-- ReclaimedError          RESUME         the spot machine is being taken away (SIGTERM)
    +-- CoverageError           TRY_LATER      merged, but too little of the plan was collected
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Recovery(Enum):
    """What the one who catches an error should do."""

    FIX_INPUT = "correct the input and start again"
    FIX_SETUP = "correct the setting, permission or secret and start again"
    SKIP = "nothing to do: another run is at it"
    TRY_LATER = "the next run tries again by itself"
    KEEP_OLD_DATA = "the last good data stay in place; look if it repeats"
    RESUME = "start again: it goes on where it stopped"


class SpotlakeError(Exception):
    """Root of all errors of this product."""

    recovery: ClassVar[Recovery] = Recovery.TRY_LATER


class InvalidInputError(SpotlakeError):
    """A value of the run's input was refused; the text names field, value and what is allowed."""

    recovery = Recovery.FIX_INPUT

    def __init__(self, field: str, value: object, allowed: str) -> None:
        """Keep the three parts, and say them in one sentence.

        Args:
            field: The input's field, as its user wrote it.
            value: What was given.
            allowed: What would have been accepted, as a phrase ("one of auto, full").
        """
        self.field, self.value, self.allowed = field, value, allowed
        super().__init__(f"{field}: {value!r} is not allowed; give {allowed}")


class ConfigurationError(SpotlakeError):
    """A setting, permission or secret is missing or wrong; the text says which and where."""

    recovery = Recovery.FIX_SETUP


class SignInError(ConfigurationError):
    """Azure refused the credentials of ``AzureAuth``; the text holds its code, never a secret."""


class RunInProgressError(SpotlakeError):
    """Another execution collects right now; this one ends without doing anything."""

    recovery = Recovery.SKIP


class AzureError(SpotlakeError):
    """An Azure API did not give a usable answer.

    Attributes:
        api: Which one: "placement scores", "retail prices", "resource graph", "locations".
        status: HTTP status, or None when no answer came.
        code: Azure's error code ("InvalidParameter"), or None.
        text: The beginning of Azure's own words; never holds a token.
    """

    def __init__(
        self, api: str, message: str, *, status: int | None = None, code: str | None = None, text: str = ""
    ) -> None:
        """Keep what a caller may match on; ``message`` is for people."""
        self.api, self.status, self.code, self.text = api, status, code, text
        super().__init__(f"{api}: {message}")


class AzureThrottledError(AzureError):
    """429. ``retry_after_seconds`` is what Azure asked for, or None when it did not say."""

    def __init__(
        self,
        api: str,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        status: int | None = 429,
        code: str | None = None,
        text: str = "",
    ) -> None:
        """As ``AzureError``, with the wait that was asked for."""
        self.retry_after_seconds = retry_after_seconds
        super().__init__(api, message, status=status, code=code, text=text)


class AzureUnavailableError(AzureError):
    """A 5xx, a time-out or a lost connection, after the HTTP client's retries."""


class SignInUnavailableError(AzureUnavailableError):
    """The sign-in endpoint gave no usable answer after azure-identity's retries: the credentials may be right."""


class AzureRefusedError(AzureError):
    """A 4xx other than 429: the request, the subscription or the role is wrong."""

    recovery = Recovery.FIX_SETUP


class UntrustedAnswerError(AzureError):
    """Status 200, but not to be believed: empty, shrunken, unreadable or going in circles."""

    recovery = Recovery.KEEP_OLD_DATA


class StoreError(SpotlakeError):
    """S3 or DynamoDB failed after botocore's retries; the text names the key or table."""


class ConflictError(StoreError):
    """A conditional write found something else than it expected: somebody was quicker."""


class DamagedStateError(StoreError):
    """A document of the state is damaged, or of a schema that this code does not read; the text names it."""

    recovery = Recovery.FIX_SETUP


class ShardRefusedError(SpotlakeError):
    """A shard cannot be merged; ``key`` names it, ``reason`` is one of a fixed few.

    Reasons: missing, truncated, not_gzip, not_json, wrong_schema, other_run, other_dataset,
    other_region, row_count, duplicate_row, bad_row.
    """

    recovery = Recovery.KEEP_OLD_DATA

    def __init__(self, key: str, reason: str, detail: str = "") -> None:
        """Name the shard and why it was refused."""
        self.key, self.reason, self.detail = key, reason, detail
        super().__init__(f"{key}: refused ({reason}){': ' + detail if detail else ''}")


class DeadlineError(SpotlakeError):
    """The time given ran out before the work was done; what was done is stored."""

    recovery = Recovery.RESUME


class ReclaimedError(SpotlakeError):
    """The spot machine is being taken away; the next attempt goes on from the checkpoints."""

    recovery = Recovery.RESUME


class CoverageError(SpotlakeError):
    """What was collected is merged, but it is less than the settings ask for."""
