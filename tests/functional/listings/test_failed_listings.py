"""A full run whose listings fail: it names that as the fault, and takes no region for one that sells nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from spotlake.clock import Deadline
from spotlake.errors import AzureUnavailableError, DeadlineError, SpotlakeError
from spotlake.models import Dataset, Mode, Run
from spotlake.planning.attempt import AttemptRecord
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport
from spotlake.state.attempts import read_work, write_record
from spotlake.state.price_memory import PRICE_MEMORY
from spotlake.usecases.collect.stored_shards import write_shard
from spotlake.usecases.full_run.run_full import run_full
from spotlake.wiring_full_run import full_run_deps
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.house import SLOT_AT, House, run_of

REGION = "koreacentral"


@dataclass
class FullRun:
    """A full run of one region, whose time ends when a test says so."""

    house: House
    seconds_left: float = 600.0
    run: Run = field(default_factory=lambda: run_of(Mode.FULL, 1))

    def start(self, *, sizes: tuple[str, ...] = (), seconds_left: float = 600.0) -> None:
        scope = Scope(regions=(REGION,), instance_types=sizes)
        write_record(self.house.objects, AttemptRecord(run=self.run, scope=scope))
        deadline = Deadline(lambda: self.seconds_left)
        deps = full_run_deps(self.house.services, self.run, deadline, lambda: False, lambda _: None)
        self.seconds_left = seconds_left
        run_full(self.run, deps)

    def store_failed_listing(self) -> None:
        """What an earlier start of this job left, whose machine was taken away before it planned."""
        report = CollectorReport(
            dataset=Dataset.PRICE, region=REGION, status="failed", rows=0, error="AzureThrottledError", cause="429"
        )
        write_shard(self.house.objects, self.run, report, (), source="simulated", collected_at=SLOT_AT)


@pytest.fixture
def full(azure: SimulatedAzure, monkeypatch: pytest.MonkeyPatch) -> FullRun:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    return FullRun(House(azure))


@pytest.mark.parametrize(
    ("seconds_left", "status", "error"), [(0.0, 200, DeadlineError), (600.0, 400, AzureUnavailableError)]
)
def test_a_failed_listing_is_no_fault_of_the_input(
    full: FullRun, azure: SimulatedAzure, seconds_left: float, status: int, error: type[SpotlakeError]
) -> None:
    if status != 200:
        azure.fault(api="retail", status=status, times=100)
    with pytest.raises(error, match=f"the prices of {REGION} could not be listed"):
        full.start(sizes=("Standard_D2*",), seconds_left=seconds_left)


def test_after_an_earlier_start_a_failed_listing_is_none_either(full: FullRun) -> None:
    full.store_failed_listing()
    with pytest.raises(AzureUnavailableError, match="could not be listed, so its sizes are unknown"):
        full.start(sizes=("Standard_D2*",))


def test_a_failed_listing_of_an_earlier_start_does_not_say_that_the_region_sells_nothing(full: FullRun) -> None:
    full.store_failed_listing()
    full.start(seconds_left=0.0)  # nothing more is collected
    assert REGION not in PRICE_MEMORY.read(full.house.objects).unsold
    work = read_work(full.house.objects, SLOT_AT, full.run.attempt)
    assert work is not None
    assert REGION in work.items
