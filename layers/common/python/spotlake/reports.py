"""A collector's report: status, accounts of pairs, and findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from spotlake.models import Dataset

type PairList = tuple[tuple[str, str], ...]  # (region, size)


@dataclass(frozen=True, kw_only=True)
class PairAccount:
    """The account of one scored region at one desired count, for a collector, an attempt or a slot.

    Every asked pair is in exactly one of the three parts, so the parts add up to the asked pairs.

    Attributes:
        region: The scored region, whichever region's collector sent the calls.
        desired_count: Number of machines asked for.
        scored: Number of sizes that got a score. The rows of the shard name them.
        without_score: Reason -> sizes that got an answer without a score. Reasons: restricted, stale, unknown_word,
            unknown_zone (the building is not known), invalid_name (Azure does not know region or size).
        unanswered: Reason -> sizes that got no answer. Reasons: no_quota, deadline, unavailable, not_in_answer, ...
    """

    region: str
    desired_count: int
    scored: int = 0
    without_score: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unanswered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """Number of pairs that got an answer, with or without a score."""
        return self.scored + sum(map(len, self.without_score.values()))

    @property
    def missing(self) -> int:
        """Number of pairs that got no answer."""
        return sum(map(len, self.unanswered.values()))

    @property
    def asked(self) -> int:
        """Number of pairs that were asked."""
        return self.answered + self.missing


@dataclass(frozen=True, kw_only=True)
class LocationAnswers:
    """Calls through one routing location in one attempt: sent, failed, and answered slowly."""

    sent: int
    failed: int
    slow: int
    median_seconds: float | None = None


type RowSample = Mapping[str, str | float | None]  # a row of the price list: its telling fields


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Findings of a collector, for later runs and for people. Sizes are in ARM casing unless noted.

    Attributes:
        invalid_regions, invalid_instance_types: Names that Azure refused.
        answered_regions, answered_instance_types: Names that an earlier run was refused for, and that have rows now.
        restricted_pairs: Pairs that two subscriptions may not use.
        unrestricted_pairs: Pairs remembered as restricted that some subscription may use (size as ``join_key``).
        restricted_for: Digest of a subscription -> pairs that this subscription may not use and another may.
        refused_subscriptions: Digest of a subscription that Azure refused -> the error's code.
        locations: Routing location -> counts of its calls.
        unconfirmed_sizes: For prices: sizes of the catalogue that neither the listing nor a narrow request confirmed.
        unknown_kinds: Of prices: a few rows that no rule knows, their telling fields, one of each kind.
        absent_spot, absent_ondemand: Of prices: sizes whose price of that kind a narrow request did not find either.
        disagreeing_sizes: Of prices: a few sizes of which two meters say two prices, "spot Standard_D2s_v5".
        windows_spot_usd_per_hour: Of prices, where the second witness is asked: size -> Windows spot price.
    """

    invalid_regions: tuple[str, ...] = ()
    invalid_instance_types: tuple[str, ...] = ()
    answered_regions: tuple[str, ...] = ()
    answered_instance_types: tuple[str, ...] = ()
    restricted_pairs: PairList = ()
    unrestricted_pairs: PairList = ()
    restricted_for: Mapping[str, PairList] = field(default_factory=dict)
    refused_subscriptions: Mapping[str, str] = field(default_factory=dict)
    locations: Mapping[str, LocationAnswers] = field(default_factory=dict)
    unconfirmed_sizes: tuple[str, ...] = ()
    unknown_kinds: tuple[RowSample, ...] = ()
    absent_spot: tuple[str, ...] = ()
    absent_ondemand: tuple[str, ...] = ()
    disagreeing_sizes: tuple[str, ...] = ()
    windows_spot_usd_per_hour: Mapping[str, float] = field(default_factory=dict)


type CollectorStatus = Literal["complete", "partial", "failed"]


@dataclass(frozen=True, kw_only=True)
class CollectorReport:
    """The report of one collector. The shard's header holds it whole; the state machine gets it in short.

    Attributes:
        dataset: The data set.
        region: ARM code.
        status: complete (all that was asked for), partial (some calls unsent), failed (nothing usable).
        rows: Number of rows in the shard.
        counts: Named whole numbers: requests, pages, calls_sent, throttles, retries, rejected kinds, ...
        seconds: Duration of the collector.
        unsent_call_ids: Ids of placement-score calls that got no answer.
        accounts: For placement scores: accounts by scored region and desired count.
        error: Class name of the error that stopped the collector, or None.
        cause: One sentence on the error, or None.
        found: Findings for later runs.
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
