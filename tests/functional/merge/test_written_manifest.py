"""The manifest by itself: numbers over several merges of a slot, who may replace it, and what it is compared with."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import orjson
import pytest

from spotlake.clock import Deadline, ManualClock
from spotlake.errors import ConflictError, StoreError
from spotlake.settings import Settings
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.workloads import Upserted
from spotlake.usecases.merge.merge_run import MergeDeps, merge_run
from spotlake.usecases.merge.second_witness import Witnesses
from spotlake.usecases.merge.write_manifest import Merged, write_manifest
from tests.functional.merge.conftest import REGION, World
from tests.functional.merge.test_committed import collected, new_world
from tests.support.errors import says

KEY = "runs/azure/2025/12/15/10-00.json"


@cache
def merged() -> tuple[Merged, bytes]:
    """What a merge of a slot hands over, and the manifest that it wrote."""
    world = new_world()
    run = collected(world, 0)
    deps = MergeDeps(
        objects=world.objects, workloads=world.workloads, clock=ManualClock(run.slot_at),
        deadline=Deadline(lambda: 1000.0), settings=Settings(), monotonic=lambda: 0.0,
    )  # fmt: skip
    found = merge_run(run, [], deps)
    stored = world.objects.get(KEY)
    assert stored is not None
    return found, stored.body


def written(objects: MemoryObjects | None = None, minimum: int = 50, **changes: Any) -> dict[str, Any]:
    """The manifest after it was written for a merge with other results."""
    store = objects if objects is not None else MemoryObjects()
    write_manifest(store, replace(merged()[0], **changes), Settings(minimum_coverage_percent=minimum))
    found: dict[str, Any] = orjson.loads(store.objects[KEY])
    return found


def stored(**changes: Any) -> MemoryObjects:
    """A bucket with this slot's manifest, changed."""
    return MemoryObjects(objects={KEY: orjson.dumps({**orjson.loads(merged()[1]), **changes})})


UPSERTED = Upserted(written=4, overtaken=3, invalid=2, write_units=2.26, throttles=1, done=5, left=6)
NUMBERS = (
    "changed_rows", "written_items", "overtaken_items", "invalid_items", "items_left", "consumed_write_units",
    "write_throttles",
)  # fmt: skip


def test_numbers_of_one_merge() -> None:
    found = written(upserted=UPSERTED)
    assert {name: found[name] for name in NUMBERS} == {
        "changed_rows": 11, "written_items": 4, "overtaken_items": 3, "invalid_items": 2, "items_left": 6,
        "consumed_write_units": 2.3, "write_throttles": 1,
    }  # fmt: skip


def test_numbers_over_two_merges_count_what_was_left_once() -> None:
    before = {
        "changed_rows": 100, "written_items": 70, "overtaken_items": 10, "invalid_items": 5, "items_left": 20,
        "consumed_write_units": 1.5, "write_throttles": 8,
    }  # fmt: skip
    found = written(stored(**before), upserted=UPSERTED)
    assert {name: found[name] for name in NUMBERS} == {
        "changed_rows": 91, "written_items": 74, "overtaken_items": 13, "invalid_items": 7, "items_left": 6,
        "consumed_write_units": 3.8, "write_throttles": 9,
    }  # fmt: skip


def test_a_manifest_of_an_older_version_had_no_invalid_items() -> None:
    old = orjson.loads(merged()[1])
    del old["invalid_items"]
    found = written(MemoryObjects(objects={KEY: orjson.dumps(old)}), upserted=UPSERTED)
    assert found["invalid_items"] == 2


@pytest.mark.parametrize(
    ("upserted", "status"),
    [
        (Upserted(), "complete"),
        (Upserted(left=1), "partial"),
        (Upserted(invalid=1), "partial"),
        (Upserted(overtaken=9, throttles=9, written=9, done=9), "complete"),
    ],
)
def test_a_table_that_lacks_items_makes_a_whole_slot_partial(upserted: Upserted, status: str) -> None:
    assert written(upserted=upserted)["status"] == status


def test_what_the_merge_says_of_itself_is_in_the_manifest() -> None:
    found = written(
        rows={"sps": 7}, seconds={"read": 1.5}, outputs=["a", "b"], witnesses=[Witnesses(region=REGION, attempt=1)],
        merged_at=merged()[0].run.slot_at + timedelta(seconds=90), upserted=Upserted(),
    )  # fmt: skip
    assert (found["schema"], found["complete"], found["rows"], found["seconds"]) == (2, True, {"sps": 7}, {"read": 1.5})
    assert (found["outputs"], found["merged_at"]) == (["a", "b", KEY], "2025-12-15T10:01:30Z")
    assert found["price_witness"] == [
        {"region": REGION, "attempt": 1, "answered": False, "odd_rows": 0, "systems": {}}
    ]  # fmt: skip
    assert found["unknown_zone_rows"] == 0


@pytest.mark.parametrize(("minimum", "is_sufficient"), [(100, True), (0, True)])
def test_coverage_suffices_from_the_setting_on(minimum: int, *, is_sufficient: bool) -> None:
    assert written(minimum=minimum)["coverage_sufficient"] == is_sufficient


# -- who may replace it ------------------------------------------------------------------------------


def attempts(*numbers: int) -> list[dict[str, Any]]:
    (entry,) = orjson.loads(merged()[1])["attempts"]
    return [{**entry, "attempt": number} for number in numbers]


@pytest.mark.parametrize(
    ("numbers", "is_replaced"), [((1,), True), ((1, 2), False), ((2, 3), True), ((), True)], ids=str
)
def test_a_manifest_of_more_attempts_stays(numbers: tuple[int, ...], *, is_replaced: bool) -> None:
    objects = stored(attempts=attempts(*numbers), rows={"sps": 99})
    assert (written(objects, rows={"sps": 7})["rows"] == {"sps": 7}) == is_replaced


@pytest.mark.parametrize("body", [b"{", b'{"schema": 2}', b'{"schema": 9, "attempts": []}'])
def test_a_damaged_manifest_is_replaced(body: bytes) -> None:
    found = written(MemoryObjects(objects={KEY: body}), upserted=UPSERTED)
    assert found["changed_rows"] == 11


class Raced(MemoryObjects):
    """Loses so many writes; notes the conditions."""

    def __init__(self, lost: int, objects: dict[str, bytes] | None = None) -> None:
        super().__init__(objects=objects)
        self.lost, self.options = lost, list[dict[str, Any]]()

    def put(self, key: str, body: bytes, **options: Any) -> str:
        self.options.append(options)
        self.lost -= 1
        if self.lost >= 0:
            raise ConflictError(key)
        return super().put(key, body, **options)


def test_it_is_written_on_condition_and_again_when_it_lost() -> None:
    objects = Raced(0)
    written(objects)
    json = {"content_type": "application/json"}
    assert objects.options == [{**json, "if_absent": True, "if_etag": None}]
    etag = objects.etag(KEY)
    written(objects)
    assert objects.options[1] == {**json, "if_absent": False, "if_etag": etag}
    assert len(Raced(7).options) == 0
    late = Raced(7)
    written(late)
    assert len(late.options) == 8
    with says(StoreError, f"{KEY}: others replaced it 8 times in a row"):
        written(Raced(8))


# -- the day before ----------------------------------------------------------------------------------


YESTERDAY = "runs/azure/2025/12/14/10-00.json"


@pytest.mark.parametrize(
    ("before", "difference"),
    [
        ({"rows": {"sps": 3, "price": 4, "eviction": 3, "merged": 3}}, 25.0),
        ({"rows": {"sps": 3, "price": 3, "eviction": 2, "merged": 9}}, 50.0),
        ({"filtered": True}, None),
        (None, None),
        ("damaged", None),
    ],
)
def test_rows_are_compared_with_the_same_slot_of_the_day_before(before: Any, difference: float | None) -> None:
    objects = MemoryObjects()
    if before == "damaged":
        objects.put(YESTERDAY, b"{")
    elif before is not None:
        objects.put(YESTERDAY, orjson.dumps({**orjson.loads(merged()[1]), **before}))
    assert written(objects)["rows_difference_percent"] == difference


def test_a_part_is_compared_with_nothing() -> None:
    world: World = new_world()
    run = collected(world, 0, filtered=True, instance_types=("*",))
    world.merge(run)
    world.objects.put(YESTERDAY, merged()[1])
    assert world.merge(run)["rows_difference_percent"] is None
