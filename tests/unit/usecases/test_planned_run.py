"""What Plan answers and leaves behind: its whole result, the attempt's record, its claim, the mark of a full run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest

from spotlake import keys
from spotlake.clock import ManualClock
from spotlake.errors import InvalidInputError
from spotlake.events import PlanResult
from spotlake.models import Dataset, Mode, Run, run_id_of
from spotlake.planning.attempt import AttemptRecord
from spotlake.planning.catalogue import Catalogue
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.shards import ShardHeader, encode_shard
from spotlake.state.attempts import attempts_of, read_record, read_work, write_record
from spotlake.state.catalogue import change_catalogue
from spotlake.state.full_runs import read_full_runs
from spotlake.stores.claims import Claim, MemoryClaims
from spotlake.stores.ledger import MemoryLedger
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.plan.plan_run import PlanDeps, plan_run
from spotlake.usecases.plan.prepare_work import PrepareDeps

WALL = datetime(2025, 12, 15, 10, 4, 7, tzinfo=UTC)
SLOT_AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
STARTED = "2025-12-15T10:04:05.250000+00:00"
FENCE = 1765793047000  # milliseconds of WALL
LEASE_END = 1765793047 + (3 * 60 + 5) * 60
ME, OTHER = "arn:me", "arn:other"
SIZE = "Standard_D2s_v5"
NOTE = "production has no sps_metadata.yaml; the desired count follows the timestamp"


@dataclass
class Office:
    """A deployment in which one execution plans."""

    listed: tuple[str, ...] = ("eastus", "westus")
    settings: Settings = field(default_factory=Settings)
    routing: tuple[str, ...] = ("eastus", "westus")
    secret_days_left: int | None = None
    notes: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    wall: datetime = WALL

    def __post_init__(self) -> None:
        self.objects, self.claims = MemoryObjects(), MemoryClaims()
        self.prepared_for: list[Run] = []
        if self.listed:
            pairs = {region: {SIZE: "2025-12-14"} for region in self.listed}
            change_catalogue(self.objects, lambda _: Catalogue(pairs=pairs))

    def plan(self, *, owner: str = ME, **wanted: Any) -> PlanResult:
        deps = PlanDeps(
            objects=self.objects,
            claims=self.claims,
            wall=ManualClock(self.wall),
            is_running=self.running.__contains__,
            settings=self.settings,
            prepare=self._prepare,
        )
        return plan_run(wanted, execution_id=owner, started_at=STARTED, deps=deps)

    def _prepare(self, run: Run) -> PrepareDeps:
        self.prepared_for.append(run)
        return PrepareDeps(
            objects=self.objects, production=MemoryObjects(), ledger=MemoryLedger(), clock=ManualClock(self.wall),
            subscriptions=("sub-a",), routing=self.routing, settings=self.settings, effort_seconds=0.0,
            notes=self.notes, secret_days_left=self.secret_days_left,
        )  # fmt: skip

    def claim(self, lane: str) -> Claim | None:
        return self.claims._read(lane)


def run_json(mode: str = "incremental", count: int = 20) -> dict[str, Any]:
    return {
        "run_id": "20251215T1000Z", "attempt": FENCE, "mode": mode, "desired_counts": [count], "started_at": STARTED,
        "owner": ME,
    }  # fmt: skip


def claimed(owner: str = ME, **changes: Any) -> Claim:
    found = Claim(owner=owner, run_id="20251215T1000Z", lease_until_epoch=LEASE_END, fence=FENCE)
    return replace(found, **changes)


# -- results -----------------------------------------------------------------------------------------


def test_a_slot_s_result_in_every_field() -> None:
    office = Office(notes=("first",))
    result = office.plan()
    assert result == {
        "status": "planned", "run": run_json(), "groups": [["eastus"], ["westus"]], "notes": ["first", NOTE],
        "start_full_run": True, "collect_instead": False, "calls_planned": 1, "calls_waiting": 0, "quota_left": 20,
        "oldest_waiting_minutes": 0.0,
    }  # fmt: skip
    record = read_record(office.objects, SLOT_AT, FENCE)
    asked = replace(Run.from_dict(result["run"]), desired_counts=(1,)) if result["run"] else None
    assert (record.run, record.scope, record.includes) == (asked, Scope(), ())
    assert office.prepared_for == [asked]
    work = read_work(office.objects, SLOT_AT, FENCE)
    assert work is not None
    assert work.run == Run.from_dict(run_json())  # type: ignore[arg-type]
    assert (office.claim("collection"), office.claim("full_run")) == (claimed(), None)
    assert read_full_runs(office.objects).is_due(SLOT_AT)  # the other execution will note its own


def test_a_full_run_s_result_in_every_field() -> None:
    office = Office()
    result = office.plan(mode="full")
    assert result == {
        "status": "planned", "run": run_json("full", 1), "groups": [], "notes": [], "start_full_run": False,
        "collect_instead": False,
    }  # fmt: skip
    assert office.prepared_for == []  # the job signs in by itself
    assert (office.claim("collection"), office.claim("full_run")) == (None, claimed())
    assert not read_full_runs(office.objects).is_due(SLOT_AT)


def test_what_is_turned_away_leaves_nothing() -> None:
    office = Office(running=(OTHER,))
    office.plan(owner=OTHER)
    before = dict(office.objects.objects)
    assert office.plan() == {
        "status": "skipped", "reason": "run 20251215T1000Z is being collected by arn:other", "run": None, "groups": [],
    }  # fmt: skip
    assert office.objects.objects == before
    assert office.claim("collection") == claimed(OTHER)


@pytest.mark.parametrize("running", [(OTHER,), ()], ids=["runs", "has ended"])
def test_an_owner_that_no_longer_runs_keeps_nobody_out(running: tuple[str, ...]) -> None:
    office = Office(running=running)
    office.plan(owner=OTHER)
    assert office.plan()["status"] == ("skipped" if running else "planned")


def test_a_lease_ends_after_three_hours_and_five_minutes() -> None:
    office = Office(running=(OTHER,))
    office.plan(owner=OTHER)
    for minutes, status in ((184, "skipped"), (185, "planned")):
        office.wall = WALL + timedelta(minutes=minutes)
        assert office.plan()["status"] == status


@pytest.mark.parametrize(("timestamp", "note"), [("2025-12-15T10:07:00Z", True), ("2025-12-15T10:00:00Z", False)])
def test_a_timestamp_within_a_slot_is_moved_and_noted_first(timestamp: str, *, note: bool) -> None:
    office = Office(notes=("second",))
    moved = "the timestamp was moved to its ten-minute slot, 2025-12-15T10:00:00Z"
    result = office.plan(timestamp=timestamp)
    assert result["notes"] == [*([moved] if note else []), "second", NOTE]
    assert office.plan(owner=OTHER, timestamp=timestamp, mode="full")["notes"] == ([moved] if note else [])


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (None, {}),
        (30, {"secret_days_left": 30, "secret_ends_soon": False}),
        (29, {"secret_days_left": 29, "secret_ends_soon": True}),
    ],
)
def test_the_end_of_the_secret_is_told(days: int | None, told: dict[str, Any]) -> None:
    result = Office(secret_days_left=days).plan()
    assert {name: value for name, value in result.items() if name.startswith("secret")} == told


def test_regions_are_grouped_by_their_calls() -> None:
    office = Office(settings=Settings(region_groups=1), routing=("eastus",))
    assert office.plan()["groups"] == [["eastus", "westus"]]


def test_calls_that_wait_are_told() -> None:
    office = Office(routing=())
    result = office.plan()
    assert (result["calls_planned"], result["calls_waiting"], result["oldest_waiting_minutes"]) == (0, 1, None)


# -- modes and lanes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "wanted", "mode", "collect_instead", "is_noted"),
    [
        ((), {}, "full", True, True),
        ((), {"mode": "full"}, "full", True, True),
        ((), {"regions": ["eastus"]}, "full", False, False),
        ((), {"instance_types": ["Standard_D*"]}, "full", False, False),
        ((), {"resume": True}, "incremental", False, False),
        ((), {"mode": "incremental"}, "incremental", False, False),
        (("eastus",), {"regions": ["westus"]}, "full", False, False),
        (("eastus",), {"regions": ["eastus", "westus"]}, "full", False, False),
        (("eastus",), {"regions": ["eastus"]}, "incremental", False, False),
        (("eastus",), {"regions": ["westus"], "resume": True}, "incremental", False, False),
        (("eastus",), {"mode": "full"}, "full", False, True),
        (("eastus",), {"mode": "full", "resume": True}, "full", False, False),
    ],
)
def test_the_mode_and_what_a_failed_first_full_run_leads_to(
    listed: tuple[str, ...], wanted: dict[str, Any], mode: str, *, collect_instead: bool, is_noted: bool
) -> None:
    office = Office(listed=listed)
    result = office.plan(**wanted)
    assert result["run"] is not None
    assert (result["run"]["mode"], result.get("collect_instead", False)) == (mode, collect_instead)
    assert read_full_runs(office.objects).is_due(SLOT_AT) == (not is_noted)


@pytest.mark.parametrize(
    ("wanted", "is_started"),
    [({}, True), ({"mode": "incremental"}, False), ({"regions": ["eastus"]}, False), ({"resume": True}, False)],
    ids=["whole", "named", "part", "resumed"],
)
def test_the_daily_full_run_is_started_beside_a_whole_slot(wanted: dict[str, Any], *, is_started: bool) -> None:
    assert Office().plan(**wanted).get("start_full_run") == is_started


@pytest.mark.parametrize(
    ("wanted", "lane"),
    [
        ({}, "collection"),
        ({"mode": "incremental"}, "collection"),
        ({"mode": "full"}, "full_run"),
        ({"regions": ["eastus"]}, "part#arn:me"),
        ({"resume": True}, "part#arn:me"),
        ({"mode": "full", "regions": ["eastus"]}, "part#arn:me"),
    ],
)
def test_the_lane_that_is_claimed(wanted: dict[str, Any], lane: str) -> None:
    office = Office()
    office.plan(**wanted)
    lanes = ("collection", "full_run", "part#arn:me")
    assert {one: office.claim(one) for one in lanes} == {**dict.fromkeys(lanes), lane: claimed()}


def test_without_a_catalogue_all_regions_of_the_subscription_are_candidates() -> None:
    regions = ["eastus", "swedensouth", "westus"]  # the second sells spot, and is no routing location
    office = Office(listed=())
    assert sorted(chain.from_iterable(office.plan(mode="incremental")["groups"])) == regions
    listed = Office(listed=("eastus",))
    assert listed.plan(mode="incremental")["groups"] == [["eastus"]]
    named = Office(listed=(), settings=Settings(regions=("westus",)))
    assert named.plan(mode="incremental")["groups"] == [["westus"]]


def test_counts_of_the_input_are_those_of_the_run() -> None:
    office = Office()
    result = office.plan(mode="full", desired_count=[5, 10])
    assert result["run"] is not None
    assert result["run"]["desired_counts"] == [5, 10]
    assert read_record(office.objects, SLOT_AT, FENCE).scope.desired_counts == (5, 10)


# -- names that nobody knows -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "field_name"),
    [
        ({"instance_types": ["Standard_Z*"]}, "instance_types"),
        ({"instance_types": ["Standard_Z*"], "regions": ["eastus"]}, "instance_types"),
        ({"regions": ["japaneast"], "mode": "incremental"}, "regions"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_claimed(wanted: dict[str, Any], field_name: str) -> None:
    office = Office()
    with pytest.raises(InvalidInputError) as raised:
        office.plan(**wanted)
    assert raised.value.field == field_name
    assert [office.claim(lane) for lane in ("collection", "full_run")] == [None, None]
    assert attempts_of(office.objects, SLOT_AT) == ()


@pytest.mark.parametrize(
    "wanted",
    [
        {"instance_types": ["standard_d2*"]},
        {"instance_types": ["Standard_Z*"], "regions": ["japaneast"]},  # its listing may hold them
        {"instance_types": ["Standard_Z*"], "regions": ["eastus", "japaneast"]},
    ],
)
def test_sizes_that_may_be_there_are_accepted(wanted: dict[str, Any]) -> None:
    assert Office().plan(**wanted)["status"] == "planned"


def test_without_a_catalogue_no_name_is_unknown() -> None:
    wanted: dict[str, Any] = {"instance_types": ["Standard_Z*"], "regions": ["japaneast"], "mode": "incremental"}
    assert Office(listed=()).plan(**wanted)["status"] == "planned"


# -- clocks ------------------------------------------------------------------------------------------


def test_an_old_slot_is_taken_where_the_clock_follows_the_run() -> None:
    old = "2025-12-01T10:00:00Z"
    with pytest.raises(InvalidInputError):
        Office().plan(timestamp=old)
    result = Office(settings=Settings(clock="run")).plan(timestamp=old)
    assert result["run"] is not None
    assert result["run"]["run_id"] == "20251201T1000Z"


# -- a resumed slot ----------------------------------------------------------------------------------


def stored_listing(office: Office, attempt: int, sizes: tuple[str, ...] = ()) -> None:
    """An earlier attempt that listed the prices of eastus, of some sizes or of all."""
    run = Run(
        run_id=run_id_of(SLOT_AT), attempt=attempt, mode=Mode.INCREMENTAL, desired_counts=(5,), started_at=WALL,
        owner=OTHER,
    )  # fmt: skip
    write_record(office.objects, AttemptRecord(run=run, scope=Scope(instance_types=sizes)))
    report = CollectorReport(dataset=Dataset.PRICE, region="eastus", status="complete", rows=0)
    header = ShardHeader(
        dataset=Dataset.PRICE, run_id=run.run_id, attempt=attempt, region="eastus", source="live", collected_at=WALL,
        report=report,
    )  # fmt: skip
    office.objects.put(keys.shard(Dataset.PRICE, SLOT_AT, "eastus", attempt), encode_shard(header, ()))


def test_a_resumed_attempt_counts_on_the_others_and_asks_for_the_rest() -> None:
    office = Office()
    stored_listing(office, 3)
    stored_listing(office, 4, (SIZE,))
    result = office.plan(resume=True)
    assert result["run"] is not None
    attempt = result["run"]["attempt"]
    assert read_record(office.objects, SLOT_AT, attempt).includes == (3, 4)
    work = read_work(office.objects, SLOT_AT, attempt)
    assert work is not None
    assert {region: item.datasets for region, item in work.items.items()} == {
        "eastus": (Dataset.SPS, Dataset.EVICTION), "westus": tuple(Dataset),
    }  # fmt: skip
    again = office.plan(resume=True)  # the same execution: its own attempt is none of the others
    assert again["run"] == result["run"]


def test_a_resumed_attempt_at_other_sizes_takes_no_listing_of_some_sizes_for_whole() -> None:
    office = Office()
    stored_listing(office, 4, (SIZE,))
    for wanted, datasets in (([SIZE], (Dataset.SPS, Dataset.EVICTION)), (["Standard_*"], tuple(Dataset))):
        result = office.plan(owner=f"arn:{wanted}", resume=True, instance_types=wanted)
        assert result["run"] is not None
        work = read_work(office.objects, SLOT_AT, result["run"]["attempt"])
        assert work is not None
        assert work.items["eastus"].datasets == datasets


def test_an_attempt_that_is_not_resumed_counts_on_nobody() -> None:
    office = Office()
    stored_listing(office, 3)
    result = office.plan()
    assert result["run"] is not None
    assert read_record(office.objects, SLOT_AT, result["run"]["attempt"]).includes == ()
