"""The full run's job over stores in memory: what it asks of each collector, what it stores, and what stops it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake import keys
from spotlake.clock import ManualClock
from spotlake.models import Dataset, Mode, Run, WorkItem
from spotlake.planning.attempt import AttemptRecord, Work
from spotlake.planning.catalogue import Catalogue
from spotlake.planning.price_memory import PriceMemory, Unsold
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.shard_rows import PriceRow
from spotlake.state.attempts import read_work, write_record, write_work
from spotlake.state.catalogue import change_catalogue
from spotlake.state.checkpoints import Checkpoint
from spotlake.state.last_good import LAST_GOOD, LastGood
from spotlake.state.price_memory import PRICE_MEMORY
from spotlake.stores.ledger import MemoryLedger
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.stored_shards import write_shard
from spotlake.usecases.full_run.run_full import FullRunDeps, OnListed, run_full
from spotlake.usecases.plan.prepare_work import PrepareDeps

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RUN = Run(run_id="20261123T1000Z", attempt=7, mode=Mode.FULL, desired_counts=(1,), started_at=AT, owner="me")
A, B, ODD = "Standard_A1_v2", "Standard_D2s_v5", "Standard_B2ms"  # the last one can never be spot
AGO = "2026-11-23T09:50:00Z"


def row(region: str, size: str, spot: float | None = 0.1, name: str = "") -> PriceRow:
    return PriceRow(
        run_id=RUN.run_id, source="live", observed_at=AGO, region=region, region_name=name or f"{region}!",
        instance_type=size, spot_price_usd_per_hour=spot, spot_meter_id="m", spot_effective_start_at=AGO,
    )  # fmt: skip


@dataclass
class Job:
    """The job, its collectors and what they are asked."""

    regions: tuple[str, ...] = ("eastus", "westus")
    sells: dict[str, list[str]] = field(default_factory=lambda: {"eastus": [A, B], "westus": [A]})
    scope: Scope = field(default_factory=Scope)
    settings: dict[str, Any] = field(default_factory=dict)
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    fails: dict[tuple[Dataset, str], Exception] = field(default_factory=dict)
    stops_after: int = 10**9

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.prices: dict[str, WorkItem] = {}
        self.rates: dict[str, WorkItem] = {}
        self.scores: dict[str, tuple[WorkItem, Work, Checkpoint]] = {}
        self.told: list[tuple[str, str]] = []
        self.sizes: list[tuple[Run, dict[str, tuple[str, ...]]]] = []
        self.sizes_error: Exception | None = None
        self.looks = 0
        write_record(self.objects, AttemptRecord(run=RUN, scope=self.scope))

    def know(self, pairs: dict[str, list[str]], day: str = "2026-11-22") -> None:
        change_catalogue(
            self.objects, lambda _: Catalogue(pairs={region: dict.fromkeys(one, day) for region, one in pairs.items()})
        )

    def start(self) -> list[CollectorReport]:
        prepare = PrepareDeps(
            objects=self.objects, production=MemoryObjects(), ledger=MemoryLedger(), clock=ManualClock(AT),
            subscriptions=("sub-a",), routing=("eastus", "westus"), settings=Settings(**self.settings),
            effort_seconds=0.0,
        )  # fmt: skip
        deps = FullRunDeps(
            objects=self.objects, regions=self.regions, prepare=prepare, collect_prices=self._prices,
            collect_eviction_rates=self._rates, collect_scores=self._scores, stopping=self._stopping,
            on_report=lambda report: self.told.append((report.dataset.value, report.region)),
            collect_sizes=self._sizes,
        )  # fmt: skip
        return run_full(RUN, deps)

    def _stopping(self) -> bool:
        with self.lock:
            self.looks += 1
            return self.looks > self.stops_after

    def _sizes(self, run: Run, pairs: Mapping[str, Iterable[str]]) -> None:
        self.sizes.append((run, {region: tuple(sizes) for region, sizes in pairs.items()}))
        if self.sizes_error:
            raise self.sizes_error

    def _write(self, dataset: Dataset, region: str, rows: list[Any]) -> CollectorReport:
        if (dataset, region) in self.fails:
            raise self.fails[dataset, region]
        report = CollectorReport(dataset=dataset, region=region, status="complete", rows=len(rows))
        return write_shard(self.objects, RUN, report, rows, source="live", collected_at=AT)

    def _prices(self, run: Run, item: WorkItem, on_listed: OnListed) -> CollectorReport:
        assert run == RUN
        self.prices[item.region] = item
        rows = [row(item.region, size) for size in self.sells.get(item.region, [])]
        if (Dataset.PRICE, item.region) not in self.fails:
            on_listed(item.region, rows)
        return self._write(Dataset.PRICE, item.region, rows)

    def _rates(self, run: Run, item: WorkItem) -> CollectorReport:
        assert run == RUN
        self.rates[item.region] = item
        return self._write(Dataset.EVICTION, item.region, [])

    def _scores(self, run: Run, item: WorkItem, work: Work, checkpoint: Checkpoint) -> CollectorReport:
        assert run == RUN
        self.scores[item.region] = item, work, checkpoint
        return self._write(Dataset.SPS, item.region, [])

    def work(self) -> Work:
        found = read_work(self.objects, AT, RUN.attempt)
        assert found is not None
        return found

    def shards(self) -> set[tuple[str, str]]:
        """Data set and region of each stored shard."""
        found = [key.split("/") for key in self.objects.keys("rawdata/")]
        return {(parts[2], parts[-1].split(".")[0]) for parts in found}


def test_a_whole_run_lists_plans_and_collects() -> None:
    job = Job()
    reports = job.start()
    assert sorted((one.dataset.value, one.region, one.status) for one in reports) == sorted(
        [(name, region, "complete") for name in ("spot_price", "spot_if") for region in ("eastus", "westus")]
        + [("sps", "eastus", "complete")]
    )
    assert sorted(job.told) == sorted(job.shards()) == sorted((one.dataset.value, one.region) for one in reports)
    work = job.work()
    assert {region: item.instance_types for region, item in work.items.items()} == {"eastus": (A, B), "westus": (A,)}
    assert job.sizes == [(RUN, {"eastus": (A, B), "westus": (A,)})]
    assert set(job.rates) == {"eastus", "westus"}
    ((item, handed, checkpoint),) = job.scores.values()  # the only call is through eastus
    assert (item, handed.run) == (work.items["eastus"], work.run)
    assert (checkpoint.region, checkpoint.run, checkpoint.already) == ("eastus", RUN, {})
    assert (checkpoint.objects, checkpoint.stopping()) == (job.objects, False)


def test_what_a_listing_is_asked_with() -> None:
    job = Job()
    job.know({"eastus": [A]})
    LAST_GOOD.change(
        job.objects, lambda _: LastGood(rows={"eastus": {"spot_price": 5}}, collected_at={"eastus": {"sps": AGO}})
    )
    absent = {"eastus": {"spot": {B: AGO}, "ondemand": {A: AGO}}}
    PRICE_MEMORY.change(job.objects, lambda _: PriceMemory(absent=absent))
    job.start()
    assert job.prices == {
        "eastus": WorkItem(
            region="eastus", instance_types=(A,), ondemand=True, last_good_rows={"spot_price": 5},
            whole_at={"sps": AGO}, absent_spot=(B,), absent_ondemand=(A,),
        ),
        "westus": WorkItem(region="westus"),
    }  # fmt: skip


def test_regions_that_are_listed() -> None:
    unsold = {name: Unsold(at=AGO, looks=3) for name in ("japaneast", "northeurope", "swedencentral")}
    job = Job(regions=("eastus", "japaneast", "westus"), sells={"eastus": [A], "northeurope": [A]})
    job.know({"northeurope": [A]})
    PRICE_MEMORY.change(job.objects, lambda _: PriceMemory(unsold=unsold))
    job.start()
    assert set(job.prices) == {"eastus", "northeurope", "westus"}  # japaneast sold nothing lately
    named = Job(regions=("eastus",), sells={}, scope=Scope(regions=("japaneast", "eastus"), filtered=True))
    named.know({"japaneast": [A]})
    PRICE_MEMORY.change(named.objects, lambda _: PriceMemory(unsold=unsold))
    named.start()
    assert set(named.prices) == {"japaneast", "eastus"}  # whoever names a region gets it


def test_a_region_that_sells_nothing_is_remembered_and_not_collected() -> None:
    job = Job(sells={"eastus": [A, ODD], "westus": [ODD]}, regions=("eastus", "westus", "japaneast"))
    job.start()
    assert set(job.work().items) == {"eastus"}
    assert PRICE_MEMORY.read(job.objects).unsold == {
        name: Unsold(at="2026-11-23T10:00:00Z", looks=1) for name in ("westus", "japaneast")
    }
    closing = Job(sells={"eastus": [A]})
    closing.know({"westus": [A]})  # it sold lately: its listing says nothing of a week
    closing.start()
    assert PRICE_MEMORY.read(closing.objects).unsold == {}
    assert set(closing.work().items) == {"eastus", "westus"}


def test_pairs_of_past_days_are_planned_for_the_days_of_the_settings() -> None:
    found = {}
    for days in (1, 7):
        job = Job(settings={"catalogue_days": days, "retire_after_days": 1})
        change_catalogue(
            job.objects,
            lambda _: Catalogue(
                pairs={"eastus": {B: "2026-11-20"}}, listed={"eastus": ("2026-11-20", "2026-11-21", "2026-11-22")}
            ),
        )
        job.sells = {"eastus": [A]}
        job.regions = ("eastus",)
        job.start()
        found[days] = job.work().items["eastus"].instance_types
    assert found == {1: (A,), 7: (A, B)}


@pytest.mark.parametrize(("days", "is_kept"), [(1, False), (9, True)])
def test_a_closed_region_is_planned_until_its_pairs_retire(days: int, *, is_kept: bool) -> None:
    job = Job(settings={"catalogue_days": 1, "retire_after_days": days}, sells={}, regions=("eastus",))
    listed = ("2026-11-20", "2026-11-21", "2026-11-22")
    change_catalogue(job.objects, lambda _: Catalogue(pairs={"eastus": {B: "2026-11-20"}}, listed={"eastus": listed}))
    job.start()
    items = job.work().items
    assert (items["eastus"].instance_types if "eastus" in items else ()) == ((B,) if is_kept else ())


# -- a second start ----------------------------------------------------------------------------------


def test_a_second_start_lists_and_collects_only_what_is_missing() -> None:
    job = Job()
    job.start()
    again = Job(objects=job.objects)
    job.objects.delete(keys.shard(Dataset.EVICTION, AT, "westus", 7))
    reports = again.start()
    assert (again.prices, again.scores, list(again.rates)) == ({}, {}, ["westus"])
    assert [(one.dataset, one.region) for one in reports] == [(Dataset.EVICTION, "westus")]
    assert again.told == [("spot_if", "westus")]


def test_listings_of_an_earlier_start_are_read_back() -> None:
    job = Job()
    job._write(Dataset.PRICE, "eastus", [row("eastus", B, name="US East"), row("eastus", A, None), row("eastus", ODD)])
    job.start()
    assert set(job.prices) == {"westus"}
    assert job.work().items["eastus"].instance_types == (B,)  # the others have no spot price, or can have none
    assert ("spot_price", "eastus") not in job.told


def test_a_failed_listing_of_an_earlier_start_says_nothing_of_the_region() -> None:
    job = Job()
    job.know({"eastus": [B]})
    failed = CollectorReport(dataset=Dataset.PRICE, region="eastus", status="failed", rows=0, error="DeadlineError")
    write_shard(job.objects, RUN, failed, (), source="live", collected_at=AT)
    job.start()
    assert job.work().items["eastus"].instance_types == (B,)
    assert PRICE_MEMORY.read(job.objects).unsold == {}


def test_a_listing_of_rows_that_are_none_says_nothing_of_the_region() -> None:
    job = Job()
    job._write(Dataset.PRICE, "eastus", [{"region": "eastus"}])
    job.start()
    assert set(job.work().items) == {"eastus", "westus"}
    assert job.work().items["eastus"].instance_types == ()
    assert PRICE_MEMORY.read(job.objects).unsold == {}


def test_work_of_an_earlier_start_is_used_as_it_is() -> None:
    job = Job()
    write_work(job.objects, Work(run=RUN, items={"japaneast": WorkItem(region="japaneast", instance_types=(A,))}))
    job.start()
    assert (job.prices, list(job.rates), job.scores) == ({}, ["japaneast"], {})  # scores need calls
    assert job.sizes == [(RUN, {"japaneast": (A,)})]


def test_a_data_set_that_is_not_due_is_not_collected() -> None:
    job = Job()
    item = WorkItem(region="japaneast", instance_types=(A,), datasets=(Dataset.PRICE,))
    write_work(job.objects, Work(run=RUN, items={"japaneast": item}))
    assert job.start() == []


def test_a_resumed_job_takes_the_answers_of_the_slot() -> None:
    job = Job(scope=Scope(resume=True))
    other = replace(RUN, attempt=3)
    write_record(job.objects, AttemptRecord(run=other, scope=Scope()))
    for dataset, rows in ((Dataset.PRICE, [row("westus", B)]), (Dataset.EVICTION, [])):
        report = CollectorReport(dataset=dataset, region="westus", status="complete", rows=len(rows))
        write_shard(job.objects, other, report, rows, source="live", collected_at=AT)
    job.know({"westus": [B]})
    job.start()
    assert set(job.prices) == {"eastus"}
    assert job.work().items["westus"].datasets == (Dataset.SPS,)
    assert "westus" not in job.rates
    plain = Job(objects=MemoryObjects(objects=dict(job.objects.objects)), scope=Scope())
    assert plain.scope == Scope()


def test_a_resumed_job_of_other_sizes_lists_again() -> None:
    job = Job(scope=Scope(resume=True, instance_types=("Standard_D*",)), sells={"eastus": [B], "westus": [B]})
    other = replace(RUN, attempt=3)
    write_record(job.objects, AttemptRecord(run=other, scope=Scope(instance_types=(A,))))
    report = CollectorReport(dataset=Dataset.PRICE, region="westus", status="complete", rows=0)
    write_shard(job.objects, other, report, (), source="live", collected_at=AT)
    job.start()
    assert set(job.prices) == {"eastus", "westus"}


def test_a_late_look_at_a_region_is_due_after_a_week() -> None:
    for days, listed in ((6, {"eastus"}), (7, {"eastus", "westus"})):
        at = (AT - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        job = Job(sells={"eastus": [A]})
        PRICE_MEMORY.change(job.objects, lambda _, at=at: PriceMemory(unsold={"westus": Unsold(at=at, looks=3)}))  # type: ignore[misc]
        job.start()
        assert set(job.prices) == listed
