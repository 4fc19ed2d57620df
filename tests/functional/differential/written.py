"""A history as collectors leave it, merged by the library, and what is then published."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from typing import Any, cast

from spotlake import keys
from spotlake.models import Dataset, Mode, Run, ScoreCall, WorkItem, run_id_of
from spotlake.planning.attempt import AttemptRecord, Work
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport
from spotlake.shards import ShardHeader, encode_shard
from spotlake.state.attempts import write_record, write_work
from tests.functional.differential.histories import History
from tests.functional.differential.model import Attempt, Published, Shard, time_of
from tests.functional.merge.conftest import World, items

_OF_THE_WRITER = ("Version", "RunId", "UpdatedAt", "InstanceType", "Workload", "InstanceTier", "Size")
_NUMBERS = ("OndemandPrice", "SpotPrice", "Savings", "IF", "DesiredCount", "Score", "T2", "T3")
_NAMES = ("InstanceTier", "InstanceType", "ArmSkuName", "AvailabilityZone", "id")


class Merged:
    """The library's archive of a history."""

    def __init__(self, history: History) -> None:
        self.world = World()
        patience = history.patience
        for attempt in history.attempts:
            write_attempt(self.world, attempt)
        for place in history.order:
            self.world.merge(
                run_of(history.attempts[place]), absent_looks=patience.looks, absent_hours=patience.hours,
                retire_after_days=patience.retire_days, retired_ttl_days=patience.forget_days,
            )  # fmt: skip

    def snapshot(self, slot: int) -> Published:
        """Rows by workload."""
        rows = csv.DictReader(io.StringIO(gzip.decompress(self._body(keys.snapshot(time_of(slot)))).decode()))
        told = list(rows)
        order = [(row["RegionCode"], row["ArmSkuName"], row["AvailabilityZone"]) for row in told]
        assert order == sorted(order)  # "1" < "2" < "3" < "N/A" < "Single": a pair has N/A alone
        return {
            (row["RegionCode"], row["ArmSkuName"].lower(), row["AvailabilityZone"]): {
                name: float(value) if name in _NUMBERS else value for name, value in row.items() if name not in _NAMES
            }
            for row in told
        }

    def latest(self) -> Published:
        """Objects by workload; a region is known by its name alone."""
        told = json.loads(self._body(keys.LATEST))
        assert [row["id"] for row in told] == list(range(1, len(told) + 1))
        return {
            (row["Region"], f"{row['InstanceTier']}_{row['InstanceType']}".lower(), row["AvailabilityZone"]): {
                name: value for name, value in row.items() if name not in _NAMES
            }
            for row in told
        }

    def items(self) -> Published:
        """Items of live workloads."""
        return {
            (item["Region"], str(size).lower(), item["AvailabilityZone"]): {
                name: value for name, value in item.items() if name not in _OF_THE_WRITER
            }
            for (size, _), item in items(self.world).items()
            if "RetiredAt" not in item
        }

    def rows(self, slot: int) -> dict[str, int]:
        """What the manifest counts."""
        manifest = json.loads(self._body(keys.manifest(time_of(slot))))
        return {**manifest["rows"], "unknown_zone_rows": manifest["unknown_zone_rows"]}

    def _body(self, key: str) -> bytes:
        stored = self.world.objects.get(key)
        assert stored is not None, key
        return stored.body


def run_of(attempt: Attempt) -> Run:
    """The library's name for an attempt."""
    at = time_of(attempt.slot)
    return Run(
        run_id=run_id_of(at), attempt=attempt.number, mode=Mode.INCREMENTAL, desired_counts=(attempt.count,),
        started_at=at, owner="arn:execution",
    )  # fmt: skip


def write_attempt(world: World, attempt: Attempt) -> None:
    """Record, work and shards."""
    run = run_of(attempt)
    scope = Scope(instance_types=attempt.sizes, filtered=attempt.filtered, resume=attempt.resumes)
    write_record(world.objects, AttemptRecord(run=run, scope=scope))
    work = {}
    for region in attempt.regions:
        datasets = tuple(one for one in Dataset if (one.value, region) in attempt.shards)
        sizes = tuple(sorted({str(row["instance_type"]) for shard in attempt.shards.values() for row in shard.rows}))
        call = ScoreCall(
            call_id=f"c-{region}", location=region, regions=(region,), instance_types=sizes or ("Standard_A1",),
            desired_count=attempt.count,
        )  # fmt: skip
        calls = (call,) if Dataset.SPS in datasets else ()
        work[region] = WorkItem(region=region, instance_types=sizes, datasets=datasets, calls=calls)
    write_work(world.objects, Work(run=run, items=work, calls_planned=len(work)))
    for (dataset, region), shard in attempt.shards.items():
        if shard.damage != "missing":
            body = _body(run, Dataset(dataset), region, shard)
            world.objects.put(keys.shard(Dataset(dataset), run.slot_at, region, run.attempt), body)


def _body(run: Run, dataset: Dataset, region: str, shard: Shard) -> bytes:
    other = next(one for one in Dataset if one is not dataset)
    damage, rows = shard.damage, list(_rows(dataset, region, shard))
    report = CollectorReport(
        dataset=dataset, region=region, status=cast("Any", shard.status), rows=len(rows) + (damage == "too few rows"),
        counts={"ondemand_asked": int(shard.ondemand_asked)},
    )  # fmt: skip
    header = ShardHeader(
        dataset=other if damage == "another data set" else dataset,
        run_id="20200101T0000Z" if damage == "another run" else run.run_id,
        region="nowhere" if damage == "another region" else region,
        attempt=run.attempt + (damage == "another attempt"),
        source="simulated",
        collected_at=run.slot_at,
        report=report,
    )
    body = encode_shard(header, cast("Any", rows))
    if damage == "no gzip":
        return gzip.decompress(body)
    if damage == "cut off":
        return body[: len(body) // 2]
    if damage == "no header":
        return gzip.compress(gzip.decompress(body).partition(b"\n")[2] or b"[]\n")
    return (
        gzip.compress(gzip.decompress(body).replace(b'"schema":2', b'"schema":9')) if damage == "newer schema" else body
    )


def _rows(dataset: Dataset, region: str, shard: Shard) -> Iterator[dict[str, Any]]:
    yield from map(dict, shard.rows)
    pair = {"region": region, "instance_type": "Standard_Odd_v1"}
    odd = {
        Dataset.SPS: {**pair, "zone": "1", "desired_count": 1, "score": 3},
        Dataset.PRICE: {**pair, "spot_price_usd_per_hour": 0.5},
        Dataset.EVICTION: {**pair, "interruption_frequency": 3.0, "eviction_band": "0-5"},
    }[dataset]
    impossible = {"score": 4, "spot_price_usd_per_hour": -1.0, "interruption_frequency": 9.9}
    if shard.damage == "a row twice":
        yield from (odd, odd)
    elif shard.damage == "a row of elsewhere":
        yield {**odd, "region": "nowhere"}
    elif shard.damage == "an impossible row":
        yield {name: impossible.get(name, value) for name, value in odd.items()}
    elif shard.damage == "a row of no size":
        yield {**odd, "instance_type": "D2s"}
