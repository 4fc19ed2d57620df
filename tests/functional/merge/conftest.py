"""A small world of runs for the merge, with shards as collectors write them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import pytest

from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.models import Dataset, Mode, Run, ScoreCall, WorkItem, run_id_of
from spotlake.planning.attempt import AttemptRecord, Failure, Work
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport, PairAccount
from spotlake.settings import Settings
from spotlake.shards import ShardHeader, encode_shard
from spotlake.state.attempts import write_record, write_work
from spotlake.state.merged_states import Head, MergedStates
from spotlake.stores.objects import MemoryObjects, ObjectStore
from spotlake.stores.workloads import MemoryWorkloads, WorkloadTable
from spotlake.usecases.merge.merge_run import MergeDeps, merge_run

FIRST = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
REGION, NAME, SIZE = "koreacentral", "KR Central", "Standard_D2s_v5"


class World:
    """Stores, and helpers that read like the domain."""

    def __init__(self, objects: ObjectStore | None = None, workloads: WorkloadTable | None = None) -> None:
        self.objects: ObjectStore = objects if objects is not None else MemoryObjects()
        self.workloads: WorkloadTable = workloads if workloads is not None else MemoryWorkloads()

    def run(self, number: int, count: int = 1, *, attempt: int | None = None) -> Run:
        return Run(
            run_id=run_id_of(FIRST + timedelta(minutes=10 * number)),
            attempt=number + 1 if attempt is None else attempt,
            mode=Mode.INCREMENTAL,
            desired_counts=(count,),
            started_at=FIRST,
            owner="arn:execution",
        )

    def collected(
        self,
        number: int,
        *,
        spot: float | None = 0.01,
        ondemand: float | None = None,
        band: str | None = "0-5",
        scores: Mapping[str, int | None] | None = None,
        count: int = 1,
        sizes: Sequence[str] = (SIZE,),
        attempt: int | None = None,
        regions: Sequence[str] = (REGION,),
        **scope: Any,
    ) -> Run:
        """Write an attempt's record, work and shards of one region; None leaves a data set's shard out."""
        run = self.run(number, count, attempt=attempt)
        self.planned(run, sizes=sizes, regions=regions, **scope)
        if spot is not None:
            rows = [self.price(size, spot, ondemand) for size in sizes]
            self.shard(run, Dataset.PRICE, rows)
        if band is not None:
            frequency = {"0-5": 3.0, "5-10": 2.5, "20+": 1.0}.get(band)
            rates = [{"region": REGION, "instance_type": size, "eviction_band": band,
                      "interruption_frequency": frequency} for size in sizes]  # fmt: skip
            self.shard(run, Dataset.EVICTION, rates)
        if scores is not None:
            self.shard(run, Dataset.SPS, [self.score(size, z, s, count) for size in sizes for z, s in scores.items()])
        return run

    def planned(
        self, run: Run, *, sizes: Sequence[str] = (SIZE,), regions: Sequence[str] = (REGION,), **scope: Any
    ) -> None:
        """Write an attempt's record and work: in each region one call for all sizes."""
        write_record(self.objects, AttemptRecord(run=run, scope=Scope(**scope)))
        items = {}
        for number, region in enumerate(regions):
            call = ScoreCall(
                call_id=f"c{number:04d}",
                location=region,
                regions=(region,),
                instance_types=tuple(sizes),
                desired_count=run.desired_counts[0],
            )
            items[region] = WorkItem(region=region, instance_types=tuple(sizes), calls=(call,))
        write_work(self.objects, Work(run=run, items=items, calls_planned=len(items)))

    def shard(self, run: Run, dataset: Dataset, rows: list[dict[str, Any]], **changes: Any) -> None:
        accounts: tuple[PairAccount, ...] = ()
        if dataset is Dataset.SPS:
            scored = {row["instance_type"] for row in rows if row.get("score")}
            told = {row["instance_type"] for row in rows} - scored
            account = PairAccount(
                region=REGION,
                desired_count=run.desired_counts[0],
                scored=len(scored),
                without_score={"stale": tuple(sorted(told))} if told else {},
            )
            accounts = (account,)
        report = CollectorReport(dataset=dataset, region=REGION, status="complete", rows=len(rows), accounts=accounts)
        fields: dict[str, Any] = {
            "dataset": dataset,
            "run_id": run.run_id,
            "attempt": run.attempt,
            "region": REGION,
            "source": "simulated",
            "collected_at": run.slot_at,
            "report": report,
            **changes,
        }
        body = encode_shard(ShardHeader(**fields), cast("Any", rows))
        self.objects.put(keys.shard(dataset, run.slot_at, REGION, run.attempt), body)

    @staticmethod
    def moved(body: bytes, region: str) -> bytes:
        """Write a shard whose content is of another region."""
        return gzip.compress(gzip.decompress(body).replace(REGION.encode(), region.encode()), mtime=0)

    def price(self, size: str, spot: float | None, ondemand: float | None = None) -> dict[str, Any]:
        return {
            "region": REGION,
            "region_name": NAME,
            "instance_type": size,
            "spot_price_usd_per_hour": spot,
            "ondemand_price_usd_per_hour": ondemand,
        }

    def score(self, size: str, zone: str, score: int | None, count: int) -> dict[str, Any]:
        physical = f"{REGION}-az{zone}" if zone != "Single" else None
        return {"region": REGION, "instance_type": size, "zone": zone, "physical_zone": physical,
                "desired_count": count, "score": score}  # fmt: skip

    def merge(self, run: Run, *, failures: Sequence[Failure] = (), **settings: Any) -> dict[str, Any]:
        """Merge an attempt. Returns the slot's manifest."""
        deps = MergeDeps(
            objects=self.objects,
            workloads=self.workloads,
            clock=ManualClock(run.slot_at),
            deadline=Deadline.after(600),
            settings=Settings(**settings),
        )
        merge_run(run, failures, deps)
        stored = self.objects.get(keys.manifest(run.slot_at))
        assert stored is not None
        manifest: dict[str, Any] = orjson.loads(stored.body)
        return manifest


@pytest.fixture
def world() -> World:
    return World()


def snapshot(world: World, number: int) -> list[dict[str, str]]:
    stored = world.objects.get(keys.snapshot(world.run(number).slot_at))
    assert stored is not None
    return list(csv.DictReader(io.StringIO(gzip.decompress(stored.body).decode())))


def latest(world: World) -> list[dict[str, Any]]:
    stored = world.objects.get(keys.LATEST)
    assert stored is not None
    rows: list[dict[str, Any]] = orjson.loads(stored.body)
    return rows


def head(world: World) -> Head:
    return MergedStates(world.objects).head()


def items(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    assert isinstance(world.workloads, MemoryWorkloads)
    return world.workloads.items
