"""What became of a placement-score call, and how its routing location did."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from spotlake.errors import SpotlakeError
from spotlake.reports import LocationAnswers
from spotlake.scores.accounts import AnsweredCall

SLOW_SECONDS = 20.0  # production of 2026 calls more than 20 s slow
_BAD_AFTER = 4  # failures before a location that fails half of its calls is left alone
# Subscriptions refused in a row before a location is taken to be shut for this run: somebody else uses its
# quota up, or the quota's scope is not what we think. No more calls are wasted on it.
_SHUT_AFTER = 5


@dataclass
class LocationHealth:
    """How one routing location did in this run."""

    sent: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)  # subscriptions, since the last score

    @property
    def is_shut(self) -> bool:
        """Whether Azure refuses it for quota whoever asks."""
        return len(self.refused) >= _SHUT_AFTER

    @property
    def is_bad(self) -> bool:
        """Whether the rest of the calls should go elsewhere."""
        return self.failed >= _BAD_AFTER and 2 * self.failed >= self.sent

    def answers(self) -> LocationAnswers:
        """For the collector's findings."""
        return LocationAnswers(
            sent=self.sent,
            failed=self.failed,
            slow=sum(seconds > SLOW_SECONDS for seconds in self.seconds),
            median_seconds=round(statistics.median(self.seconds), 3) if self.seconds else None,
        )


@dataclass(frozen=True)
class Delivery:
    """What became of a call.

    Attributes:
        answer: Its rows, with the names that were refused on the way; None when it got no answer.
        reason: Why it got none: no_quota, deadline, stopped, unavailable, unreadable, refused,
            invalid_request or unsupported_location.
        error: The last error on the way to no answer, if it was one.
        elsewhere: Whether another location may do better.
    """

    answer: AnsweredCall | None = None
    reason: str = ""
    error: SpotlakeError | None = None
    elsewhere: bool = True
