"""The services of a process with stores in memory, in front of the simulated Azure."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import orjson

from spotlake import keys
from spotlake.azure.credentials import AzureCredentials
from spotlake.azure_access import AzureAccess
from spotlake.clock import Deadline, ManualClock
from spotlake.events import CollectEvent
from spotlake.models import Dataset, Mode, Run, run_id_of
from spotlake.planning.attempt import AttemptRecord
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.state.attempts import write_record
from spotlake.state.catalogue import read_catalogue
from spotlake.stores.ledger import MemoryLedger
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.turns import MemoryTurns
from spotlake.stores.workloads import MemoryWorkloads
from spotlake.usecases.collect.eviction_rates import EvictionDeps, collect_eviction_rates
from spotlake.usecases.collect.placement_scores import collect_placement_scores
from spotlake.usecases.collect.prices import collect_prices
from spotlake.usecases.collect.region import Collect, collect_region
from spotlake.usecases.full_run.run_full import run_full
from spotlake.usecases.merge.finish_run import FinishDeps, finish_run
from spotlake.usecases.merge.merge_run import MergeDeps
from spotlake.usecases.plan.prepare_work import prepare_collection
from spotlake.wiring import Services
from spotlake.wiring_full_run import full_run_deps
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.azure import credentials_of

SLOT_AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
PATIENCE_SECONDS = 600.0


class InMemory(Services):
    """The services of a process, with immediate turns at Resource Graph."""

    def eviction_deps(self, run: Run, deadline: Deadline) -> EvictionDeps:
        return replace(super().eviction_deps(run, deadline), turns=MemoryTurns(spacing_seconds=0.0))


class Known(AzureAccess):
    """Access with credentials that nobody has to look up."""

    def __init__(self, credentials: AzureCredentials, settings: Settings) -> None:
        super().__init__(boto3.Session(), settings)
        self.known = credentials

    def credentials(self, run: Run) -> AzureCredentials:
        return self.known


class House:
    """The services of a process with stores in memory. All code between the handlers and Azure is real."""

    def __init__(self, azure: SimulatedAzure) -> None:
        environment = {f"SPOTLAKE_{name.upper()}": value for name, value in azure.settings().items()}
        self.services = InMemory(environment)
        self.objects, self.workloads = MemoryObjects(), MemoryWorkloads()
        self.clock = ManualClock(SLOT_AT)
        vars(self.services).update(
            objects=self.objects,
            production=MemoryObjects(),
            ledger=MemoryLedger(),
            wall=self.clock,
            azure=Known(credentials_of(azure), self.services.settings),
        )
        azure.set_clock(SLOT_AT)
        azure.options(graph_queries=1000)

    def full(self, scope: Scope, run: Run) -> list[CollectorReport]:
        """Collect as the full run's job does."""
        write_record(self.objects, AttemptRecord(run=run, scope=scope))
        deps = full_run_deps(self.services, run, Deadline.after(PATIENCE_SECONDS), lambda: False, lambda _: None)
        return run_full(run, deps)

    def incremental(self, scope: Scope, run: Run) -> list[str]:
        """Collect as Plan and the three Lambdas do, one region after the other. Returns how each collector ended."""
        services, deadline = self.services, Deadline.after(PATIENCE_SECONDS)
        catalogue = read_catalogue(self.objects)
        assert catalogue is not None
        record = write_record(self.objects, AttemptRecord(run=run, scope=scope))
        collectors: dict[Dataset, Collect] = {
            Dataset.SPS: lambda run, item, work: collect_placement_scores(
                run, item, services.placement_deps(run, deadline, work)
            ),
            Dataset.PRICE: lambda run, item, _: collect_prices(run, item, services.price_deps(run, deadline)),
            Dataset.EVICTION: lambda run, item, _: collect_eviction_rates(
                run, item, services.eviction_deps(run, deadline)
            ),
        }
        statuses = []
        for region in prepare_collection(record, catalogue, services.prepare_deps(run, deadline)).work.items:
            for dataset, collector in collectors.items():
                event = CollectEvent(run=run.to_dict(), region=region)
                statuses.append(collect_region(event, dataset, self.objects, collector)["status"])
        return statuses

    def merged(self, run: Run) -> dict[str, Any]:
        """Merge, and read the files for readers."""
        merge = MergeDeps(
            objects=self.objects,
            workloads=self.workloads,
            clock=self.clock,
            deadline=Deadline.after(PATIENCE_SECONDS),
            settings=self.services.settings,
        )
        finish_run(run, [], FinishDeps(merge=merge, objects=self.objects))
        read = self.objects.objects
        snapshot = gzip.decompress(read[keys.snapshot(SLOT_AT)]).decode()
        return {
            "snapshot": list(csv.DictReader(io.StringIO(snapshot))),
            "latest": orjson.loads(_unpacked(read[keys.LATEST])),
            "query selector": orjson.loads(_unpacked(read[keys.QUERY_SELECTOR])),
            "table": {key: _lasting(item) for key, item in self.workloads.items.items()},
        }


def _unpacked(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _lasting(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item without the attributes that name its writer."""
    return {name: value for name, value in item.items() if name not in ("Fence", "UpdatedAt")}


def run_of(mode: Mode, count: int) -> Run:
    return Run(
        run_id=run_id_of(SLOT_AT),
        mode=mode,
        desired_counts=(count,),
        started_at=SLOT_AT,
        owner="arn:execution",
        attempt=1,
    )
