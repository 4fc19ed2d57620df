"""Runs from plan to manifest, with prices and eviction rates alone. All stores are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn, cast

import orjson

from spotlake import keys
from spotlake.azure.http import new_session
from spotlake.azure.tokens import TokenSource
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import AzureError
from spotlake.events import MergeResult
from spotlake.models import Dataset, Mode, Run, WorkItem, run_id_of
from spotlake.planning.attempt import AttemptRecord, Failure
from spotlake.planning.catalogue import Catalogue
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.shard_rows import PriceRow
from spotlake.shards import open_shard, parse_rows
from spotlake.state.attempts import write_record
from spotlake.state.catalogue import read_catalogue
from spotlake.stores.ledger import MemoryLedger
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.turns import MemoryTurns
from spotlake.stores.workloads import MemoryWorkloads
from spotlake.usecases.collect.eviction_rates import EvictionDeps, collect_eviction_rates
from spotlake.usecases.collect.prices import PriceDeps, collect_prices
from spotlake.usecases.full_run.run_full import FullRunDeps, OnListed, run_full
from spotlake.usecases.merge.finish_run import FinishDeps, finish_run
from spotlake.usecases.merge.merge_run import MergeDeps
from spotlake.usecases.plan.prepare_work import PrepareDeps, prepare_collection
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.azure import credentials_of

_THREADS = 3
_PATIENCE_SECONDS = 300


@dataclass
class ListingDays:
    """A collector without placement scores, because there is no quota.

    Attributes:
        azure: The simulated Azure.
        regions: Regions in the subscription's list of locations, for a full run.
        objects, workloads: The stores.
        results: Results of each run's merge, the newest last.
        reports: Reports of the collectors.
        sizes: The collector of sizes.
    """

    azure: SimulatedAzure
    regions: tuple[str, ...]
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    workloads: MemoryWorkloads = field(default_factory=MemoryWorkloads)
    results: list[MergeResult] = field(default_factory=list)
    reports: list[CollectorReport] = field(default_factory=list)
    sizes: Callable[[Run, Mapping[str, Iterable[str]]], object] = lambda *_: None

    def __post_init__(self) -> None:
        self.settings = Settings(**cast("dict[str, Any]", self.azure.settings()))
        self.session = new_session()
        self.turns = MemoryTurns(spacing_seconds=0.0)
        self.azure.options(graph_queries=1000)
        self.tokens = TokenSource(
            credentials_of(self.azure), authority_url=self.azure.authority_url, ca_file=self.azure.ca_file
        )

    def run(self, slot_at: datetime, mode: Mode = Mode.INCREMENTAL) -> dict[str, Any]:
        """Do one run to its end. Returns the manifest."""
        run = Run(run_id=run_id_of(slot_at), mode=mode, desired_counts=(1,), started_at=slot_at, owner="one", attempt=1)
        self.azure.set_clock(slot_at)
        self.clock = ManualClock(slot_at)
        failures: list[Failure] = []
        self.reports.clear()
        prepare = PrepareDeps(
            objects=self.objects,
            production=MemoryObjects(),
            ledger=MemoryLedger(),
            clock=self.clock,
            subscriptions=self.azure.subscriptions,
            routing=(),
            settings=self.settings,
            effort_seconds=0.0,
        )
        if mode is Mode.FULL:
            write_record(self.objects, AttemptRecord(run=run, scope=Scope()))
            run_full(
                run,
                FullRunDeps(
                    objects=self.objects,
                    regions=self.regions,
                    prepare=prepare,
                    collect_prices=self.listed_prices,
                    collect_eviction_rates=self.rates,
                    collect_scores=_no_call,
                    stopping=lambda: False,
                    on_report=self.reports.append,
                    collect_sizes=self.sizes,
                ),
            )
        else:
            catalogue = read_catalogue(self.objects)
            assert catalogue is not None
            record = write_record(self.objects, AttemptRecord(run=run, scope=Scope()))
            work = prepare_collection(record, catalogue, prepare).work
            with ThreadPoolExecutor(_THREADS) as pool:
                for failed in pool.map(lambda item: self._collect(run, item), work.items.values()):
                    failures.extend(failed)
        merge = MergeDeps(
            objects=self.objects,
            workloads=self.workloads,
            clock=self.clock,
            deadline=Deadline.after(_PATIENCE_SECONDS),
            settings=self.settings,
        )
        result = finish_run(run, failures, FinishDeps(merge=merge, objects=self.objects))
        self.results.append(result)
        manifest: dict[str, Any] = orjson.loads(self.objects.objects[result["manifest_key"]])
        return manifest

    def _collect(self, run: Run, item: WorkItem) -> list[Failure]:
        """Collect both listings of a region, as the Map does. Returns the failures."""
        failures = []
        for dataset, collect in ((Dataset.PRICE, self.prices), (Dataset.EVICTION, self.rates)):
            try:
                self.reports.append(collect(run, item))
            except AzureError as error:
                name = type(error).__name__
                failures.append(Failure(error=name, cause=str(error), dataset=dataset.value, region=item.region))
        return failures

    def listed_prices(self, run: Run, item: WorkItem, on_listed: OnListed) -> CollectorReport:
        return self.prices(run, item, on_listed=on_listed)

    def prices(self, run: Run, item: WorkItem, **changes: Any) -> CollectorReport:
        deps = PriceDeps(
            objects=self.objects,
            session=self.session,
            clock=self.clock,
            deadline=Deadline.after(_PATIENCE_SECONDS),
            settings=self.settings,
            sleep=lambda _: None,
            **changes,
        )
        return collect_prices(run, item, deps)

    def rates(self, run: Run, item: WorkItem) -> CollectorReport:
        deps = EvictionDeps(
            objects=self.objects,
            session=self.session,
            tokens=self.tokens,
            turns=self.turns,
            clock=self.clock,
            deadline=Deadline.after(_PATIENCE_SECONDS),
            settings=self.settings,
            sleep=lambda _: None,
        )
        return collect_eviction_rates(run, item, deps)

    def spot_rows(self, slot_at: datetime, region: str) -> list[PriceRow]:
        """Rows with a spot price of a region's shard."""
        key, run_id = keys.shard(Dataset.PRICE, slot_at, region, 1), run_id_of(slot_at)
        body = self.objects.objects[key]
        shard = open_shard(body, key=key, dataset=Dataset.PRICE, run_id=run_id, region=region, attempt=1)
        return [row for row in parse_rows(shard, key, PriceRow) if row.spot_price_usd_per_hour is not None]

    def catalogue(self) -> Catalogue:
        found = read_catalogue(self.objects)
        assert found is not None
        return found

    def values(self, *names: str) -> dict[tuple[str, str], tuple[Any, ...]]:
        """An attribute of every item in the table."""
        return {key: tuple(item.get(name) for name in names) for key, item in self.workloads.items.items()}


def _no_call(*_: object) -> NoReturn:
    raise AssertionError("no call was planned")
