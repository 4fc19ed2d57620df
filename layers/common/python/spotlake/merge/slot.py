"""A slot as read: attempts, rows, and the account of what was asked and answered (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from spotlake.merge.columns import Columns
from spotlake.merge.evidence import Looks
from spotlake.models import Dataset
from spotlake.planning.attempt import AttemptRecord, Failure, Work
from spotlake.reports import CollectorReport
from spotlake.scores.accounts import SlotAccount


@dataclass(frozen=True, kw_only=True)
class RefusedShard:
    """A shard that is missing or cannot be merged."""

    key: str
    dataset: Dataset
    region: str
    reason: str


@dataclass(kw_only=True)
class AttemptRead:
    """One attempt of a slot, as read.

    Attributes:
        record: The attempt's record.
        work: The attempt's plan; None when the attempt ended before planning.
        failures: Failures during collecting; None when the attempt never reached its merge.
        reports: Reports of the attempt's collectors.
        refused: The attempt's shards that are missing or cannot be merged.
    """

    record: AttemptRecord
    work: Work | None
    failures: tuple[Failure, ...] | None
    reports: list[CollectorReport] = field(default_factory=list)
    refused: list[RefusedShard] = field(default_factory=list)


@dataclass(kw_only=True)
class SlotRead:
    """Everything that the attempts of a slot collected.

    Attributes:
        slot_at: Beginning of the slot.
        attempts: The attempts, by number.
        columns: Rows of all attempts. For prices and rates the later attempt counts, for scores the lower score.
        account: The account of placement scores.
        digest: Digest of all shards and attempt numbers.
        unknown_zone_rows: Number of score rows that were left out, because their zone is unknown.
    """

    slot_at: datetime
    attempts: list[AttemptRead]
    columns: Columns = field(default_factory=Columns)
    account: SlotAccount = field(default_factory=SlotAccount)
    digest: str = ""
    unknown_zone_rows: int = 0

    @property
    def desired_count(self) -> int:
        """Desired count that the slot's snapshot shows: the first count of the first attempt at everything."""
        whole = [one for one in self.attempts if not one.record.scope.filtered and not one.record.scope.resume]
        first = (whole or self.attempts)[0]
        return (first.work.run if first.work else first.record.run).desired_counts[0]

    @property
    def looks(self) -> Looks:
        """Regions that some attempt listed whole; an attempt whose record is gone may have listed some sizes alone."""
        whole = [one for one in self.attempts if one.record.known and not one.record.scope.instance_types]
        listed = [report for one in whole for report in one.reports if report.status == "complete"]
        prices = [report for report in listed if report.dataset is Dataset.PRICE]
        return Looks(
            by_part={
                "spot": {report.region for report in prices},
                "ondemand": {report.region for report in prices if report.counts.get("ondemand_asked")},
                "frequency": {report.region for report in listed if report.dataset is Dataset.EVICTION},
            }
        )

    @property
    def reports(self) -> list[CollectorReport]:
        """Reports of the collectors of all attempts."""
        return [report for attempt in self.attempts for report in attempt.reports]
