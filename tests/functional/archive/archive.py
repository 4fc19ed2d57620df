"""An archive over stores in memory: its executions take the workflow's steps, on a clock that a test moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any, cast

import orjson

from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import RunInProgressError
from spotlake.events import PlanResult
from spotlake.models import Dataset, Run, WorkItem, to_iso
from spotlake.planning.attempt import Failure
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.shards import ShardHeader, encode_shard
from spotlake.state.attempts import read_work
from spotlake.stores.claims import Claims, MemoryClaims
from spotlake.stores.objects import MemoryObjects, ObjectStore
from spotlake.stores.workloads import MemoryWorkloads, WorkloadTable
from spotlake.usecases.collect.placement_scores import collect_placement_scores
from spotlake.usecases.merge.finish_run import FinishDeps, finish_run
from spotlake.usecases.merge.merge_run import MergeDeps
from spotlake.usecases.notify.notify import NotifyDeps, notify
from spotlake.usecases.plan.plan_run import PlanDeps, plan_run
from spotlake.usecases.plan.prepare_work import PrepareDeps
from tests.functional.placement_scores.double import Bench

REGIONS = ("eastus", "koreacentral", "westus")
SIZES = ("Standard_D2s_v5", "Standard_E2s_v5", "Standard_F2s_v2")
START_AT = datetime(2026, 11, 23, tzinfo=UTC)
_NAMES = {"eastus": "US East", "koreacentral": "KR Central", "westus": "US West"}
NO_MACHINE = Failure(error="Batch.JobFailed", cause="no machine took the job in 15 minutes")


@dataclass
class Archive:
    """Stores, a small Azure with its own record, and executions.

    Attributes:
        bench: Azure, the ledger and the clock.
        listed: Sizes that each region sells; a test may change them.
        spot_usd: Spot price of every size.
        killed: Data sets whose collectors die.
        told: Subjects of the messages that were sent.
    """

    bench: Bench = field(default_factory=lambda: Bench(clock=ManualClock(START_AT)))
    claims: Claims = field(default_factory=MemoryClaims)
    workloads: WorkloadTable = field(default_factory=MemoryWorkloads)
    store: ObjectStore | None = None
    settings: Settings = field(default_factory=Settings)
    listed: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict.fromkeys(REGIONS, SIZES))
    spot_usd: float = 0.01
    killed: set[Dataset] = field(default_factory=set)
    told: list[str] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    executions: int = 0

    def __post_init__(self) -> None:
        self.clock = self.bench.clock
        self.objects: ObjectStore = self.store if self.store is not None else self.bench.objects

    # -- the workflow's steps --------------------------------------------------------------------

    def begin(self, *, owner: str = "", **wanted: Any) -> tuple[str, PlanResult]:
        """Start an execution and let it plan; it holds what it claimed until it ends."""
        if not owner:
            self.executions += 1
            owner = f"arn:{self.executions}"
        self.running.add(owner)
        planned = plan_run(wanted, execution_id=owner, started_at=to_iso(self.clock.now()), deps=self._plan_deps())
        if planned["status"] == "skipped":
            self.running.discard(owner)
        return owner, planned

    def collect(self, run: Run, regions: Sequence[str]) -> list[Failure]:
        """Every region's three collectors; what dies is what the state machine would catch."""
        work = read_work(self.objects, run.slot_at, run.attempt)
        assert work is not None
        items = [work.items[region] for region in regions]
        due = [(item, dataset) for item in items for dataset in filter(item.is_due, Dataset)]
        return [failure for item, dataset in due if (failure := self._collect_one(run, item, dataset))]

    def _collect_one(self, run: Run, item: WorkItem, dataset: Dataset) -> Failure | None:
        """One collector; its failure when it dies."""
        if dataset in self.killed:
            return Failure(error="Lambda.Unknown", cause="killed", dataset=dataset, region=item.region)
        if dataset is Dataset.SPS:
            collect_placement_scores(run, item, self.bench.deps(objects=self.objects))
        else:
            self._list(run, item, dataset)
        return None

    def merge(self, run: Run, failures: Sequence[Failure] = ()) -> dict[str, Any]:
        """Merge and learn; returns the slot's manifest."""
        merge = MergeDeps(
            objects=self.objects,
            workloads=self.workloads,
            clock=self.clock,
            deadline=Deadline.after(600),
            settings=self.settings,
        )
        finish_run(run, failures, FinishDeps(merge=merge, objects=self.objects))
        return self.manifest(run.slot_at)

    def end(self, owner: str, run: Run, *, error: str | None = None) -> None:
        """Tell of a failure or a recovery, and give back the claim."""
        self.running.discard(owner)
        deps = NotifyDeps(
            objects=self.objects,
            claims=self.claims,
            wall=self.clock,
            publish=lambda subject, _: self.told.append(subject),
            webhook_url=None,
            console_url=str,
        )
        state = "FullRun" if error else None
        notify({"execution_id": owner, "state": state, "error": error, "cause": error, "run": run.to_dict()}, deps)

    def run(self, **wanted: Any) -> dict[str, Any]:
        """An execution from its start to its end: the slot's manifest."""
        owner, planned = self.begin(**wanted)
        if planned["status"] == "skipped":
            raise RunInProgressError(planned.get("reason", ""))
        run = run_of(planned)
        manifest = self.merge(run, self.collect(run, regions_of(planned)))
        self.claims.release(owner=owner)
        self.running.discard(owner)
        return manifest

    def manifest(self, slot_at: datetime) -> dict[str, Any]:
        """What is told of a slot."""
        stored = self.objects.get(keys.manifest(slot_at))
        assert stored is not None, f"nothing is told of {slot_at}"
        content: dict[str, Any] = orjson.loads(stored.body)
        return content

    # -- parts -----------------------------------------------------------------------------------

    def prepare_deps(self) -> PrepareDeps:
        """What planning the calls works with."""
        return PrepareDeps(
            objects=self.objects,
            production=MemoryObjects(),
            ledger=self.bench.ledger,
            clock=self.clock,
            subscriptions=self.bench.subscriptions,
            routing=REGIONS,
            settings=self.settings,
            effort_seconds=0.0,
        )

    def _plan_deps(self) -> PlanDeps:
        return PlanDeps(
            objects=self.objects,
            claims=self.claims,
            wall=self.clock,
            is_running=self.running.__contains__,
            settings=self.settings,
            prepare=lambda _: self.prepare_deps(),
        )

    def _list(self, run: Run, item: WorkItem, dataset: Dataset) -> None:
        """A whole listing of a region, or of the sizes that were asked for."""
        sizes = [one for one in self.listed.get(item.region, ()) if not item.filtered or one in item.instance_types]
        rows: list[dict[str, Any]] = []
        for size in sizes:
            common = {"region": item.region, "instance_type": size}
            if dataset is Dataset.PRICE:
                price = {"spot_price_usd_per_hour": self.spot_usd, "ondemand_price_usd_per_hour": 0.1}
                rows.append({**common, "region_name": _NAMES[item.region], **price})
            else:
                rows.append({**common, "eviction_band": "0-5", "interruption_frequency": 3.0})
        report = CollectorReport(dataset=dataset, region=item.region, status="complete", rows=len(rows))
        header = ShardHeader(
            dataset=dataset,
            run_id=run.run_id,
            attempt=run.attempt,
            region=item.region,
            source="simulated",
            collected_at=self.clock.now(),
            report=report,
        )
        body = encode_shard(header, cast("Any", rows))
        self.objects.put(keys.shard(dataset, run.slot_at, item.region, run.attempt), body)


def run_of(planned: PlanResult) -> Run:
    """The attempt that was planned."""
    assert planned["run"] is not None
    return Run.from_dict(planned["run"])


def regions_of(planned: PlanResult) -> list[str]:
    """The regions of all groups, in order."""
    return sorted(chain.from_iterable(planned["groups"]))
