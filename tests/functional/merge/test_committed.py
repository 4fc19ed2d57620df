"""What a merge commits: every field of the chain, which states it reads, and what it tells of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from hashlib import blake2b
from itertools import count
from typing import Any

import orjson
import pytest

from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import ConflictError, StoreError
from spotlake.models import ItemChange, Run, run_id_of
from spotlake.planning.attempt import AttemptRecord
from spotlake.planning.scope import Scope
from spotlake.settings import Settings
from spotlake.state.attempts import write_end, write_record
from spotlake.state.merged_states import Head, MergedRun, MergedStates
from spotlake.stores.objects import MemoryObjects, StoredObject
from spotlake.stores.workloads import MemoryWorkloads, SizedIterable, Upserted
from spotlake.usecases.merge.merge_run import MergeDeps, attempts_to_merge, merge_run
from tests.functional.merge.conftest import FIRST, REGION, SIZE, World, head, snapshot
from tests.support.errors import says

OTHER, THIRD = "Standard_E4s_v5", "Standard_F2s_v2"
MILLISECONDS = 1765792800000  # of FIRST, as `date +%s` tells its seconds
SLOT = timedelta(minutes=10)


class Objects(MemoryObjects):
    """Counts reads, and lets others be quicker before the chain is written."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()
        self.quicker: list[Callable[[], object]] = []

    def get(self, key: str) -> StoredObject | None:
        self.reads[key] += 1
        return super().get(key)

    def put(self, key: str, body: bytes, **options: Any) -> str:
        if key == keys.MERGED_CHAIN and self.quicker:
            now, later = self.quicker[0], self.quicker[1:]
            self.quicker = []
            now()
            self.quicker = later
        return super().put(key, body, **options)


class Workloads(MemoryWorkloads):
    """A table that has room for so many changes, and tells of a foreign writer."""

    def __init__(self) -> None:
        super().__init__()
        self.room, self.overtaken = 1000, 0
        self.meanwhile: Callable[[], object] | None = None
        self.error: Exception | None = None
        self.written: list[list[str]] = []
        self.seconds: list[float] = []

    def upsert(self, changes: SizedIterable[ItemChange], *, deadline: Deadline) -> Upserted:
        self.seconds.append(deadline.seconds_left())
        if self.error:
            error, self.error = self.error, None
            raise error
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        found = list(changes)[: self.room]
        self.written.append([str(one.item["InstanceType"]) for one in found])
        done = super().upsert(found, deadline=deadline)
        return replace(done, left=len(changes) - len(found), overtaken=done.overtaken + self.overtaken)


def new_world(*numbers: int) -> World:
    """A world in which these slots are merged; their merges are made once for all tests."""
    world = World(Objects(), Workloads())
    if numbers:
        stored, items = _merged(numbers)
        objects(world).objects.update(stored)
        table(world).items.update({key: dict(item) for key, item in items.items()})
    return world


@cache
def _merged(numbers: tuple[int, ...]) -> tuple[dict[str, bytes], dict[tuple[str, str], dict[str, Any]]]:
    world = new_world()
    for number in numbers:
        world.merge(collected(world, number))
    return objects(world).objects, table(world).items


@pytest.fixture
def world() -> World:
    return new_world()


def objects(world: World) -> Objects:
    assert isinstance(world.objects, Objects)
    return world.objects


def table(world: World) -> Workloads:
    assert isinstance(world.workloads, Workloads)
    return world.workloads


def collected(world: World, number: int, *, attempt: int | None = None, **changes: Any) -> Run:
    values: dict[str, Any] = {"spot": 0.1 + number, "scores": {"1": 3}, "sizes": (SIZE, OTHER, THIRD), **changes}
    return world.collected(number, attempt=attempt, **values)


def digest_of(world: World, number: int, *attempts: int, missing: int = 0) -> str:
    """As the merge makes it, from the stored bytes: shards in order of region and data set."""
    found = blake2b(digest_size=8)
    for attempt in attempts:
        found.update(attempt.to_bytes(8))
        for folder in ("sps", "spot_price", "spot_if"):
            key = f"rawdata/azure/{folder}/{FIRST + number * SLOT:%Y/%m/%d/%H-%M}/{REGION}.{attempt}.jsonl.gz"
            stored = world.objects.get(key)
            found.update(b"-" if stored is None else stored.body[-64:] + len(stored.body).to_bytes(8))
    return found.hexdigest()


def entry(world: World, number: int, version: int, *attempts: int, desired: int = 1) -> MergedRun:
    run_id = run_id_of(FIRST + number * SLOT)
    key = f"state/azure/merged/{run_id}-{version}-{attempts[-1]}.gz"
    return MergedRun(run_id, key, digest_of(world, number, *attempts), attempts, desired)


def test_the_chain_after_slots_and_a_second_attempt(world: World) -> None:
    world.merge(collected(world, 0))
    world.merge(collected(world, 1, count=5, band=None))
    first, second = MILLISECONDS, MILLISECONDS + 600_000
    runs = (entry(world, 0, first, 1), entry(world, 1, second, 2, desired=5))
    expected = Head(version=second, runs=runs, table_version=second, table_key=runs[1].key)
    assert replace(head(world), etag=None) == expected
    assert set(world.objects.keys(keys.MERGED_STATES_PREFIX)) == {one.key for one in runs}
    # Another attempt at the slot, by a clock that stands still: the version grows by one.
    world.merge(collected(world, 1, attempt=9, spot=None, scores=None))
    again = entry(world, 1, second + 1, 2, 9, desired=5)
    expected = Head(version=second + 1, runs=(runs[0], again), table_version=second + 1, table_key=again.key)
    assert replace(head(world), etag=None) == expected
    assert set(world.objects.keys(keys.MERGED_STATES_PREFIX)) == {runs[0].key, again.key}


def test_a_late_slot_gives_all_later_slots_states_of_one_version() -> None:
    world = new_world(0, 2, 3)
    before = head(world)
    manifest = world.merge(collected(world, 1))
    version = MILLISECONDS + 1_800_001  # the clock is at slot 1, and slot 3 was merged before
    runs = [before.runs[0]]
    for number in (1, 2, 3):
        made = entry(world, number, version, number + 1)
        runs.append(replace(made, key=made.key.removesuffix(f"-{number + 1}.gz") + "-2.gz"))  # of one writer
    assert replace(head(world), etag=None) == Head(
        version=version, runs=tuple(runs), table_version=version, table_key=runs[-1].key
    )
    assert [key for key in manifest["outputs"] if key.startswith("rawdata/")] == [
        keys.snapshot(FIRST + number * SLOT) for number in (1, 2, 3)
    ]  # fmt: skip


def test_a_merge_done_again_changes_nothing_but_its_manifest() -> None:
    world = new_world(0)
    run = world.run(0)
    stored = world.objects.get(keys.manifest(run.slot_at))
    assert stored is not None
    first = orjson.loads(stored.body)
    before = head(world)
    written = len(table(world).written)
    second = world.merge(run)
    assert head(world) == before
    assert len(table(world).written) == written  # the table shows the state already
    same = {name: value for name, value in first.items() if name != "seconds"}
    assert {name: value for name, value in second.items() if name != "seconds"} == same


def test_each_state_is_read_once_by_a_merge_of_a_newer_slot() -> None:
    world = new_world(0, 1)
    key = head(world).runs[-1].key
    objects(world).reads.clear()
    world.merge(collected(world, 2))
    reads = objects(world).reads
    assert {one: times for one, times in reads.items() if one.startswith(keys.MERGED_STATES_PREFIX)} == {key: 1}


def test_the_table_gets_all_time_but_that_of_the_files(world: World) -> None:
    run = collected(world, 0)
    merge_run(run, [], deps(world, run, deadline=Deadline(lambda: 100.0)))
    assert table(world).seconds == [85.0]


def deps(world: World, run: Run, **changes: Any) -> MergeDeps:
    values: dict[str, Any] = {
        "objects": world.objects, "workloads": world.workloads, "clock": ManualClock(run.slot_at),
        "deadline": Deadline(lambda: 1000.0), "settings": Settings(), **changes,
    }  # fmt: skip
    return MergeDeps(**values)


def test_parts_are_timed_each_and_together(world: World) -> None:
    run = collected(world, 0)
    ticks = count(1)
    merged = merge_run(run, [], deps(world, run, monotonic=lambda: float(next(ticks)) / 7))
    # It is asked once at the beginning, at both ends of each part, and at the end.
    assert merged.seconds == {"read": 0.143, "fold": 0.143, "upsert": 0.143, "write": 0.143, "total": 1.286}
    assert (merged.run, merged.merged_at, merged.witnesses) == (run, run.slot_at, [])
    assert merged.rows == {"sps": 3, "price": 3, "eviction": 3, "merged": 3}
    assert merged.listed == {REGION: [SIZE, OTHER, THIRD]}


# -- which attempts ----------------------------------------------------------------------------------


def test_attempts_that_are_merged_together(world: World) -> None:
    runs = {number: collected(world, 0, attempt=number) for number in (2, 3, 4, 5)}
    assert attempts_to_merge(world.objects, runs[5]) == (5,)  # nobody else reached its merge
    write_end(world.objects, runs[3], [])
    assert attempts_to_merge(world.objects, runs[5]) == (3, 5)
    run = replace(runs[5], attempt=6)
    write_record(world.objects, AttemptRecord(run=run, scope=Scope(resume=True), includes=(2, 99)))
    assert attempts_to_merge(world.objects, run) == (2, 3, 6)  # 99 has left nothing
    assert attempts_to_merge(world.objects, runs[5]) == (3, 5)
    with pytest.raises(StoreError, match="was never planned"):
        attempts_to_merge(world.objects, replace(runs[5], attempt=7))


def test_an_attempt_of_the_first_form_counts_though_it_has_no_end(world: World) -> None:
    run = collected(world, 0, attempt=2)
    world.objects.put(keys.first_form_record(run.slot_at), b"damaged")
    assert attempts_to_merge(world.objects, run) == (0, 2)


def test_attempts_that_the_chain_has_stay_though_their_ends_are_gone() -> None:
    world = new_world(0)
    for key in list(world.objects.keys(keys.WORK_PREFIX)):
        world.objects.delete(key)
    world.merge(collected(world, 0, attempt=5))
    assert head(world).runs[0].attempts == (1, 5)


# -- others at the same time -------------------------------------------------------------------------


def test_a_quicker_merge_of_another_slot_is_folded_before() -> None:
    world, calm = new_world(0), new_world(0, 1, 2)
    other, run = collected(world, 1), collected(world, 2)
    objects(world).quicker = [lambda: world.merge(other)]
    manifest = world.merge(run)
    stored = calm.objects.get(keys.manifest(run.slot_at))
    assert stored is not None
    assert [one.digest for one in head(world).runs] == [one.digest for one in head(calm).runs]
    assert [one.attempts for one in head(world).runs] == [(1,), (2,), (3,)]
    assert manifest["rows"] == orjson.loads(stored.body)["rows"]
    assert table(world).items == table(calm).items


@pytest.mark.parametrize(("times", "is_merged"), [(15, True), (16, False)])
def test_sixteen_quicker_merges_in_a_row_are_an_error(world: World, times: int, *, is_merged: bool) -> None:
    states = MergedStates(world.objects)
    run = collected(world, 0)

    def touch() -> None:
        states.replace_head(replace(states.head(), version=states.head().version + 1))

    objects(world).quicker = [touch] * times
    if is_merged:
        assert world.merge(run)["status"] == "complete"
    else:
        with says(StoreError, "state/azure/merged_chain.json: others replaced it 16 times in a row"):
            world.merge(run)


def test_items_of_a_foreign_writer_are_told(world: World) -> None:
    table(world).overtaken = 2
    assert world.merge(collected(world, 0))["overtaken_items"] == 2


def test_items_that_an_earlier_try_wrote_are_no_foreign_writers(world: World) -> None:
    run = collected(world, 0)
    table(world).error = StoreError("the answer was lost")
    with pytest.raises(StoreError):
        world.merge(run)
    begun = head(world)
    assert (begun.begun, begun.table_key, begun.table_version) == ((begun.runs[0].key,), "", 0)
    table(world).overtaken = 2
    manifest = world.merge(run)
    assert (manifest["overtaken_items"], manifest["written_items"], manifest["changed_rows"]) == (0, 3, 3)
    after = head(world)
    assert (after.begun, after.table_key, after.table_version) == ((), after.runs[0].key, after.version)


def test_items_that_a_newer_merge_wrote_meanwhile_are_no_foreign_writers() -> None:
    world = new_world(0)
    newer = collected(world, 2)
    table(world).overtaken = 2
    table(world).meanwhile = lambda: world.merge(newer)
    manifest = world.merge(collected(world, 1))
    assert manifest["overtaken_items"] == 0
    assert head(world).table_key == head(world).runs[-1].key  # the newer merge has the last word
    stored = world.objects.get(keys.manifest(FIRST + 2 * SLOT))
    assert stored is not None
    assert orjson.loads(stored.body)["overtaken_items"] == 2


def test_a_table_that_a_newer_merge_has_finished_is_left() -> None:
    world = new_world(0)
    run = collected(world, 1)
    table(world).error = ConflictError("a state is gone")
    assert world.merge(run)["changed_rows"] == 0


# -- a slot that is older than the chain -------------------------------------------------------------


@pytest.fixture
def remembers_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("usecases.merge.merge_run", "usecases.merge.refold"):
        monkeypatch.setattr(f"spotlake.{module}.REMEMBERED_RUNS", 2)


@pytest.mark.usefixtures("remembers_two")
def test_a_slot_older_than_the_chain_gets_its_snapshot_alone(world: World) -> None:
    for number in (1, 2, 3):
        world.merge(collected(world, number))
    before, items = head(world), {key: dict(one) for key, one in table(world).items.items()}
    manifest = world.merge(collected(world, 0, count=5, sizes=(OTHER,), scores={"1": 3, "2": 2}))
    assert (head(world), table(world).items) == (before, items)
    assert manifest["rows"] == {"sps": 2, "price": 1, "eviction": 1, "merged": 2}
    assert [(row["InstanceType"], row["AvailabilityZone"]) for row in snapshot(world, 0)] == [
        ("E4s_v5", "1"), ("E4s_v5", "2")
    ]  # fmt: skip
    assert {row["DesiredCount"] for row in snapshot(world, 0)} == {"5"}
    figures = world.objects.get(keys.figures(FIRST))
    assert figures is not None


@pytest.mark.usefixtures("remembers_two")
def test_the_oldest_slot_of_a_full_chain_is_folded_into_its_own_state(world: World) -> None:
    for number in (0, 1, 2):
        world.merge(collected(world, number, sizes=(SIZE,)))
    world.merge(collected(world, 1, attempt=20, spot=0.7, sizes=(SIZE,)))
    assert [one.attempts for one in head(world).runs] == [(2, 20), (3,)]
    assert [row["SpotPrice"] for row in snapshot(world, 1)] == ["0.7"]
    assert [row["SpotPrice"] for row in snapshot(world, 2)] == ["2.1"]
