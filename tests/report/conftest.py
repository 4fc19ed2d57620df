"""Two runs of a small world, merged and reported in memory: what the page is made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, sync_playwright

from spotlake.clock import ManualClock
from spotlake.errors import ConfigurationError
from spotlake.events import CollectorStep, MergeStep, PlanStep, ReportEvent, ReportResult
from spotlake.models import Dataset, Run, to_iso
from spotlake.reports import CollectorReport
from spotlake.run_files import JobRecord, MemorySample
from spotlake.state.checkpoints import write_job_record
from spotlake.stores.claims import MemoryClaims
from spotlake.usecases.report.report_run import ReportDeps, report_run
from spotlake_local.browser import find_chromium
from tests.functional.merge.conftest import FIRST, REGION, World

SIZES = ("Standard_D2s_v5", "Standard_E2s_v5", "Standard_NV72ads_A10_v5")
SCORES = {"1": 3, "2": 2, "3": 1}


def reported(
    world: World, run: Run, azure: str = "simulated", collectors: list[CollectorStep] | None = None
) -> ReportResult:
    """Report a merged run as the state machine would; what it returns."""
    began_at = FIRST + timedelta(seconds=2)
    began = began_at.isoformat()
    one = CollectorStep(
        dataset="", region=REGION, status="complete", rows=3, error=None, began_at=began,
        seconds=3.5, peak_memory_mb=90.0, memory_limit_mb=256, counts={"requests": 2},
        aws_requests={"s3_puts": 1, "s3_gets": 3, "dynamodb_writes": 7, "dynamodb_reads": 2},
    )  # fmt: skip
    event = ReportEvent(
        run=run.to_dict(),
        plan=PlanStep(
            status="planned",
            began_at=began,
            seconds=3.5,
            peak_memory_mb=90.0,
            memory_limit_mb=512,
            groups=[[REGION]],
            init_seconds=0.5,
        ),
        collectors=collectors or [{**one, "dataset": dataset.value} for dataset in Dataset],
        merge=MergeStep(
            status="complete",
            began_at=began,
            seconds=3.5,
            peak_memory_mb=90.0,
            memory_limit_mb=1024,
            consumed_write_units=100.0,
            findings=["rows"],
        ),
    )
    deps = ReportDeps(
        objects=world.objects,
        claims=MemoryClaims(),
        wall=ManualClock(FIRST + timedelta(seconds=60)),
        azure=azure,
        architecture="arm64",
    )
    return report_run(event, deps)


@pytest.fixture(scope="session")
def world() -> World:
    """A first run, full; and a second one with changes, a refused shard and a throttled collector."""
    world = World()
    first = world.collected(0, scores=SCORES, sizes=SIZES, ondemand=0.05)
    sample = MemorySample(Timestamp="", Service="full_run", PID=7, Memory_MB=0.0, Kind="sample", Region="")
    job: JobRecord = {
        "attempts": 1,
        "seconds": 30.0,
        "instance_type": "m7g.large",
        "collectors": [],
        "memory": [
            {**sample, "Timestamp": to_iso(FIRST + timedelta(seconds=at)), "Memory_MB": mb}
            for at, mb in ((0, 40.0), (10, 99.5), (20, 120.0))
        ],
    }
    write_job_record(world.objects, first, job)
    world.merge(first)
    reported(world, first)
    second = world.collected(1, scores={**SCORES, "1": 1}, sizes=SIZES[:2], spot=0.02, ondemand=0.05, band=None)
    throttled = CollectorReport(
        dataset=Dataset.PRICE, region=REGION, status="complete", rows=1, counts={"throttles": 2, "retries": 3}
    )
    world.shard(second, Dataset.PRICE, [world.price(SIZES[0], 0.02, 0.05)], report=throttled)
    world.merge(second)
    reported(world, second)
    return world


@pytest.fixture(scope="module")  # its event loop must be gone when the next module starts one of its own
def browser() -> Iterator[Browser]:
    """Headless Chromium. Without one these tests fail, and say what to install."""
    try:
        executable = find_chromium()
    except ConfigurationError as error:
        pytest.fail(str(error), pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        yield browser
        browser.close()
