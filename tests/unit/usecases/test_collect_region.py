"""One invocation of a collector: which work it does, and what it tells the state machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake.errors import InvalidInputError
from spotlake.events import CollectEvent
from spotlake.models import Dataset, Mode, Run, WorkItem
from spotlake.planning.attempt import Work
from spotlake.reports import CollectorReport
from spotlake.state.attempts import write_work
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.region import collect_region, short_result
from tests.support.errors import says

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RUN = Run(run_id="20261123T1000Z", attempt=2, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=NOW_AT, owner="me")
ITEM = WorkItem(region="eastus", datasets=(Dataset.EVICTION,), later=(Dataset.PRICE,))
WORK = Work(run=RUN, items={"eastus": ITEM}, calls_planned=0)


def planned() -> MemoryObjects:
    objects = MemoryObjects("archive", {})
    write_work(objects, WORK)
    return objects


def event(region: str, run: Run = RUN) -> CollectEvent:
    return {"run": run.to_dict(), "region": region}


def never(run: Run, item: WorkItem, work: Work) -> CollectorReport:
    raise AssertionError("nothing is to be collected")


def test_a_region_gets_the_work_that_its_attempt_planned() -> None:
    seen: list[Any] = []

    def collect(run: Run, item: WorkItem, work: Work) -> CollectorReport:
        seen.append((run, item, work))
        return CollectorReport(dataset=Dataset.EVICTION, region=item.region, status="complete", rows=3)

    result = collect_region(event("eastus"), Dataset.EVICTION, planned(), collect)
    assert seen == [(RUN, ITEM, WORK)]
    assert result["dataset"] == "spot_if"
    assert result["rows"] == 3


def test_a_listing_whose_turn_is_later_is_complete_without_a_row() -> None:
    assert collect_region(event("eastus"), Dataset.PRICE, planned(), never) == {
        "dataset": "spot_price", "region": "eastus", "status": "complete", "rows": 0, "error": None, "cause": None,
    }  # fmt: skip


@pytest.mark.parametrize("objects", [planned(), MemoryObjects("archive", {})], ids=["another region", "no work"])
def test_what_the_attempt_did_not_plan_is_refused(objects: MemoryObjects) -> None:
    with says(
        InvalidInputError,
        "region: 'westus' is not allowed; give a region that attempt 2 of 20261123T1000Z has planned",
    ):
        collect_region(event("westus"), Dataset.PRICE, objects, never)


def test_the_state_machine_gets_the_sums_and_a_cause_of_500_characters() -> None:
    counts = {"pages": 2, "calls_sent": 5, "requests": 7, "throttles": 1, "retries": 4, "invalid_rows": 6, "other": 9}
    report = CollectorReport(
        dataset=Dataset.SPS, region="eastus", status="partial", rows=8, counts=counts, error="E", cause="x" * 501
    )
    told = {"pages": 2, "calls_sent": 5, "requests": 7, "throttles": 1, "retries": 4, "invalid_rows": 6}
    assert short_result(report) == {
        "dataset": "sps", "region": "eastus", "status": "partial", "rows": 8, "counts": told, "error": "E",
        "cause": "x" * 500,
    }  # fmt: skip
    quiet = short_result(CollectorReport(dataset=Dataset.SPS, region="eastus", status="complete", rows=8))
    assert (quiet["counts"], quiet["cause"]) == (dict.fromkeys(told, 0), None)
