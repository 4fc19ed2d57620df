"""Listings that are asked less often than every slot (settings price_every_minutes, eviction_every_minutes)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import AzureRefusedError
from spotlake.models import Mode, Run, run_id_of, to_iso
from spotlake.planning.scope import Scope
from spotlake.usecases.merge.finish_run import FinishDeps, finish_run
from spotlake.usecases.merge.merge_run import MergeDeps
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.house import PATIENCE_SECONDS, SLOT_AT, House, run_of

SCOPE = Scope(regions=("chilecentral",))
SLOT = timedelta(minutes=10)


class Slow(House):
    """Prices every 30 minutes, rates every 20; one slot after the other."""

    def __init__(self, azure: SimulatedAzure) -> None:
        super().__init__(azure)
        self.azure, self.asked = azure, dict[str, int]()
        settings = replace(self.services.settings, price_every_minutes=30, eviction_every_minutes=20)
        vars(self.services).update(settings=settings)

    def slot(self, number: int, *, mode: Mode = Mode.INCREMENTAL, scope: Scope = SCOPE) -> dict[str, Any]:
        """Collect and merge the slot with this number. Returns its manifest; ``asked`` has what Azure was asked."""
        at = SLOT_AT + number * SLOT
        self.azure.set_clock(at)
        vars(self.services).update(wall=ManualClock(at))
        run = replace(run_of(mode, 1), run_id=run_id_of(at), attempt=number + 2, started_at=at)
        before = self.azure.stats()["answers"]
        (self.full if mode is Mode.FULL else self.incremental)(scope, run)
        now = self.azure.stats()["answers"]
        self.asked = {name: now[name] - before.get(name, 0) for name in now if now[name] != before.get(name, 0)}
        return self.merge(run)

    def merge(self, run: Run) -> dict[str, Any]:
        merge = MergeDeps(
            objects=self.objects, workloads=self.workloads, clock=self.services.wall,
            deadline=Deadline.after(PATIENCE_SECONDS), settings=self.services.settings,
        )  # fmt: skip
        finish_run(run, [], FinishDeps(merge=merge, objects=self.objects))
        return dict(orjson.loads(self.objects.objects[keys.manifest(run.slot_at)]))


@pytest.fixture
def slow(azure: SimulatedAzure, monkeypatch: pytest.MonkeyPatch) -> Slow:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    house = Slow(azure)
    house.slot(0, mode=Mode.FULL)
    return house


def test_azure_is_asked_for_what_is_due_and_nothing_else(slow: Slow) -> None:
    asked, said = [], []
    for number in range(1, 7):
        manifest = slow.slot(number)
        asked.append(("retail 200" in slow.asked, "graph 200" in slow.asked, "sps 200" in slow.asked))
        said.append((manifest["status"], manifest["coverage"]["price"], manifest["coverage"]["eviction"]))
    full = 100.0
    assert asked == [
        (False, False, True),
        (False, True, True),
        (True, False, True),
        (False, True, True),
        (False, False, True),
        (True, True, True),
    ]
    # Complete is what was owed: a listing whose turn is later has no coverage, and the manifest says why.
    assert said == [
        ("complete", None, None),
        ("complete", None, full),
        ("complete", full, None),
        ("complete", None, full),
        ("complete", None, None),
        ("complete", full, full),
    ]


def test_a_value_keeps_the_time_of_its_look(slow: Slow) -> None:
    manifest = slow.slot(1)
    assert manifest["coverage_reasons"] == dict.fromkeys(("price", "eviction"), "its turn is a later slot")
    times = {item.get("PriceAt") for item in slow.workloads.items.values() if "SpotPrice" in item}
    assert times == {to_iso(SLOT_AT)}
    assert manifest["stale"] == []


def test_a_failed_listing_is_due_in_the_next_slot(slow: Slow, azure: SimulatedAzure) -> None:
    slow.slot(1)
    slow.slot(2)
    azure.fault(api="retail", status=400, times=50)
    with pytest.raises(AzureRefusedError):
        slow.slot(3)
    azure.clear_faults()
    manifest = slow.slot(4)
    assert (slow.asked.get("retail 200", 0) > 0, manifest["coverage"]["price"]) == (True, 100.0)
    # It stays in step: a slot with all regions, and with both listings, is what rows and witnesses are compared in.
    slow.slot(5)
    assert "retail 200" not in slow.asked
    slow.slot(6)
    assert {"retail 200", "graph 200"} <= slow.asked.keys()


@pytest.mark.parametrize(
    "scope",
    [replace(SCOPE, filtered=True), replace(SCOPE, resume=True)],
    ids=["a part", "resumed"],
)
def test_who_asks_for_a_part_gets_all_of_it(slow: Slow, scope: Scope) -> None:
    slow.slot(1, scope=scope)
    assert {"retail 200", "graph 200"} <= slow.asked.keys()


def test_a_full_run_asks_everything(slow: Slow) -> None:
    slow.slot(1, mode=Mode.FULL)
    assert {"retail 200", "graph 200"} <= slow.asked.keys()


def test_a_listing_of_a_later_slot_says_nothing_of_an_earlier_one(slow: Slow) -> None:
    slow.slot(-1)
    assert {"retail 200", "graph 200"} <= slow.asked.keys()


def test_a_day_before_with_another_turn_is_no_fall_of_rows(slow: Slow) -> None:
    day, scope = 144, replace(SCOPE, desired_counts=(1,))
    assert slow.slot(4, scope=scope)["rows"]["price"] > 0
    slow.slot(day + 3, scope=scope)
    manifest = slow.slot(day + 4, scope=scope)
    assert manifest["rows"]["price"] == 0
    assert manifest["rows_difference_percent"] < 20
