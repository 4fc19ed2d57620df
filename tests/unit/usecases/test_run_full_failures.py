"""The full run's job when collectors fail, the machine is taken away, or the input is wrong."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest

from spotlake import keys
from spotlake.errors import (
    AzureUnavailableError,
    DeadlineError,
    InvalidInputError,
    ReclaimedError,
    SignInError,
    StoreError,
)
from spotlake.models import Dataset
from spotlake.planning.scope import Scope
from spotlake.state.attempts import read_work
from spotlake.state.price_memory import PRICE_MEMORY
from spotlake.usecases.collect.stored_shards import stored_report
from spotlake.usecases.full_run import run_full
from tests.support.errors import says
from tests.unit.usecases.test_run_full import AT, RUN, A, B, Job


def failed(job: Job, dataset: Dataset, region: str) -> tuple[str, str | None, str | None, int]:
    """The report that is stored in place of rows."""
    report = stored_report(job.objects, dataset, RUN, region)
    assert report is not None
    return report.status, report.error, report.cause, report.rows


@pytest.mark.parametrize(
    ("error", "name", "cause"),
    [
        (AzureUnavailableError("retail prices", "HTTP 500"), "AzureUnavailableError", "retail prices: HTTP 500"),
        (DeadlineError("time is over"), "DeadlineError", "time is over"),
        (ValueError("a fault"), "ValueError",
         "spot_if: a fault of this program: ValueError (see the job's log)"),
    ],
)  # fmt: skip
def test_what_fails_for_one_region_is_stored_with_its_cause(error: Exception, name: str, cause: str) -> None:
    job = Job()
    job.fails[Dataset.EVICTION, "westus"] = error
    reports = job.start()
    assert failed(job, Dataset.EVICTION, "westus") == ("failed", name, cause, 0)
    assert [one.error for one in reports if one.status == "failed"] == [name]
    assert ("spot_if", "westus") in job.told
    stored = job.objects.get(keys.shard(Dataset.EVICTION, AT, "westus", 7))
    assert stored is not None
    assert set(job.shards()) == {
        (name, region) for name in ("spot_price", "spot_if") for region in ("eastus", "westus")
    } | {("sps", "eastus")}


def test_a_failed_listing_keeps_the_region_and_its_old_sizes() -> None:
    job = Job()
    job.know({"eastus": [B]})
    job.fails[Dataset.PRICE, "eastus"] = AzureUnavailableError("retail prices", "HTTP 500")
    job.start()
    assert failed(job, Dataset.PRICE, "eastus")[1] == "AzureUnavailableError"
    assert job.work().items["eastus"].instance_types == (B,)
    assert PRICE_MEMORY.read(job.objects).unsold == {}


@pytest.mark.parametrize("error", [SignInError("no"), StoreError("down")])
@pytest.mark.parametrize("dataset", list(Dataset))
def test_what_would_fail_everywhere_ends_the_job(error: Exception, dataset: Dataset) -> None:
    job = Job()
    job.fails[dataset, "eastus"] = error
    with pytest.raises(type(error)) as raised:
        job.start()
    assert raised.value is error
    assert stored_report(job.objects, dataset, RUN, "eastus") is None


def test_after_such_an_error_no_further_collector_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    regions = tuple(f"region{number}" for number in range(5))
    job = Job(regions=regions, sells={region: [A] for region in regions})
    job.fails[Dataset.EVICTION, "region0"] = StoreError("down")
    cancelled, last = list[object](), threading.Event()

    class Waiting(dict[str, Any]):
        """Whoever begins after the failed one goes on when all the others have been called off."""

        def __setitem__(self, region: str, item: Any) -> None:
            super().__setitem__(region, item)
            assert region == "region0" or last.wait(timeout=1.0)

    def cancel(future: Future[Any]) -> bool:
        cancelled.append(future)
        done = real(future)
        if len(cancelled) == 2 * len(regions):  # each region has scores and rates
            last.set()
        return done

    real, job.rates = Future.cancel, Waiting()
    monkeypatch.setattr(Future, "cancel", cancel)
    monkeypatch.setattr(run_full, "_EVICTION_THREADS", 1)
    with says(StoreError, "down"):
        job.start()
    assert job.rates.keys() <= {"region0", "region1"}


def test_sizes_stop_nothing() -> None:
    job = Job()
    job.sizes_error = ValueError("a fault")
    assert len(job.start()) == 5


def test_a_machine_that_is_taken_away_begins_nothing_more() -> None:
    job = Job(regions=("eastus",), sells={"eastus": [A]}, stops_after=0)
    with says(ReclaimedError, "eastus: the machine is taken away"):
        job.start()
    assert (job.shards(), job.prices) == (set(), {})


def test_what_fails_because_the_machine_is_taken_away_is_no_failure_of_azure() -> None:
    job = Job(regions=("eastus",), sells={"eastus": [A]}, stops_after=1)
    job.fails[Dataset.PRICE, "eastus"] = AzureUnavailableError("retail prices", "gone")
    with says(ReclaimedError, "spot_price of eastus: the machine is taken away in the middle") as raised:
        job.start()
    assert raised.value.__cause__ is job.fails[Dataset.PRICE, "eastus"]
    assert job.shards() == set()


# -- the input ---------------------------------------------------------------------------------------


def test_an_unknown_region_is_refused_before_anything_is_listed() -> None:
    job = Job(scope=Scope(regions=("nowhere",), filtered=True))
    job.know({"japaneast": [A]})
    with pytest.raises(InvalidInputError, match="ARM codes of the 3 known regions"):
        job.start()
    assert job.prices == {}


def test_sizes_that_no_listing_has_are_refused_once_all_are_listed() -> None:
    job = Job(scope=Scope(instance_types=("Standard_Z*",), filtered=True))
    with pytest.raises(InvalidInputError, match="instance_types: 'Standard_Z"):
        job.start()
    assert set(job.prices) == {"eastus", "westus"}
    assert read_work(job.objects, AT, 7) is None


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (DeadlineError("over"), DeadlineError,
         "the prices of eastus could not be listed, so its sizes are unknown (DeadlineError)"),
        (AzureUnavailableError("retail prices", "HTTP 500"), AzureUnavailableError,
         "retail prices: the prices of eastus could not be listed, so its sizes are unknown (AzureUnavailableError)"),
    ],
)  # fmt: skip
def test_a_failed_listing_may_have_the_sizes(error: Exception, kind: type[Exception], said: str) -> None:
    job = Job(scope=Scope(instance_types=("Standard_Z*",), filtered=True))
    for region in ("westus", "eastus"):
        job.fails[Dataset.PRICE, region] = error
    with says(kind, said):
        job.start()
