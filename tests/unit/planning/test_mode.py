"""Which way an execution takes: the Map, the first full run, or the Map with the daily full run beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from spotlake import keys
from spotlake.clock import ManualClock
from spotlake.errors import InvalidInputError, StoreError
from spotlake.events import PlanResult
from spotlake.models import Run
from spotlake.planning.catalogue import fold_listing
from spotlake.settings import Settings
from spotlake.state.attempts import attempts_of
from spotlake.state.catalogue import change_catalogue
from spotlake.state.full_runs import note_full_run
from spotlake.stores.claims import MemoryClaims
from spotlake.stores.ledger import MemoryLedger
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.plan.plan_run import LEASE, PlanDeps, plan_run
from spotlake.usecases.plan.prepare_work import PrepareDeps
from spotlake_local.workspace import ROOT

SLOT_AT = datetime(2026, 11, 23, 0, 10, tzinfo=UTC)
SIZE = "Standard_D2s_v5"


class Archive:
    """A write bucket, perhaps with a catalogue in it, and the claims."""

    def __init__(self, **settings: Any) -> None:
        self.objects, self.claims = MemoryObjects(), MemoryClaims()
        self.settings = Settings(**settings)
        self.clock = ManualClock(SLOT_AT)
        self.executions = 0

    def list_regions(self, *regions: str) -> None:
        listing = {region: [SIZE] for region in regions}
        change_catalogue(self.objects, lambda before: fold_listing(before, SLOT_AT.date(), listing, {}, keep_days=3))

    def plan(self, *, running: bool = False, **wanted: Any) -> PlanResult:
        def prepare(_: Run) -> PrepareDeps:
            return PrepareDeps(
                objects=self.objects,
                production=MemoryObjects(),
                ledger=MemoryLedger(),
                clock=self.clock,
                subscriptions=("sub-a",),
                routing=("eastus", "koreacentral"),
                settings=self.settings,
                effort_seconds=0.0,
            )

        self.executions += 1
        deps = PlanDeps(
            objects=self.objects,
            claims=self.claims,
            wall=self.clock,
            is_running=lambda _: running,
            settings=self.settings,
            prepare=prepare,
        )
        return plan_run(wanted, execution_id=f"arn:{self.executions}", started_at=SLOT_AT.isoformat(), deps=deps)

    def way(self, **wanted: Any) -> tuple[str, bool]:
        """Mode, and whether the daily full run is to be started beside it."""
        planned = self.plan(**wanted)
        assert planned["run"] is not None
        return planned["run"]["mode"], planned.get("start_full_run", False)


def test_the_first_run_ever_is_full_and_the_map_takes_its_place_when_it_fails() -> None:
    planned = Archive().plan()
    assert planned["run"] is not None
    assert (planned["run"]["mode"], planned.get("collect_instead")) == ("full", True)


def test_an_execution_that_plans_again_goes_the_way_that_it_chose_first(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive()
    put = archive.objects.put

    def refuse_once_written(key: str, body: bytes, **options: Any) -> str:
        etag = put(key, body, **options)
        if key == keys.FULL_RUNS:
            raise StoreError("the answer was lost")
        return etag

    with monkeypatch.context() as patched:
        patched.setattr(archive.objects, "put", refuse_once_written)
        with pytest.raises(StoreError):
            archive.plan()
        archive.executions -= 1  # the state machine tries the same execution again
    again = archive.plan()
    assert again["run"] is not None
    assert (again["run"]["mode"], again.get("collect_instead")) == ("full", True)
    assert attempts_of(archive.objects, SLOT_AT) == (again["run"]["attempt"],)


def test_without_a_catalogue_a_slot_lists_prices_while_the_first_full_run_goes_on() -> None:
    archive = Archive()
    archive.plan()
    archive.clock.advance(minutes=10)
    planned = archive.plan(running=True)
    assert planned["run"] is not None
    assert planned["run"]["mode"] == "incremental"
    assert planned["groups"] == [["eastus"], ["koreacentral"], ["swedensouth"]]  # the last sells and is listed nowhere


def test_a_slot_collects_by_itself_and_starts_the_daily_full_run_beside_it() -> None:
    archive = Archive()
    archive.list_regions("eastus", "koreacentral")
    assert archive.way() == ("incremental", True)
    note_full_run(archive.objects, SLOT_AT, done=True)
    archive.clock.advance(minutes=10)
    assert archive.way() == ("incremental", False)
    archive.clock.advance(minutes=24 * 60)
    assert archive.way() == ("incremental", True)


def test_a_full_run_that_failed_is_tried_again_at_the_next_full_hour() -> None:
    archive = Archive()
    archive.list_regions("eastus")
    assert archive.way(mode="full") == ("full", False)
    starts = []
    for _ in range(12):
        archive.clock.advance(minutes=10)
        planned = archive.plan()
        starts.append(planned.get("start_full_run"))
        if planned.get("start_full_run"):
            archive.plan(mode="full")
    assert starts == [False] * 4 + [True] + [False] * 5 + [True, False]  # 00:20 to 02:10


def test_no_second_full_run_is_started_beside_one_that_runs() -> None:
    archive = Archive()
    archive.list_regions("eastus")
    archive.plan(mode="full")
    archive.clock.advance(minutes=60)
    assert archive.plan(running=True).get("start_full_run") is False
    assert archive.plan(running=True, mode="full")["status"] == "skipped"


def test_a_run_by_hand_of_some_regions_keeps_no_slot_out_and_starts_no_full_run() -> None:
    archive = Archive()
    archive.list_regions("eastus", "koreacentral")
    slot = archive.plan(running=True)
    by_hand = archive.plan(running=True, regions=["koreacentral"])
    assert (slot["status"], by_hand["status"]) == ("planned", "planned")
    assert (by_hand["groups"], by_hand.get("start_full_run")) == ([["koreacentral"]], False)
    assert archive.plan(running=True)["status"] == "skipped"  # a second run of everything
    assert len(attempts_of(archive.objects, SLOT_AT)) == 2


def test_regions_that_were_never_listed_are_listed_by_a_job_of_their_own() -> None:
    archive = Archive()
    archive.list_regions("koreacentral")
    assert archive.way(regions=["eastus"]) == ("full", False)
    assert archive.way() == ("incremental", True)  # it stands for no day's full run
    assert archive.way(regions=["koreacentral"]) == ("incremental", False)
    with pytest.raises(InvalidInputError, match="regions: 'eastus'"):
        archive.plan(regions=["eastus"], mode="incremental")


def test_no_claim_ends_under_an_execution_that_still_runs() -> None:
    machine = orjson.loads((ROOT / "statemachine/collector.asl.json").read_bytes())
    assert LEASE.total_seconds() > machine["TimeoutSeconds"]


def test_names_that_nobody_knows_are_refused() -> None:
    archive = Archive()
    archive.list_regions("koreacentral")
    with pytest.raises(InvalidInputError, match="instance_types: 'Standard_Z"):
        archive.plan(instance_types=["Standard_Z*"])
    with pytest.raises(InvalidInputError, match="regions: 'koreacentrall'"):
        archive.plan(regions=["koreacentrall"], mode="incremental")


def test_planning_again_after_a_store_failed_is_the_same_attempt_and_the_same_work() -> None:
    archive = Archive()
    archive.list_regions("eastus", "koreacentral")
    first = archive.plan()
    stored = dict(archive.objects.objects)
    archive.executions -= 1
    archive.list_regions("westus")  # whatever has changed meanwhile
    again = archive.plan()
    assert (again["run"], again["groups"]) == (first["run"], first["groups"])
    assert {key: body for key, body in archive.objects.objects.items() if key.startswith("work/")} == {
        key: body for key, body in stored.items() if key.startswith("work/")
    }


def test_the_slot_before_midnight_leaves_the_next_day_its_full_run() -> None:
    archive = Archive()
    archive.list_regions("eastus")
    note_full_run(archive.objects, SLOT_AT - timedelta(days=1), done=True)
    assert archive.way() == ("incremental", True)
