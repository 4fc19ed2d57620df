"""One run with generated answers between two good ones, and what must hold after each."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import SpotlakeError
from spotlake.models import Dataset, Run, ScoreCall, WorkItem
from spotlake.planning.attempt import AttemptRecord, Failure, Work
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.state.attempts import write_record, write_work
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.merge.finish_run import FinishDeps, finish_run
from spotlake.usecases.merge.merge_run import MergeDeps
from tests.functional.merge.conftest import REGION, SIZE, World, items

SIZES = (SIZE, "Standard_D4s_v5", "Standard_E2s_v5")
type Collect = Callable[[Run, WorkItem, "FuzzedWorld"], CollectorReport]
_COVERAGE = {Dataset.SPS: "sps", Dataset.PRICE: "price", Dataset.EVICTION: "eviction"}
type Items = dict[tuple[str, str], dict[str, Any]]


class StrictObjects(MemoryObjects):
    """Objects in memory, with S3's limit on keys."""

    def put(self, key: str, body: bytes, **rules: Any) -> str:
        assert len(key.encode()) <= 1024, (
            f"S3 has no key of {len(key)} characters"
        )  # S3 user guide, object keys, 2026-11
        return super().put(key, body, **rules)


@dataclass
class Time:
    """Seconds that are left; waiting uses them up."""

    seconds_left: float = 500.0

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0.0
        self.seconds_left -= seconds

    @property
    def deadline(self) -> Deadline:
        return Deadline(lambda: self.seconds_left)


@dataclass
class FuzzedWorld:
    """A region that is collected three times; the second time with generated answers.

    Attributes:
        world: Stores.
        items: Reads the table.
        time: Time of the second run's collector.
    """

    world: World
    items: Callable[[], Items]
    time: Time = field(default_factory=Time)

    def run_all(self, dataset: Dataset, collect: Collect) -> str:
        """Run the three runs, and check each. Returns how the second one ended: a status, or the name of an error."""
        first = self._good(0, spot=0.01)
        assert (first["status"], first["complete"]) == ("complete", True)
        ended = self._odd(1, dataset, collect)
        last = self._good(2, spot=0.02)
        assert (last["status"], last["complete"]) == ("complete", True), "a good run after an odd one is whole"
        witness = self.items()[SIZE, f"{REGION}#1"]
        assert float(witness["SpotPrice"]) == 0.02  # the real table says Decimal
        assert float(witness["IF"]) == 3.0
        return ended

    def _good(self, number: int, spot: float) -> dict[str, Any]:
        run = self.world.collected(number, spot=spot, ondemand=0.1, scores={"1": 3, "2": 2}, sizes=[SIZE])
        return self._finished(run, [])

    def _odd(self, number: int, dataset: Dataset, collect: Collect) -> str:
        run = self.world.run(number)
        item = self._planned(run, dataset)
        failures: list[Failure] = []
        ended: str
        try:
            ended = collect(run, item, self).status
        except SpotlakeError as error:  # the state machine catches it by its name
            ended = type(error).__name__
            failures = [Failure(error=ended, cause=str(error), dataset=dataset.value, region=REGION)]
        assert all(one.cause.isprintable() and len(one.cause) < 1000 for one in failures)
        manifest = self._finished(run, failures)
        percent = manifest["coverage"][_COVERAGE[dataset]]
        assert (percent == 100.0) == (ended == "complete"), "whole is said exactly when the collector says complete"
        assert [one for one in manifest["refused_shards"] if one["reason"] != "missing"] == []
        return ended

    def _planned(self, run: Run, dataset: Dataset) -> WorkItem:
        call = ScoreCall(call_id="c0000", location=REGION, regions=(REGION,), instance_types=SIZES, desired_count=1)
        calls = (call,) if dataset is Dataset.SPS else ()
        item = WorkItem(region=REGION, instance_types=SIZES, calls=calls, datasets=(dataset,), witness=True)
        write_record(self.world.objects, AttemptRecord(run=run, scope=Scope()))
        write_work(self.world.objects, Work(run=run, items={REGION: item}, calls_planned=len(calls)))
        return item

    def _finished(self, run: Run, failures: Sequence[Failure]) -> dict[str, Any]:
        """Merge, and look at all that readers of the archive see."""
        objects = self.world.objects
        merge = MergeDeps(
            objects=objects,
            workloads=self.world.workloads,
            clock=ManualClock(run.slot_at),
            deadline=Deadline.after(600),
            settings=Settings(),
        )
        finish_run(run, failures, FinishDeps(merge=merge, objects=objects))
        manifest: dict[str, Any] = orjson.loads(_body(objects.get(keys.manifest(run.slot_at))))
        assert manifest["invalid_items"] == 0
        for item in self.items().values():
            assert_dynamodb_takes(item)
        text = gzip.decompress(_body(objects.get(keys.snapshot(run.slot_at)))).decode()
        for row in csv.DictReader(io.StringIO(text)):
            assert None not in row
            assert all(_is_harmless(cell) for cell in row.values()), row
        orjson.loads(_body(objects.get(keys.LATEST)))
        return manifest


def _body(stored: Any) -> bytes:
    assert stored is not None
    body: bytes = stored.body
    return body


def _is_harmless(cell: str) -> bool:
    """Whether a spreadsheet takes a cell for text or a number."""
    if not cell.isprintable() or len(cell) > 500:
        return False
    return cell[:1] not in ("=", "+", "-", "@", "\t") or cell.lstrip("-").replace(".", "", 1).isdigit()


def assert_dynamodb_takes(item: dict[str, Any]) -> None:
    """Hold an item against DynamoDB's limits (developer guide, constraints; API reference, data types; 2026-11)."""
    assert 1 <= len(item["InstanceType"].encode()) <= 2048
    assert 1 <= len(item["Workload"].encode()) <= 1024
    assert len(orjson.dumps(item, default=float)) < 400 * 1024
    for value in _values(item):
        if isinstance(value, str):
            assert value.isprintable()
        elif value:
            number = float(value)
            assert math.isfinite(number)
            assert 1e-130 <= abs(number) <= 9.99e125
            assert not isinstance(value, int) or len(str(abs(value))) <= 38


def _values(value: Any) -> list[Any]:
    return [one for part in value.values() for one in _values(part)] if isinstance(value, dict) else [value]


def in_memory() -> FuzzedWorld:
    """A world whose stores are twins in memory."""
    world = World(StrictObjects())
    return FuzzedWorld(world, lambda: items(world))
