"""An attempt: its input, its plan and its failure (pure). Stored by ``state.attempts``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from spotlake.models import Dataset, Run, ScoreCall, WorkItem
from spotlake.planning.scope import Scope
from spotlake.planning.score_knowledge import ScoreKnowledge

FIRST_FORM = 0  # the attempt that stands for what was stored before attempts had numbers


@dataclass(frozen=True, kw_only=True)
class AttemptRecord:
    """What the input asked of an attempt.

    Attributes:
        run: The attempt, with the desired counts of the input, or else count 1.
        scope: Regions and sizes that the attempt covers.
        includes: Numbers of the slot's earlier attempts whose answers this attempt counts on. They are merged together.
        known: Whether it is known what the attempt was asked. If not, it may have listed some sizes alone.
    """

    run: Run
    scope: Scope
    includes: tuple[int, ...] = ()
    known: bool = True


@dataclass(frozen=True, kw_only=True)
class Work:
    """What an attempt planned, for all its regions.

    Attributes:
        run: The attempt, with the desired counts that Plan chose.
        items: Region -> the work of the region's collectors.
        calls_planned: Number of placement-score calls that this attempt sends.
        calls_waiting: Number of calls that were wanted in this attempt and did not fit into the quota.
        quota_left: Number of calls that could be reserved before this attempt.
        oldest_waiting_minutes: Age of the oldest score that waits, in minutes. 0: no score waits. None: a score waits
            that was never asked.
        blocks: Call id -> id of the block of the stored call plan that the call asks.
        confirmed_at: Region -> data set -> slot of the last whole listing or answer (ISO), as known at planning time.
        knowledge: What the collectors of placement scores need to know; None in work of an older version.
    """

    run: Run
    items: Mapping[str, WorkItem]
    calls_planned: int = 0
    calls_waiting: int = 0
    quota_left: int = 0
    oldest_waiting_minutes: float | None = 0.0
    blocks: Mapping[str, str] = field(default_factory=dict)
    confirmed_at: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    knowledge: ScoreKnowledge | None = None

    def calls(self) -> list[ScoreCall]:
        """Every placement-score call of the attempt."""
        return [call for item in self.items.values() for call in item.calls]

    def owed_sizes(self) -> dict[str, frozenset[str]]:
        """Region -> sizes whose scores are owed.

        A call asks more pairs than are owed, because a call is a rectangle.
        """
        return {region: frozenset(item.instance_types) for region, item in self.items.items()}

    def shards(self) -> list[tuple[Dataset, str]]:
        """Data set and collecting region of every shard that the attempt should write."""
        return [
            (dataset, region)
            for region, item in self.items.items()
            for dataset in Dataset
            if item.is_due(dataset) or (self.run.attempt == FIRST_FORM and dataset in item.datasets)
        ]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The failure of a collector, or of a whole step; a step's failure names no data set and no region."""

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
