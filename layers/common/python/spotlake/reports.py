"""What a collector says of its work: its report, the account of pairs, and what it found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from spotlake.models import Dataset

type PairList = tuple[tuple[str, str], ...]  # (region, size)


@dataclass(frozen=True, kw_only=True)
class PairAccount:
    """What one collector, attempt or slot asked of one scored region at one desired count.

    Every pair that was asked stands in exactly one of the three parts, so the parts add up to what was asked.

    Attributes:
        region: The region whose sizes were scored, whichever region's collector sent the calls.
        desired_count: Machines asked for.
        scored: Sizes that were answered with a score; the rows of the shard name them.
        without_score: Reason -> sizes that were answered without a score: restricted, stale, unknown_word,
            unknown_zone (a building that nobody knows), invalid_name (Azure does not know region or size).
        unanswered: Reason -> sizes that got no answer: no_quota, deadline, unavailable, not_in_answer, ...
    """

    region: str
    desired_count: int
    scored: int = 0
    without_score: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unanswered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """How many pairs got an answer, with a score or without one."""
        return self.scored + sum(map(len, self.without_score.values()))

    @property
    def missing(self) -> int:
        """How many pairs got none."""
        return sum(map(len, self.unanswered.values()))

    @property
    def asked(self) -> int:
        """How many pairs were asked."""
        return self.answered + self.missing


@dataclass(frozen=True, kw_only=True)
class LocationAnswers:
    """How one routing location did in one attempt: calls sent, failed, answered slowly."""

    sent: int
    failed: int
    slow: int
    median_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a collector found out for later runs and for people; sizes in ARM casing unless said otherwise.

    Attributes:
        invalid_regions, invalid_instance_types: Names that Azure refused.
        restricted_pairs: Pairs that two subscriptions may not use.
        unrestricted_pairs: Pairs remembered as restricted that some subscription may use (size as ``join_key``).
        restricted_for: Digest of a subscription -> pairs that it may not use though another may.
        refused_subscriptions: Digest of a subscription that Azure refused -> the error's code.
        locations: By routing location.
        unconfirmed_sizes: Of prices: sizes of the catalogue that neither the listing nor a narrow request confirmed.
        unknown_kinds: Of prices: a few rows that no rule knows, their telling fields, one of each kind.
        absent_spot, absent_ondemand: Of prices: sizes whose price of that kind a narrow request did not find either.
        disagreeing_sizes: Of prices: a few sizes of which two meters say two prices, "spot Standard_D2s_v5".
        windows_spot_usd_per_hour: Of prices, where the second witness is asked: size -> Windows spot price.
    """

    invalid_regions: tuple[str, ...] = ()
    invalid_instance_types: tuple[str, ...] = ()
    restricted_pairs: PairList = ()
    unrestricted_pairs: PairList = ()
    restricted_for: Mapping[str, PairList] = field(default_factory=dict)
    refused_subscriptions: Mapping[str, str] = field(default_factory=dict)
    locations: Mapping[str, LocationAnswers] = field(default_factory=dict)
    unconfirmed_sizes: tuple[str, ...] = ()
    unknown_kinds: tuple[Mapping[str, Any], ...] = ()
    absent_spot: tuple[str, ...] = ()
    absent_ondemand: tuple[str, ...] = ()
    disagreeing_sizes: tuple[str, ...] = ()
    windows_spot_usd_per_hour: Mapping[str, float] = field(default_factory=dict)


type CollectorStatus = Literal["complete", "partial", "failed"]


@dataclass(frozen=True, kw_only=True)
class CollectorReport:
    """What one collector says of its work: in its shard's header and, in short, to the state machine.

    Attributes:
        dataset: Which data set.
        region: ARM code.
        status: complete (all that was asked for), partial (some calls unsent), failed (nothing usable).
        rows: Rows in the shard.
        counts: Named whole numbers: requests, pages, calls_sent, throttles, retries, rejected kinds, ...
        seconds: How long it took.
        unsent_call_ids: Placement-score calls that got no answer.
        accounts: Placement scores: what was asked and answered, by scored region and desired count.
        error: Class name of what stopped it, or None.
        cause: One line for people, or None.
        found: Placement scores: what later runs can learn from the answers.
    """

    dataset: Dataset
    region: str
    status: CollectorStatus
    rows: int
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    unsent_call_ids: tuple[str, ...] = ()
    accounts: tuple[PairAccount, ...] = ()
    error: str | None = None
    cause: str | None = None
    found: Findings = field(default_factory=Findings)

    def to_dict(self) -> dict[str, Any]:
        """For a shard's header."""
        return {**asdict(self), "dataset": self.dataset.value}
