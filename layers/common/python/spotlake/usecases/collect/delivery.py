"""The result of a placement-score call, and the health of its routing location."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spotlake.errors import SpotlakeError
from spotlake.reports import LocationAnswers
from spotlake.scores.accounts import AnsweredCall

SLOW_SECONDS = 20.0  # production calls an answer after more than 20 s slow (2026)
_BAD_AFTER = 4  # failures after which a location that fails half of its calls is avoided
# Subscriptions refused in a row before a location counts as shut for this run. Then somebody else uses up its quota, or
# the quota's scope differs from what we know, and further calls would be wasted.
_SHUT_AFTER = 5


@dataclass
class LocationHealth:
    """Results of the calls through one routing location in this run."""

    sent: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)  # subscriptions, since the last score

    @property
    def is_shut(self) -> bool:
        """Whether Azure refuses the location for quota, whichever subscription asks."""
        return len(self.refused) >= _SHUT_AFTER

    @property
    def is_bad(self) -> bool:
        """Whether the remaining calls should use other locations."""
        return self.failed >= _BAD_AFTER and 2 * self.failed >= self.sent

    def answers(self) -> LocationAnswers:
        """Return the form of the collector's findings."""
        return LocationAnswers(
            sent=self.sent,
            failed=self.failed,
            slow=sum(seconds > SLOW_SECONDS for seconds in self.seconds),
            median_seconds=round(_middle(self.seconds), 3) if self.seconds else None,
        )


def _middle(values: Sequence[float]) -> float:
    """The median; the module ``statistics`` costs each cold start 5 ms."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


@dataclass(frozen=True)
class Delivery:
    """The result of a call.

    Attributes:
        answer: The answered call, with the names that Azure refused meanwhile; None when there is no answer.
        reason: Why there is no answer: no_quota, deadline, stopped, unavailable, unreadable, refused, invalid_request
            or unsupported_location.
        error: The last error, if there was one.
        elsewhere: Whether another location may succeed.
    """

    answer: AnsweredCall | None = None
    reason: str = ""
    error: SpotlakeError | None = None
    elsewhere: bool = True


def cause_of(reasons: Mapping[str, int], *, unsent: int, calls: int, missing: int, error: Exception | None) -> str:
    """One sentence on the calls without an answer, for the collector's report.

    >>> cause_of({"no_quota": 2}, unsent=2, calls=5, missing=80, error=None)
    '2 of 5 calls got no answer (2 no_quota); 80 pairs are without an answer'
    """
    said = ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))
    text = f"{unsent} of {calls} calls got no answer" + (f" ({said})" if said else "")
    return f"{text}; {missing} pairs are without an answer" + (f"; last: {error}" if error else "")
