"""What keeping the history leaves: every field of the index, the days of each file, and what it does not touch."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from spotlake import keys
from spotlake.clock import ManualClock
from spotlake.errors import ConflictError, StoreError
from spotlake.history.fields import CHANGES
from spotlake.history.files import from_parquet
from spotlake.history.index import Index
from spotlake.state.history_files import HistoryFiles, Kept, SlotFacts
from spotlake.state.merged_states import MergedStates
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.keep_history.keep_history import KeptHistory
from tests.functional.history.conftest import keep
from tests.functional.merge.conftest import FIRST, REGION, SIZE, World
from tests.support.errors import says

OTHER = "Standard_E4s_v5"
DAYS = tuple(date(2025, 12, day) for day in (15, 16, 17))
AT = FIRST + timedelta(days=9)


class Noting(MemoryObjects):
    """Notes what is written; may lose every write of a key against somebody else."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[str] = []
        self.lost = ""
        self.left = 0

    def put(self, key: str, body: bytes, **options: Any) -> str:
        self.puts.append(key)
        if self.lost and self.lost in key and self.left:
            self.left -= 1
            raise ConflictError(key)
        return super().put(key, body, **options)


def world_of(*numbers: int) -> World:
    """Slots of the 15th (0 to 83), the 16th (84 to 227) and the 17th; each has another price."""
    world = World(Noting())
    store(world).objects.update(_merged(numbers))
    return world


@cache
def _merged(numbers: tuple[int, ...]) -> dict[str, bytes]:
    """What the merges of these slots leave; made once."""
    world = World(Noting())
    for number in numbers:
        merge(world, number)
    return store(world).objects


def merge(world: World, number: int, **changes: Any) -> None:
    sizes = (SIZE, OTHER) if number else (SIZE,)
    world.merge(world.collected(number, spot=round(0.01 + number / 1000, 6), sizes=sizes, **changes))


def store(world: World) -> Noting:
    assert isinstance(world.objects, Noting)
    return world.objects


def index_of(world: World) -> Index:
    found, _ = HistoryFiles(world.objects).index()
    assert found is not None
    return found


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def spots(world: World, key: str) -> list[tuple[int, float]]:
    """Slot number and spot price of each row of a file."""
    stored = world.objects.get(key)
    assert stored is not None, key
    rows, _ = from_parquet(stored.body, CHANGES, key)
    slots = (rows["slot"] - rows["slot"].min()).tolist() if len(rows) else []
    return list(zip(slots, rows["spot_price_usd_per_hour"].tolist(), strict=True))


def test_the_index_the_days_and_the_result_in_every_field() -> None:
    world = world_of(0, 1, 84, 230)
    done = keep(world.objects, clock=ManualClock(AT))
    # One row of the first slot, two of each later one: both prices change.
    assert done == KeptHistory(slots=4, rows=7, compacted_days=2, slots_left=0, days_left=0)
    runs = MergedStates(world.objects).head().runs
    etags = {day: world.objects.etag(keys.history_day(day)) for day in DAYS}
    assert index_of(world) == Index(
        made_at=AT,
        first_slot_at=FIRST,
        last_slot_at=FIRST + timedelta(minutes=2300),
        days=((DAYS[0], DAYS[2]),),
        latest=digest(runs[-1].key),
        compacted_until=DAYS[2],
        compacted={DAYS[0]: etags[DAYS[0]] or "", DAYS[1]: etags[DAYS[1]] or ""},
        regions=(REGION,),
    )
    files = HistoryFiles(world.objects).day(DAYS[0])
    kept = {
        runs[0].run_id: Kept("", digest(runs[0].key)),
        runs[1].run_id: Kept(digest(runs[0].key), digest(runs[1].key)),
    }
    assert (files.rows.kept, files.times.kept) == (kept, kept)
    facts = SlotFacts(desired_count=1, name_casing="source", retire_after_days=14)
    assert files.times.facts == dict.fromkeys(kept, facts)
    assert [len(HistoryFiles(world.objects).day(day).rows.block) for day in DAYS] == [3, 2, 2]
    assert [price for _, price in spots(world, keys.history_region(DAYS[0], REGION))] == [
        0.01,
        0.011,
        0.094,
        0.011,
        0.094,
    ]


def test_a_second_time_nothing_is_written() -> None:
    world = world_of(0, 1, 84)
    keep(world.objects)
    store(world).puts.clear()
    assert keep(world.objects, clock=ManualClock(AT)) == KeptHistory()
    assert store(world).puts == []


def test_an_empty_chain_leaves_nothing() -> None:
    world = World(Noting())
    assert keep(world.objects) == KeptHistory()
    assert store(world).puts == []


def test_a_later_slot_touches_its_own_day_alone() -> None:
    world = world_of(0, 1, 84)
    keep(world.objects)
    merge(world, 85)
    store(world).puts.clear()
    assert keep(world.objects) == KeptHistory(slots=1, rows=2)
    at = FIRST + timedelta(minutes=850)
    assert store(world).puts == [
        keys.gaps(DAYS[1]),  # the slot has no scores
        keys.history_run(at), keys.history_times(DAYS[1]), keys.history_day(DAYS[1]), keys.LATEST_TABLE,
        keys.HISTORY_INDEX,
    ]  # fmt: skip


def test_a_late_slot_is_written_with_those_after_it_and_its_day_is_compacted_again() -> None:
    world = world_of(0, 3, 84)
    keep(world.objects)
    store(world).puts.clear()
    merge(world, 1)
    # The late slot and the next one; the state after slot 84 is another too, as its keys say.
    assert keep(world.objects) == KeptHistory(slots=3, rows=6, compacted_days=1)
    written = [key for key in store(world).puts if key.startswith(keys.HISTORY_RUNS_PREFIX)]
    assert written == [keys.history_run(FIRST + timedelta(minutes=minutes)) for minutes in (10, 30, 840)]
    prices = [price for _, price in spots(world, keys.history_region(DAYS[0], REGION))]
    assert sorted(prices) == [0.01, 0.011, 0.011, 0.013, 0.013]


@pytest.mark.parametrize(
    ("seconds", "done"),
    [
        (19.9, KeptHistory(slots_left=3, compacted_days=0, days_left=0)),
        (20.0, KeptHistory(slots=3, rows=5, days_left=1)),
        (89.9, KeptHistory(slots=3, rows=5, days_left=1)),
        (90.0, KeptHistory(slots=3, rows=5, compacted_days=1)),
    ],
)
def test_what_there_is_no_time_for_is_counted_and_left(seconds: float, done: KeptHistory) -> None:
    world = world_of(0, 1, 84)
    assert keep(world.objects, seconds=seconds) == done
    if done.slots:
        index = index_of(world)
        assert index.compacted_until == (DAYS[1] if done.compacted_days else None)
        assert index.latest == digest(MergedStates(world.objects).head().runs[-1].key)
    assert keep(world.objects).days_left == 0
    assert index_of(world).compacted_until == DAYS[1]


def test_without_time_for_the_newest_slot_its_table_stays() -> None:
    world = world_of(0)
    keep(world.objects)
    table = world.objects.get(keys.LATEST_TABLE)
    merge(world, 1)
    keep(world.objects, seconds=5.0)
    assert world.objects.get(keys.LATEST_TABLE) == table


@pytest.mark.parametrize(("times", "is_done"), [(5, True), (6, False)])
def test_six_rounds_are_lost_before_it_is_an_error(times: int, *, is_done: bool) -> None:
    world = world_of(0)
    store(world).lost, store(world).left = "days/", times
    if is_done:
        assert keep(world.objects).slots == 1
    else:
        with says(StoreError, "the change history: others wrote it 6 times in a row"):
            keep(world.objects)


def test_days_without_a_run_are_passed_over() -> None:
    world = world_of(0)
    keep(world.objects)
    assert index_of(world).compacted_until == DAYS[0]
    merge(world, 300)  # the 17th; there is no run on the 16th
    assert keep(world.objects).compacted_days == 1
    index = index_of(world)
    assert (index.days, index.compacted_until) == (((DAYS[0], DAYS[0]), (DAYS[2], DAYS[2])), DAYS[2])
    assert set(index.compacted) == {DAYS[0]}


def test_states_are_written_before_the_first_slot_of_a_day_and_have_times_in_the_first_of_a_month() -> None:
    world = world_of(0, 1, 84, 2400)
    keep(world.objects)
    states = {key: world.objects.get(key) for key in world.objects.keys(keys.HISTORY_STATES_PREFIX)}
    january = date(2026, 1, 1)
    assert list(states) == [keys.history_state(day) for day in (DAYS[0], DAYS[1], january)]
    names = [pq.read_schema(io.BytesIO(one.body)).names for one in states.values() if one is not None]
    assert names[0] == names[2]
    assert set(names[1]) < set(names[0])  # without the times of values


def test_the_manifest_of_the_slot_that_was_just_merged_is_read_though_the_slot_is_not_due() -> None:
    world = world_of(0)
    keep(world.objects)
    world.objects.delete(keys.manifest(FIRST))
    keep(world.objects)
    empty = b"slot_at,status,coverage_percent,stale_regions,reason\n"
    stored = world.objects.get(keys.gaps(FIRST))
    assert stored is not None
    before = stored.body
    keep(world.objects, merged_at=FIRST)
    stored = world.objects.get(keys.gaps(FIRST))
    assert stored is not None
    assert stored.body == empty + b"2025-12-15T10:00:00Z,unfinished,,,the run wrote no manifest\n" != before


def test_the_package_names_the_days_and_states_of_the_index() -> None:
    world = world_of(0, 84, 85)
    keep(world.objects)
    stored = world.objects.get(keys.DATA_PACKAGE)
    assert stored is not None
    package = orjson.loads(stored.body)
    paths = {one["name"]: one["path"] for one in package["resources"]}
    assert paths == {
        "latest": ["latest_data/latest_azure.parquet"],
        "latest-json": ["latest_data/latest_azure.json"],
        "snapshots": ["rawdata/azure/2025/12/16/00-00-00.csv.gz"],
        "days": [f"history/azure/days/day=2025-12-{day}/changes.parquet" for day in (15, 16)],
        "states": ["history/azure/states/day=2025-12-16/state.parquet"],
        "first-states": ["history/azure/states/day=2025-12-15/state.parquet"],
        "workloads": [f"history/azure/workloads/month=2025-12/{REGION}.parquet"],
        "gaps": ["history/azure/gaps/month=2025-12.csv"],
    }
    assert package["licenses"] == [{"name": "CC-BY-4.0", "path": "https://creativecommons.org/licenses/by/4.0/"}]
    assert package["version"].startswith("2025.12.16-")
    # It is made anew when it would say something else: a day is compacted, a region has a past.
    world.objects.put(keys.history_before("eastus"), b"")
    keep(world.objects)
    again = world.objects.get(keys.DATA_PACKAGE)
    assert again is not None
    assert {one["name"]: one["path"] for one in orjson.loads(again.body)["resources"]} == {
        **paths, "before": ["history/azure/before/eastus.parquet"]
    }  # fmt: skip
    assert orjson.loads(again.body)["version"] != package["version"]


def test_the_table_of_the_newest_slot_says_which_slot_it_is() -> None:
    world = world_of(0, 1)
    keep(world.objects)
    stored = world.objects.get(keys.LATEST_TABLE)
    assert stored is not None
    rows, about = from_parquet(stored.body, ("spot_price_usd_per_hour",), "")
    assert (about["slot_at"], rows["spot_price_usd_per_hour"].tolist()) == ("2025-12-15T10:10:00Z", [0.011, 0.011])


def test_a_slot_whose_state_before_the_chain_has_forgotten_follows_from_the_history() -> None:
    world = world_of(0, 1)
    keep(world.objects)
    merge(world, 2)
    states = MergedStates(world.objects)
    states.replace_head(replace(states.head(), runs=states.head().runs[-1:]))
    assert keep(world.objects) == KeptHistory(slots=1, rows=2)
    files = HistoryFiles(world.objects).day(DAYS[0])
    key = states.head().runs[0].key
    assert files.rows.kept[states.head().runs[0].run_id] == Kept("", digest(key))
    assert index_of(world).first_slot_at == FIRST
