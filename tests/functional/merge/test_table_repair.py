"""The table after bad times: it refused for hours, or outlived its bucket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.merge.state import MergedState
from spotlake.state.merged_states import MergedStates
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.workloads import MemoryWorkloads
from tests.functional.merge.conftest import SIZE, World, items, latest

SIZES = tuple(f"Standard_D{number}s_v5" for number in range(6))


class RefusingTable(MemoryWorkloads):
    """Refuses while told to, in the middle of its work: some items are written before."""

    refuses = False

    def upsert(self, changes: Any, **options: Any) -> Any:
        if not self.refuses:
            return super().upsert(changes, **options)
        written = list(changes)[::2]
        super().upsert(written, **options)
        raise StoreError("table azure-test: AccessDeniedException")


def values(world: World) -> Mapping[Any, Mapping[str, Any]]:
    writer = ("Version", "RunId", "UpdatedAt")
    return {
        key: {name: one for name, one in item.items() if name not in writer}
        for key, item in items(world).items()
        if "RetiredAt" not in item
    }


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the states that merges load."""
    loaded: list[str] = []
    load = MergedStates.load

    def noted(states: MergedStates, key: str) -> MergedState:
        loaded.append(key)
        return load(states, key)

    monkeypatch.setattr(MergedStates, "load", noted)
    return loaded


def test_after_hours_of_a_refusing_table_a_merge_holds_no_more_than_before(loads: list[str]) -> None:
    table = RefusingTable()
    world = World(MemoryObjects(), table)
    calm = World(MemoryObjects(), MemoryWorkloads())
    world.merge(world.collected(0, scores={"1": 3}, sizes=SIZES))
    calm.merge(calm.collected(0, scores={"1": 3}, sizes=SIZES))
    table.refuses = True
    for number in range(1, 31):
        collected: dict[str, Any] = {
            "spot": number / 100,
            "scores": {"1": 1 + number % 3},
            "sizes": SIZES[: number % 6 + 1],
        }
        calm.merge(calm.collected(number, **collected))
        loads.clear()
        with pytest.raises(StoreError):
            world.merge(world.collected(number, **collected))
        assert len(loads) <= 5
    table.refuses = False
    world.merge(world.collected(31, scores={"1": 3}, sizes=SIZES))
    calm.merge(calm.collected(31, scores={"1": 3}, sizes=SIZES))
    assert values(world) == values(calm)
    loads.clear()
    world.merge(world.collected(32, scores={"1": 3}, sizes=SIZES))
    assert len(loads) == 1
    assert not MergedStates(world.objects).head().rewrite


def test_a_new_chain_over_an_old_table_wins() -> None:
    table = MemoryWorkloads()
    old = World(MemoryObjects(), table)
    for number in range(5):
        old.merge(old.collected(number, spot=0.059, scores={"1": 3}))
    new = World(MemoryObjects(), table)  # the bucket was emptied, the table was kept
    manifest = new.merge(new.collected(10, spot=9.0, scores={"1": 1}))
    assert (manifest["written_items"], manifest["overtaken_items"]) == (1, 0)
    (item,) = items(new).values()
    assert (item["SpotPrice"], item["Scores"]["1"]["s"]) == (9.0, 1)
    assert latest(new)[0]["SpotPrice"] == 9.0


def test_a_table_of_the_future_is_told_of() -> None:
    world = World(MemoryObjects(), MemoryWorkloads())
    world.merge(world.collected(0, scores={"1": 3}))
    (item,) = items(world).values()
    item["Version"] = 10**15  # another chain writes the same table
    manifest = world.merge(world.collected(1, spot=0.5, scores={"1": 3}))
    assert (manifest["written_items"], manifest["overtaken_items"]) == (0, 1)


def test_what_this_archive_wrote_itself_is_not_told_as_another_s() -> None:
    world = World(MemoryObjects(), MemoryWorkloads())
    run = world.collected(0, scores={"1": 3})
    table = world.workloads.upsert

    def written_and_killed(*args: Any, **options: Any) -> Any:
        table(*args, **options)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.workloads, "upsert", written_and_killed)
        with pytest.raises(KeyboardInterrupt):
            world.merge(run)
    manifest = world.merge(run)  # every item has this version already
    assert (manifest["written_items"], manifest["overtaken_items"]) == (0, 0)


def test_a_chain_of_every_past_schema_is_read(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    stored = world.objects.get(keys.MERGED_CHAIN)
    assert stored is not None
    for schema in (2, 1):
        body = stored.body.replace(b'"schema":3', b'"schema":%d' % schema).replace(b'"rewrite":false,', b"")
        if schema == 1:
            start, end = body.index(b',"attempts"'), body.index(b"}]")
            body = body[:start] + body[end:]
        world.objects.put(keys.MERGED_CHAIN, body)
        head = MergedStates(world.objects).head()
        assert (head.rewrite, head.runs[0].attempts) == (False, (1,) if schema == 2 else (0,))
        world.merge(world.collected(schema, scores={"1": 3}, sizes=[SIZE]))
