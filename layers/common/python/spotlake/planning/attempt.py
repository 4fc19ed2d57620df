"""An attempt: what it was asked, what it planned, what stopped it (pure). Stored by ``state.attempts``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from spotlake.models import Dataset, Run, ScoreCall, WorkItem
from spotlake.planning.scope import Scope

FIRST_FORM = 0  # the attempt that stands for what was stored before attempts had numbers


@dataclass(frozen=True, kw_only=True)
class AttemptRecord:
    """What an attempt was asked.

    Attributes:
        run: The attempt; its counts are those of the input, or the first one.
        scope: What it covers.
        includes: Earlier attempts of the slot whose answers it counts on; they are merged with it.
    """

    run: Run
    scope: Scope
    includes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Work:
    """What an attempt planned, for all its regions.

    Attributes:
        run: The attempt, with the counts that were chosen.
        items: Region -> what its collectors are to do.
        calls_planned: Placement-score calls in this attempt.
        calls_waiting: Calls that were wanted in this attempt and did not fit into the quota.
        quota_left: Calls that could be reserved before this attempt.
        oldest_waiting_minutes: How old the oldest of the waiting scores is; 0 when none waits, None when
            something waits that was never asked.
        blocks: Call id -> id of the block of the stored call plan that it asks.
        confirmed_at: Region -> data set -> slot of the last whole listing or answer, when the attempt was planned.
    """

    run: Run
    items: Mapping[str, WorkItem]
    calls_planned: int = 0
    calls_waiting: int = 0
    quota_left: int = 0
    oldest_waiting_minutes: float | None = 0.0
    blocks: Mapping[str, str] = field(default_factory=dict)
    confirmed_at: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def calls(self) -> list[ScoreCall]:
        """Every placement-score call of the attempt."""
        return [call for item in self.items.values() for call in item.calls]

    def owed_sizes(self) -> dict[str, frozenset[str]]:
        """Region -> sizes whose scores are owed; calls ask other pairs too, which fill up their rectangle."""
        return {region: frozenset(item.instance_types) for region, item in self.items.items()}

    def shards(self) -> list[tuple[Dataset, str]]:
        """The shards that the attempt should leave: data set and collecting region."""
        return [
            (dataset, region)
            for region, item in self.items.items()
            for dataset in Dataset
            if item.is_due(dataset) or (self.run.attempt == FIRST_FORM and dataset in item.datasets)
        ]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What stopped a collector (its data set and region), or a whole step (neither)."""

    error: str
    cause: str
    dataset: str = ""
    region: str = ""

    @classmethod
    def from_dict(cls, content: Mapping[str, object]) -> Self:
        """From the state machine's JSON or a stored end."""
        return cls(
            error=str(content.get("error") or "UnknownError"),
            cause=str(content.get("cause") or ""),
            dataset=str(content.get("dataset") or ""),
            region=str(content.get("region") or ""),
        )

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        return {"error": self.error, "cause": self.cause, "dataset": self.dataset, "region": self.region}
