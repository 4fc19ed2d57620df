"""A merge that dies at any call to a store, before or after the call took effect, and is done again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from spotlake import keys
from spotlake.clock import Deadline
from spotlake.models import ItemChange, Run
from spotlake.state.merged_states import Head, MergedStates
from spotlake.stores.objects import MemoryObjects, ObjectStore, StoredObject
from spotlake.stores.workloads import MemoryWorkloads, SizedIterable, Upserted, WorkloadTable
from spotlake_local.aws.launcher import EmulatedAws
from tests.functional.merge.conftest import World, items
from tests.functional.merge.test_real_store import Site
from tests.support.emulator import aws

__all__ = ["aws"]
_SIZES = ("Standard_D2s_v5", "Standard_E4s_v5")


class KilledError(Exception):
    """Stands for the end of the process: nothing catches it."""


class Calls:
    """Counts calls to stores, and dies at one of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.watch()

    def watch(self, *, die_at: int = 0, after: bool = False) -> None:
        """Count anew; die at this call, before it or after it took effect (0: at none)."""
        self.number, self.die_at, self.after = 0, die_at, after

    def __call__[T](self, work: Callable[[], T]) -> T:
        with self._lock:
            self.number += 1
            dies = self.number == self.die_at
        if dies and not self.after:
            raise KilledError
        result = work()
        if dies:
            raise KilledError
        return result


class MortalObjects:
    """A bucket whose every call is counted."""

    def __init__(self, inner: ObjectStore, calls: Calls) -> None:
        self._inner, self._calls, self.bucket = inner, calls, inner.bucket

    def get(self, key: str) -> StoredObject | None:
        return self._calls(lambda: self._inner.get(key))

    def etag(self, key: str) -> str | None:
        return self._calls(lambda: self._inner.etag(key))

    def put(self, key: str, body: bytes, **options: Any) -> str:
        return self._calls(lambda: self._inner.put(key, body, **options))

    def put_unpacked(self, key: str, packed: bytes, **options: Any) -> str:
        return self._calls(lambda: self._inner.put_unpacked(key, packed, **options))

    def keys(self, prefix: str) -> Iterator[str]:
        return self._calls(lambda: iter(list(self._inner.keys(prefix))))

    def delete(self, key: str) -> None:
        self._calls(lambda: self._inner.delete(key))


class MortalWorkloads:
    """A table whose every item is a call."""

    def __init__(self, inner: WorkloadTable, calls: Calls) -> None:
        self._inner, self._calls = inner, calls

    def upsert(self, changes: SizedIterable[ItemChange], *, deadline: Deadline) -> Upserted:
        told = Upserted()
        for change in changes:
            one = self._calls(lambda change=change: self._inner.upsert([change], deadline=deadline))  # type: ignore[misc]
            told = replace(told, written=told.written + one.written, done=told.done + one.done)
        return replace(told, left=len(changes) - told.done)


def mortal(world: World) -> Calls:
    """Let the world's stores be counted."""
    calls = Calls()
    world.objects, world.workloads = MortalObjects(world.objects, calls), MortalWorkloads(world.workloads, calls)
    return calls


def spec(number: int) -> dict[str, Any]:
    """What a run of this number collected: always something else than the run before."""
    return {
        "spot": round(0.01 + number / 1000, 6),
        "band": ("0-5", "5-10", "20+")[number % 3],
        "scores": {"1": number % 3 + 1, "2": 3 - number % 3},
        "count": (1, 5)[number % 2],
        "sizes": _SIZES if number % 5 else _SIZES[:1],
    }


def contents(world: World, runs: range) -> dict[str, bytes]:
    """What readers see: the files of the newest slot, and the snapshot of every run."""
    names = [*keys.NEWEST_FILES, *(keys.snapshot(world.run(number).slot_at) for number in runs)]
    stored = {name: world.objects.get(name) for name in names}
    return {name: one.body for name, one in stored.items() if one is not None}


def prepared(order: tuple[int, ...]) -> World:
    """A world in which all runs of ``order`` but the last are merged."""
    world = World(MemoryObjects(), MemoryWorkloads())
    for number in order[:-1]:
        world.merge(world.collected(number, **spec(number)))
    world.collected(order[-1], **spec(order[-1]))
    return world


@pytest.mark.parametrize("order", [(0,), (0, 1, 2), (0, 1, 3, 4, 2)], ids=["first", "newest", "late"])
def test_a_merge_killed_at_any_call_and_done_again_ends_in_the_same_bytes_and_items(order: tuple[int, ...]) -> None:
    runs = range(len(order))
    calm = prepared(order)
    run = calm.run(order[-1], spec(order[-1])["count"])
    table = items(calm)
    calls = mortal(calm)
    calls.watch()
    calm.merge(run)
    calls_of_a_merge = calls.number - 1  # the last one is the look at the manifest that the test itself takes
    assert calls_of_a_merge > 15
    for die_at in range(1, calls_of_a_merge + 1):
        for after in (False, True):
            world = prepared(order)
            killed_table = items(world)
            calls = mortal(world)
            calls.watch(die_at=die_at, after=after)
            with pytest.raises(KilledError):
                world.merge(run)
            calls.watch()
            is_told = world.objects.get(keys.manifest(run.slot_at)) is not None
            assert is_told == (after and die_at == calls_of_a_merge)  # the manifest is the last word
            world.merge(run)
            assert killed_table == table, (die_at, after)
            assert contents(world, runs) == contents(calm, runs), (die_at, after)


class BegunMeanwhile(MemoryObjects):
    """While somebody looks for manifests for the first time, another merge begins the chain and writes its manifest."""

    begin: Callable[[], object] | None = None

    def keys(self, prefix: str) -> Iterator[str]:
        begin, self.begin = self.begin, None
        if begin is not None and prefix == keys.MANIFEST_PREFIX:
            begin()
        return super().keys(prefix)


def test_the_two_first_merges_of_an_archive_may_run_at_once() -> None:
    world = World(BegunMeanwhile(), MemoryWorkloads())
    other, run = (world.collected(number, scores={"1": 3}) for number in range(2))
    assert isinstance(world.objects, BegunMeanwhile)
    objects, began = world.objects, iter([lambda: world.merge(other)])
    head = MergedStates.head

    def begun(states: MergedStates) -> Head:
        objects.begin = next(began, None)  # the first look at the chain
        return head(states)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MergedStates, "head", begun)
        world.merge(run)
    assert [one.run_id for one in MergedStates(objects).head().runs] == [other.run_id, run.run_id]


def test_a_killed_merge_then_a_late_slot_then_the_merge_again_end_as_in_order() -> None:
    def begun() -> tuple[World, Run, Run]:
        world = World(MemoryObjects(), MemoryWorkloads())
        world.merge(world.collected(0, spot=0.01, scores={"1": 3}, sizes=_SIZES))
        late = world.collected(1, spot=0.02, scores={"1": 2}, sizes=_SIZES)
        return world, late, world.collected(2, spot=0.05, scores={"1": 1}, sizes=_SIZES)

    calm, late, run = begun()
    calm.merge(late)
    calm.merge(run)
    world, late, run = begun()
    calls = mortal(world)
    calls.watch()
    world.merge(run)
    for die_at in range(1, calls.number + 1):
        world, late, run = begun()
        table = items(world)
        deaths = mortal(world)
        deaths.watch(die_at=die_at, after=True)
        with pytest.raises(KilledError):
            world.merge(run)
        deaths.watch()
        world.merge(late)
        world.merge(run)
        assert _values(table) == _values(items(calm)), die_at
        assert contents(world, range(3)) == contents(calm, range(3)), die_at


def _values(table: Mapping[Any, Mapping[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Items without who wrote them, and when."""
    writer = ("Version", "RunId", "UpdatedAt")
    return {key: {name: one for name, one in item.items() if name not in writer} for key, item in table.items()}


def plain(value: Any) -> Any:
    """DynamoDB's decimals as the floats that they were."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return float(value) if isinstance(value, Decimal) else value


def test_kills_at_every_call_in_turn_through_the_emulated_stores(aws: EmulatedAws) -> None:
    calm, site = World(), Site(aws)
    calls = mortal(site)
    number, is_killed = 0, True
    while is_killed:  # every run dies one call later than the run before, until one comes through
        run = site.collected(number, **spec(number))
        calls.watch(die_at=number + 1, after=number % 2 == 1)
        try:
            site.merge(run)
            is_killed = False
        except KilledError:
            calls.watch()
            site.merge(run)
        calm.merge(calm.collected(number, **spec(number)))
        number += 1
    calls.watch()
    assert number > 15
    assert plain(site.items()) == items(calm)
    assert contents(site, range(number)) == contents(calm, range(number))
