"""A slot's price list beside Resource Graph's history of the same slot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson

from spotlake.merge.slot import AttemptRead, SlotRead
from spotlake.models import Dataset, Run, WorkItem
from spotlake.planning.attempt import AttemptRecord, Work
from spotlake.planning.price_memory import Compared
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport, Findings
from spotlake.state.price_histories import write_price_history
from spotlake.usecases.merge.second_witness import compare_witnesses
from tests.functional.merge.conftest import FIRST, REGION, World

A, B, C = "Standard_A1_v2", "Standard_B2s", "Standard_C3"


def history(size: str, usd_per_hour: float, *, system: str = "Linux", minutes: int = -60) -> dict[str, Any]:
    at = (FIRST + timedelta(minutes=minutes)).isoformat()
    prices = [{"effectiveDate": at, "priceUSD": usd_per_hour}]
    return {"skuName": size.lower(), "osType": system, "location": REGION, "spotPrices": orjson.dumps(prices).decode()}


def slot(run: Run, *, witness: bool = True, work: bool = True) -> SlotRead:
    item = WorkItem(region=REGION, instance_types=(A,), witness=witness)
    planned = Work(run=run, items={REGION: item}, calls_planned=0) if work else None
    record = AttemptRecord(run=run, scope=Scope())
    return SlotRead(slot_at=run.slot_at, attempts=[AttemptRead(record=record, work=planned, failures=())])


def listed(
    world: World, run: Run, *, status: str = "complete", windows: dict[str, float] | None = None, **header: Any
) -> None:
    told = {
        "run_id": run.run_id, "source": "simulated", "observed_at": "2025-12-15T10:00:05Z", "spot_meter_id": "m",
        "spot_effective_start_at": "2025-12-01T00:00:00Z",
    }  # fmt: skip
    rows = [told | world.price(size, usd) for size, usd in ((A, 0.01), (B, 0.02), (C, None))]
    found = Findings(windows_spot_usd_per_hour=windows or {})
    report = CollectorReport(dataset=Dataset.PRICE, region=REGION, status=status, rows=3, found=found)  # type: ignore[arg-type]
    world.shard(run, Dataset.PRICE, rows, report=report, **header)


def asked(world: World, run: Run, rows: list[dict[str, Any]]) -> None:
    write_price_history(world.objects, run, REGION, rows, source="simulated", collected_at=FIRST)


def test_both_systems_are_compared_at_the_slot_and_odd_rows_counted() -> None:
    world = World()
    run = world.run(0, attempt=3)
    listed(world, run, windows={A: 0.5})
    rows = [history(A, 0.01), history(B, 0.05), history(A, 0.5, system="Windows"), history(C, 0.03)]
    asked(world, run, [*rows, {"skuName": "odd"}])
    (found,) = compare_witnesses(world.objects, slot(run))
    assert found.to_dict() == {
        "region": REGION, "attempt": 3, "answered": True, "odd_rows": 1,
        "systems": {
            "linux": {
                "agreeing": 1, "disagreeing": 1, "only_listed": 0, "only_in_history": 1,
                "worst": (
                    {"instance_type": B, "listed_usd_per_hour": 0.02, "history_usd_per_hour": 0.05},
                ),
            },
            "windows": {"agreeing": 1, "disagreeing": 0, "worst": (), "only_listed": 0, "only_in_history": 0},
        },
    }  # fmt: skip
    assert found.compared(FIRST) == Compared(at="2025-12-15T10:00:00Z", agreeing=2, disagreeing=1)


def test_without_a_whole_list_or_a_history_there_is_no_answer() -> None:
    world = World()

    def answer(number: int) -> Any:
        run = world.run(number)
        (found,) = compare_witnesses(world.objects, slot(run))
        assert (found.region, found.attempt, found.odd_rows) == (REGION, run.attempt, 0)
        assert found.compared(FIRST) == Compared(at="2025-12-15T10:00:00Z")
        return found.to_dict()["answered"]

    listed(world, world.run(0))  # no history
    asked(world, world.run(1), [history(A, 0.01)])  # no list
    listed(world, world.run(2), status="partial")
    asked(world, world.run(2), [history(A, 0.01)])
    listed(world, world.run(3))
    asked(world, world.run(3), [history(A, 0.01)])
    (key,) = world.objects.keys("rawdata/azure/price_history/2025/12/15/10-30/")
    world.objects.put(key, b"damaged")
    listed(world, world.run(4), run_id="20251215T1010Z")  # refused: it is of another slot
    asked(world, world.run(4), [history(A, 0.01)])
    assert [answer(number) for number in range(5)] == [False] * 5


def test_only_regions_whose_history_was_to_be_asked_are_compared() -> None:
    world = World()
    run = world.run(0)
    listed(world, run)
    asked(world, run, [history(A, 0.01)])
    assert compare_witnesses(world.objects, slot(run, witness=False)) == []
    assert compare_witnesses(world.objects, slot(run, work=False)) == []
