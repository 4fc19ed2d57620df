"""A slot as it was read: its attempts, their rows, and what was asked and answered (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from spotlake.merge.columns import Columns
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
    """One attempt, as read.

    Attributes:
        record: What it was asked.
        work: What it planned; None when it ended before.
        failures: What was caught while it collected; None when it never came to its merge.
        reports: What its collectors say of themselves.
        refused: Its shards that are missing or cannot be merged.
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
        slot_at: The slot.
        attempts: In order of their numbers.
        columns: Rows of all of them: of prices and rates the later attempt's, of scores the lower.
        account: What was asked and answered of scores.
        digest: Differs when any shard's bytes do, or the attempts.
    """

    slot_at: datetime
    attempts: list[AttemptRead]
    columns: Columns = field(default_factory=Columns)
    account: SlotAccount = field(default_factory=SlotAccount)
    digest: str = ""

    @property
    def desired_count(self) -> int:
        """What the slot's snapshot shows the scores of: the first count of the first attempt at everything."""
        whole = [one for one in self.attempts if not one.record.scope.filtered and not one.record.scope.resume]
        first = (whole or self.attempts)[0]
        return (first.work.run if first.work else first.record.run).desired_counts[0]

    @property
    def reports(self) -> list[CollectorReport]:
        """What all collectors say of themselves."""
        return [report for attempt in self.attempts for report in attempt.reports]
