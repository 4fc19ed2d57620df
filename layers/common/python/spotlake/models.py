"""The central types: slot, run, data set, desired count, placement-score call, work item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, Self, TypedDict

SLOT_MINUTES = 10
SLOTS_A_DAY = 24 * 60 // SLOT_MINUTES
DESIRED_COUNTS = (1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50)
MAX_CALL_REGIONS = 8  # per placement-score call; MicrosoftDocs spot-placement-score.md, 2026-05-19
MAX_CALL_INSTANCE_TYPES = 5  # the same page
ZONE_NUMBERS = ("1", "2", "3")  # the most that a region has (Azure, 2026-11)
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
    """The inverse of ``run_id_of``. Raises ValueError for any other text."""
    return datetime.strptime(run_id, "%Y%m%dT%H%MZ").replace(tzinfo=UTC)


def to_iso(moment: datetime) -> str:
    """``2025-12-15T10:00:00Z``: the form of every time in our files (whole seconds)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_iso(text: str) -> datetime:
    """The inverse of ``to_iso`` (any ISO 8601 form with an offset)."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is no moment in UTC") from None


class RunJson(TypedDict):
    """``Run`` as the state machine's JSON holds it."""

    run_id: str
    attempt: int
    mode: str
    desired_counts: list[int]
    started_at: str
    owner: str


class ScoreCallJson(TypedDict):
    """``ScoreCall`` as a work item's JSON holds it."""

    call_id: str
    location: str
    regions: Sequence[str]
    instance_types: Sequence[str]
    desired_count: int


@dataclass(frozen=True, kw_only=True)
class Run:
    """One attempt at a slot's run. It passes from step to step and names everything that the attempt writes.

    A run is everything that was collected for a slot. Each execution that collects for the slot is one attempt.
    Attempts add to each other and overwrite nothing.

    Attributes:
        run_id: The slot, ``20251215T1000Z``.
        attempt: Number of the attempt: the fence of its claim. Numbers are unique in a deployment and only grow. 0
            stands for data that was stored before attempts had numbers.
        mode: incremental (the Map over regions) or full (the Batch job).
        desired_counts: Desired counts that the attempt asks, at least one.
        started_at: When the execution began, by the wall clock. The run's clock is set by this time.
        owner: ARN of the execution that holds the claim.
    """

    run_id: str
    attempt: int
    mode: Mode
    desired_counts: tuple[int, ...]
    started_at: datetime
    owner: str

    @property
    def slot_at(self) -> datetime:
        """The run's slot, the time of all its observations."""
        return slot_of_run_id(self.run_id)

    @classmethod
    def from_dict(cls, data: RunJson) -> Self:
        """Read a run from the state machine's JSON.

        Raises KeyError, ValueError or TypeError when the JSON is no run.
        """
        return cls(
            run_id=data["run_id"],
            attempt=data["attempt"],
            mode=Mode(data["mode"]),
            desired_counts=tuple(data["desired_counts"]),
            started_at=from_iso(data["started_at"]),
            owner=data["owner"],
        )

    def to_dict(self) -> RunJson:
        """Return the form of the state machine's JSON."""
        return {
            "run_id": self.run_id,
            "attempt": self.attempt,
            "mode": self.mode.value,
            "desired_counts": list(self.desired_counts),
            "started_at": self.started_at.isoformat(),
            "owner": self.owner,
        }


@dataclass(frozen=True, kw_only=True)
class ScoreCall:
    """One placement-score call: every size in every region, one desired count.

    Attributes:
        call_id: Name of the call within its run ("c0042-5"); equal in every attempt.
        location: Routing location that the call is sent through; need not be one of ``regions``.
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
    def from_dict(cls, data: ScoreCallJson) -> Self:
        """Read a call from a work item's JSON."""
        return cls(
            call_id=data["call_id"],
            location=data["location"],
            regions=tuple(data["regions"]),
            instance_types=tuple(data["instance_types"]),
            desired_count=data["desired_count"],
        )

    def to_dict(self) -> ScoreCallJson:
        """Return the form of a work item's JSON."""
        return {
            "call_id": self.call_id,
            "location": self.location,
            "regions": self.regions,
            "instance_types": self.instance_types,
            "desired_count": self.desired_count,
        }


@dataclass(frozen=True, kw_only=True)
class WorkItem:
    """The work of one region's collectors in one attempt.

    Attributes:
        region: ARM code.
        instance_types: The region's sizes in the catalogue, ARM casing, after the attempt's filter.
        calls: Placement-score calls to send, most important first. Only one region's collector sends calls through a
            location: that of the location's own region, or else one that Plan chose.
        datasets: Data sets to collect. A resumed attempt leaves out data sets that the slot has whole.
        later: Listings whose turn is a later slot (settings ``price_every_minutes`` and ``eviction_every_minutes``).
        fallback_locations: Locations for a call whose own location fails, healthiest first.
        ondemand: Whether to refresh on-demand prices too.
        filtered: Whether the attempt asks for some sizes only. Rows of other sizes are then dropped.
        quota_share_percent: Our share of the placement-score quota, as Plan decided; 0: use the setting.
        last_good_rows: Data set -> number of rows in the region's last whole listing, to notice a fall.
        whole_at: Data set -> slot (ISO) in which the region was last listed whole.
        absent_spot, absent_ondemand: Sizes whose price of that kind a narrow request lately did not find: they are
            counted as unconfirmed, and not asked for narrowly again.
        witness: Whether the second witness of prices is asked for this region in this attempt.
    """

    region: str
    instance_types: tuple[str, ...] = ()
    calls: tuple[ScoreCall, ...] = ()
    datasets: tuple[Dataset, ...] = tuple(Dataset)
    later: tuple[Dataset, ...] = ()
    fallback_locations: tuple[str, ...] = ()
    ondemand: bool = True
    filtered: bool = False
    quota_share_percent: int = 0
    last_good_rows: Mapping[str, int] = field(default_factory=dict)
    whole_at: Mapping[str, str] = field(default_factory=dict)
    absent_spot: tuple[str, ...] = ()
    absent_ondemand: tuple[str, ...] = ()
    witness: bool = False

    def is_due(self, dataset: Dataset) -> bool:
        """Whether to collect this data set. Scores need calls; listings do not."""
        return dataset in self.datasets and (dataset is not Dataset.SPS or bool(self.calls))


type ScoreMap = Mapping[str, Mapping[str, int | str]]  # count -> score ("s") and since when ("at", ISO)
type Value = str | int | float | ScoreMap
type Item = Mapping[str, Value]  # an item of the workload table: docs/data.md


class ItemChange(NamedTuple):
    """A change to one item of the workload table.

    Attributes:
        item: All attributes of the item.
        is_new: Whether the table has no such item yet.
        only: Names of the attributes that changed; None: write all attributes.
    """

    item: Item
    is_new: bool
    only: tuple[str, ...] | None
