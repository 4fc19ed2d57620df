"""The words everything else speaks: slot, run, data set, desired count, placement-score call."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, Self

SLOT_MINUTES = 10
DESIRED_COUNTS = (1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50)
MAX_CALL_REGIONS = 8  # per placement-score call; MicrosoftDocs spot-placement-score.md, 2026-05-19
MAX_CALL_INSTANCE_TYPES = 5  # the same page
REGIONAL_ZONE = "Single"  # a score without a zone
NO_ZONE = "N/A"  # a workload that has no score at all


class Dataset(StrEnum):
    """The three data sets; the value is the folder's name under ``rawdata/azure``."""

    SPS = "sps"
    PRICE = "spot_price"
    EVICTION = "spot_if"


class Mode(StrEnum):
    """How a run collects: the Map over regions, or the Batch job that also rebuilds the plan."""

    INCREMENTAL = "incremental"
    FULL = "full"


def floor_to_slot(moment: datetime) -> datetime:
    """The ten-minute slot that ``moment`` (aware) falls into, in UTC.

    >>> floor_to_slot(datetime(2025, 12, 15, 10, 9, 59, tzinfo=UTC)).isoformat()
    '2025-12-15T10:00:00+00:00'
    """
    utc = moment.astimezone(UTC)
    return utc.replace(minute=utc.minute - utc.minute % SLOT_MINUTES, second=0, microsecond=0)


def run_id_of(slot_at: datetime) -> str:
    """``20251215T1000Z`` for the slot at that time.

    >>> run_id_of(datetime(2025, 12, 15, 10, 0, tzinfo=UTC))
    '20251215T1000Z'
    """
    return slot_at.astimezone(UTC).strftime("%Y%m%dT%H%MZ")


def slot_of_run_id(run_id: str) -> datetime:
    """The inverse of ``run_id_of``; ValueError on any other text."""
    return datetime.strptime(run_id, "%Y%m%dT%H%MZ").replace(tzinfo=UTC)


def to_iso(moment: datetime) -> str:
    """``2025-12-15T10:00:00Z``: the form of every time in our files (whole seconds)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_iso(text: str) -> datetime:
    """The inverse of ``to_iso`` (any ISO 8601 form with an offset)."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return moment.astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: what is passed from state to state and names all that it writes.

    Attributes:
        run_id: ``20251215T1000Z``.
        mode: incremental or full.
        desired_counts: The counts asked in this run; one, or several in a manual full run.
        started_at: When the execution began, by the wall (ISO); the run's clock is set by it.
        owner: Who holds the claim: the execution's ARN.
        fence: The claim's number; it only grows, and later writers refuse older numbers.
    """

    run_id: str
    mode: Mode
    desired_counts: tuple[int, ...]
    started_at: str
    owner: str
    fence: int

    @property
    def slot_at(self) -> datetime:
        """The run's slot, the time of all its observations."""
        return slot_of_run_id(self.run_id)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From the state machine's JSON."""
        return cls(
            run_id=data["run_id"],
            mode=Mode(data["mode"]),
            desired_counts=tuple(data["desired_counts"]),
            started_at=data["started_at"],
            owner=data["owner"],
            fence=data["fence"],
        )

    def to_dict(self) -> dict[str, Any]:
        """For the state machine's JSON."""
        return {**asdict(self), "mode": self.mode.value, "desired_counts": list(self.desired_counts)}


@dataclass(frozen=True, kw_only=True)
class ScoreCall:
    """One placement-score call: every size in every region, one desired count.

    Attributes:
        call_id: Names the call within its run; the same in every attempt ("c0042", for a count "c0042-5").
        location: The routing location it is sent through; need not be one of ``regions``.
        regions: ARM codes, at most 8.
        instance_types: ARM sizes, at most 5.
        desired_count: Machines asked for.
    """

    call_id: str
    location: str
    regions: tuple[str, ...]
    instance_types: tuple[str, ...]
    desired_count: int

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From a work item."""
        return cls(
            call_id=data["call_id"],
            location=data["location"],
            regions=tuple(data["regions"]),
            instance_types=tuple(data["instance_types"]),
            desired_count=data["desired_count"],
        )

    def to_dict(self) -> dict[str, Any]:
        """For a work item."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class WorkItem:
    """What the three collectors of one region are to do in one run (written by Plan).

    Attributes:
        run_id: The run it belongs to; a collector refuses another run's item.
        region: ARM code.
        instance_types: The region's sizes in the catalogue, ARM casing, after the run's filter.
        calls: Placement-score calls to send, in order of importance. A location is routed by one
            region's collector only: its own region's, or where it has none, one that Plan chose.
        fallback_locations: Where to send a call whose own location fails, healthiest first.
        ondemand: Whether on-demand prices are refreshed besides spot prices.
        filtered: Whether the run asked for some sizes only: rows of others are then dropped.
        quota_share_percent: Our share of the placement-score quota as Plan decided it; 0: the setting's.
        last_good_rows: Data set -> rows of the region in the last good run, to notice a fall.
        stored: Data sets whose shard of this slot is there already and is left alone (``resume``).
    """

    run_id: str
    region: str
    instance_types: tuple[str, ...] = ()
    calls: tuple[ScoreCall, ...] = ()
    fallback_locations: tuple[str, ...] = ()
    ondemand: bool = True
    filtered: bool = False
    quota_share_percent: int = 0
    last_good_rows: dict[str, int] = field(default_factory=dict)
    stored: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From its JSON in the write bucket."""
        return cls(
            run_id=data["run_id"],
            region=data["region"],
            instance_types=tuple(data["instance_types"]),
            calls=tuple(ScoreCall.from_dict(call) for call in data["calls"]),
            fallback_locations=tuple(data["fallback_locations"]),
            ondemand=data["ondemand"],
            filtered=data["filtered"],
            quota_share_percent=data.get("quota_share_percent", 0),
            last_good_rows=data.get("last_good_rows", {}),
            stored=tuple(data.get("stored", ())),
        )

    def to_dict(self) -> dict[str, Any]:
        """For its JSON in the write bucket."""
        return asdict(self)


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
        unsent_call_ids: Placement-score calls that got no answer; they go first in the next run.
        error: Class name of what stopped it, or None.
        cause: One line for people, or None.
        found: What was learnt for later runs, folded into the state after the merge: ``invalid_regions``,
            ``invalid_instance_types``, ``restricted_pairs``, ``locations`` (health by routing location).
    """

    dataset: Dataset
    region: str
    status: CollectorStatus
    rows: int
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    unsent_call_ids: tuple[str, ...] = ()
    error: str | None = None
    cause: str | None = None
    found: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For a shard's header."""
        return {**asdict(self), "dataset": self.dataset.value}
