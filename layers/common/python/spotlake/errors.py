"""Every error that the product raises, and how to recover from each.

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
    +-- GroupEndedError         TRY_LATER      a region's group of collectors ended before they could say how it went
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Recovery(Enum):
    """What to do after an error."""

    FIX_INPUT = "correct the input and start again"
    FIX_SETUP = "correct the setting, permission or secret and start again"
    SKIP = "nothing to do: another run is at it"
    TRY_LATER = "the next run tries again by itself"
    KEEP_OLD_DATA = "the last good data stay in place; look if it repeats"
    RESUME = "start again: it continues where it stopped"


_MOST_ECHOED = 200  # characters of a refused value


class SpotlakeError(Exception):
    """Root of all errors of this product."""

    recovery: ClassVar[Recovery] = Recovery.TRY_LATER


class InvalidInputError(SpotlakeError):
    """A value of the run's input was refused; the text names the field, the value and the allowed values."""

    recovery = Recovery.FIX_INPUT

    def __init__(self, field: str, value: object, allowed: str) -> None:
        """Keep the three parts, and make one sentence of them.

        Args:
            field: Field of the input, as the user wrote it.
            value: The given value.
            allowed: The allowed values, as a phrase ("one of auto, full").
        """
        self.field, self.value, self.allowed = field, value, allowed
        # The whole error has to fit into the state of an execution (256 kB).
        echoed = repr(value)
        echoed = echoed if len(echoed) <= _MOST_ECHOED else f"{echoed[:_MOST_ECHOED]}..."
        super().__init__(f"{field[:_MOST_ECHOED]}: {echoed} is not allowed; give {allowed}")


class ConfigurationError(SpotlakeError):
    """A setting, permission or secret is missing or wrong; the text names it and its place."""

    recovery = Recovery.FIX_SETUP


class SignInError(ConfigurationError):
    """Azure refused the credentials; the text holds its code and what is wrong, never a secret.

    Attributes:
        part: The wrong part (``azure.sign_in_refusals.Part``); empty when Azure did not say.
        code: Azure's code (AADSTS...); empty when there is none.
    """

    def __init__(self, message: str, *, part: str = "", code: str = "") -> None:
        """Keep which part is wrong."""
        self.part, self.code = part, code
        super().__init__(message)


class RunInProgressError(SpotlakeError):
    """Another execution is collecting. This execution ends without doing anything."""

    recovery = Recovery.SKIP


class AzureError(SpotlakeError):
    """An Azure API did not give a usable answer.

    Attributes:
        api: Name of the API: "placement scores", "retail prices", "resource graph" or "locations".
        status: HTTP status, or None when no answer came.
        code: Azure's error code ("InvalidParameter"), or None.
        text: The beginning of Azure's message; never holds a token.
    """

    def __init__(
        self, api: str, message: str, *, status: int | None = None, code: str | None = None, text: str = ""
    ) -> None:
        """Keep the fields that a caller may match on; ``message`` is for people."""
        self.api, self.status, self.code, self.text = api, status, code, text
        super().__init__(f"{api}: {message}")


class AzureThrottledError(AzureError):
    """Status 429. ``retry_after_seconds`` is the wait that Azure asked for, or None when Azure named none."""

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
        """As ``AzureError``, with the wait that Azure asked for."""
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
    """Status 200 with an answer that is not believed: empty, shrunken, unreadable or repeating itself."""

    recovery = Recovery.KEEP_OLD_DATA


class StoreError(SpotlakeError):
    """S3 or DynamoDB failed after botocore's retries; the text names the key or table."""


class ConflictError(StoreError):
    """The condition of a write did not hold: another writer was quicker."""


class DamagedStateError(StoreError):
    """A document of the state is damaged, or of a schema that this code does not read; the text names it."""

    recovery = Recovery.FIX_SETUP


class ShardRefusedError(SpotlakeError):
    """A shard cannot be merged. ``key`` names the shard, and ``reason`` is one of a fixed list.

    Reasons: missing, truncated, not_gzip, not_json, wrong_schema, other_run, other_attempt, other_dataset,
    other_region, row_count, duplicate_row, bad_row, too_large.
    """

    recovery = Recovery.KEEP_OLD_DATA

    def __init__(self, key: str, reason: str, detail: str = "") -> None:
        """Keep the shard's key and the reason of the refusal."""
        self.key, self.reason, self.detail = key, reason, detail
        super().__init__(f"{key}: refused ({reason}){': ' + detail if detail else ''}")


class DeadlineError(SpotlakeError):
    """The time ran out before the work was done. Finished work is stored."""

    recovery = Recovery.RESUME


class ReclaimedError(SpotlakeError):
    """The spot machine is being taken away. The next start continues from the checkpoints."""

    recovery = Recovery.RESUME


class CoverageError(SpotlakeError):
    """The collected data is merged, but there is less of it than the settings require."""


class GroupEndedError(SpotlakeError):
    """A region's group ended (after five minutes, say) before its collectors said how it went; the state machine's own.

    What the collectors had stored by then is merged.
    """
