"""Files of the change history: replaced on condition, made again from what is left, and what damage says."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from spotlake import keys
from spotlake.errors import ConflictError, DamagedStateError
from spotlake.history.blocks import Block
from spotlake.history.changes import SlotChanges
from spotlake.history.fields import CHANGES, FRAME, TIME_NOTES
from spotlake.history.files import DAY, NOTES, STATE, STATE_WITH_TIMES, read_table, to_parquet
from spotlake.history.index import Index
from spotlake.merge.state import slot_number
from spotlake.state.history_files import HistoryFiles, Kept, SlotFacts, frame_at, read_index
from spotlake.stores.objects import MemoryObjects
from tests.support.errors import says
from tests.unit.history.blocks import SPOT, block, frame, told, workload

DAY_ON = date(2025, 12, 15)
AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
SLOT = slot_number(AT)
FIRST, SECOND = "20251215T1000Z", "20251215T1010Z"
FACTS = SlotFacts(desired_count=5, name_casing="source", retire_after_days=14)
FACTS_JSON = {"desired_count": 5, "name_casing": "source", "retire_after_days": 14}
ROWS, TIMES = keys.history_day(DAY_ON), keys.history_times(DAY_ON)


def changes(*rows: tuple[int, str, float], region: str = "r") -> SlotChanges:
    """Rows by slot (counted from the first one), size and price; and a note of each."""
    of = [(SLOT + slot, {"region": region, "instance_type": size, "zone": "1"}, spot) for slot, size, spot in rows]
    return SlotChanges(
        block(CHANGES, *({**names, "slot": slot, SPOT: spot, "live": True} for slot, names, spot in of)),
        block(TIME_NOTES, *({**names, "slot": slot, "field": f"{SPOT}_began", "at": 7} for slot, names, _ in of)),
    )


def stored() -> tuple[HistoryFiles, MemoryObjects]:
    """A day with two slots."""
    objects = MemoryObjects("archive", {})
    files = HistoryFiles(objects)
    kept = {SECOND: Kept("b", "c"), FIRST: Kept("a", "b")}
    files.write_day(files.day(DAY_ON), changes((0, "A", 1.0), (1, "A", 2.0)), kept, {SECOND: FACTS, FIRST: FACTS})
    return files, objects


def test_a_day_says_in_its_footers_which_slots_it_has_and_how_they_were_shown() -> None:
    files, objects = stored()
    assert set(objects.objects) == {ROWS, TIMES}
    kept = {FIRST: ["a", "b"], SECOND: ["b", "c"]}
    assert read_table(objects.objects[ROWS], "")[1] == {"kept": kept}
    assert read_table(objects.objects[TIMES], "")[1] == {
        "kept": kept, "facts": {FIRST: FACTS_JSON, SECOND: FACTS_JSON},
    }  # fmt: skip
    day = files.day(DAY_ON)
    assert (day.day, day.rows.etag, day.times.etag) == (DAY_ON, objects.etag(ROWS), objects.etag(TIMES))
    assert day.rows.kept == day.times.kept == {FIRST: Kept("a", "b"), SECOND: Kept("b", "c")}
    assert (day.rows.facts, day.times.facts) == ({}, {FIRST: FACTS, SECOND: FACTS})
    assert (day.kept(FIRST), day.kept("20251215T1020Z")) == (Kept("a", "b"), None)
    assert told(day.rows.block, "slot", SPOT) == [(SLOT, 1.0), (SLOT + 1, 2.0)]
    assert told(day.times.block, "slot", "at") == [(SLOT, 7), (SLOT + 1, 7)]
    none = files.day(date(2025, 12, 16))
    assert (len(none.rows.block), none.rows.etag, none.times.etag, none.kept(FIRST)) == (0, None, None, None)
    assert (tuple(none.rows.block.columns), tuple(none.times.block.columns)) == (CHANGES, TIME_NOTES)


def test_some_slots_of_a_day_are_replaced_and_the_others_stay() -> None:
    files, objects = stored()
    other = SlotFacts(desired_count=1, name_casing="lower", retire_after_days=3)
    tag = files.write_day(files.day(DAY_ON), changes((1, "B", 3.0)), {SECOND: Kept("b", "d")}, {SECOND: other})
    day = files.day(DAY_ON)
    assert tag == day.rows.etag == objects.etag(ROWS)
    assert told(day.rows.block, "slot", "instance_type", SPOT) == [(SLOT, "A", 1.0), (SLOT + 1, "B", 3.0)]
    assert told(day.times.block, "slot", "instance_type") == [(SLOT, "A"), (SLOT + 1, "B")]
    assert day.rows.kept == day.times.kept == {FIRST: Kept("a", "b"), SECOND: Kept("b", "d")}
    assert day.times.facts == {FIRST: FACTS, SECOND: other}


def test_nobody_s_day_is_overwritten() -> None:
    files, objects = stored()
    old = files.day(DAY_ON)
    files.write_day(old, changes((1, "B", 3.0)), {SECOND: Kept("b", "d")}, {})
    before = dict(objects.objects)
    with pytest.raises(ConflictError):
        files.write_day(old, changes((1, "C", 4.0)), {SECOND: Kept("b", "e")}, {})
    empty = HistoryFiles(MemoryObjects("archive", {})).day(DAY_ON)
    with pytest.raises(ConflictError):
        files.write_day(empty, changes((1, "C", 4.0)), {SECOND: Kept("b", "e")}, {})
    assert objects.objects == before


def test_a_slot_that_stands_in_one_of_the_two_files_is_not_kept() -> None:
    """Killed between the two writes: the slot is written again."""
    files, objects = stored()
    rows = objects.objects[ROWS]
    files.write_day(files.day(DAY_ON), changes((1, "B", 3.0)), {SECOND: Kept("b", "d")}, {})
    objects.objects[ROWS] = rows
    day = files.day(DAY_ON)
    assert (day.kept(FIRST), day.kept(SECOND)) == (Kept("a", "b"), None)


@pytest.mark.parametrize(
    "about", [None, {}, {"kept": 3}, {"kept": {FIRST: ["a"]}}, {"kept": {}, "facts": {FIRST: {"odd": 1}}}]
)
def test_a_day_whose_footer_says_nothing_is_damaged(about: Any) -> None:
    objects = MemoryObjects("archive", {TIMES: to_parquet(Block.empty(TIME_NOTES), NOTES, about)})
    with says(DamagedStateError, f"{TIMES}: damaged (its footer does not say which slots it has)"):
        HistoryFiles(objects).day(DAY_ON)


def test_runs_and_states_are_files_of_their_own() -> None:
    objects = MemoryObjects("archive", {})
    files = HistoryFiles(objects)
    files.write_run(AT, changes((0, "A", 1.0)))
    row = workload("r", "A", "1", spot=(1.0, 5, 6))
    files.write_state(DAY_ON, frame(row), times=True)
    files.write_state(date(2025, 12, 16), frame(row), times=False)
    run, state, plain = (
        pq.read_table(io.BytesIO(objects.objects[key]))
        for key in (keys.history_run(AT), keys.history_state(DAY_ON), keys.history_state(date(2025, 12, 16)))
    )
    assert (run["changed_at"].to_pylist(), run[SPOT].to_pylist()) == ([AT], [1.0])
    assert len(state.column_names) == len(STATE_WITH_TIMES.columns)
    assert len(plain.column_names) == len(STATE.columns)
    assert plain[SPOT].to_pylist() == state[SPOT].to_pylist() == [1.0]


def region_file(objects: MemoryObjects) -> list[tuple[Any, ...]]:
    rows = pq.read_table(io.BytesIO(objects.objects[keys.history_region(DAY_ON, "r")])).to_pylist()
    return [(row["instance_type"], row["changed_at"].day, row["changed_at"].hour, row[SPOT]) for row in rows]


def test_a_day_of_a_region_is_replaced_in_its_month() -> None:
    files, objects = stored()
    midnight = -10 * 6
    files.replace_day_of_region(DAY_ON, "r", changes((midnight, "A", 1.0), (0, "A", 2.0)).rows, [])
    tomorrow = changes((14 * 6, "A", 3.0), (14 * 6 + 143, "B", 4.0)).rows
    files.replace_day_of_region(date(2025, 12, 16), "r", tomorrow, [])
    assert region_file(objects) == [("A", 15, 0, 1.0), ("A", 15, 10, 2.0), ("A", 16, 0, 3.0), ("B", 16, 23, 4.0)]
    files.replace_day_of_region(DAY_ON, "r", changes((1, "A", 5.0)).rows, [])
    assert region_file(objects) == [("A", 15, 10, 5.0), ("A", 16, 0, 3.0), ("B", 16, 23, 4.0)]
    files.replace_day_of_region(date(2025, 12, 16), "r", changes().rows, [])
    assert region_file(objects) == [("A", 15, 10, 5.0)]


def test_a_damaged_month_of_a_region_is_made_again_from_the_days_that_it_has() -> None:
    files, objects = stored()
    day = date(2025, 12, 14)
    files.write_day(files.day(day), changes((-144, "A", 0.5)), {"20251214T1000Z": Kept("x", "y")}, {})
    both = files.day(DAY_ON)
    files.write_day(both, changes((1, "Z", 9.0), region="other"), {SECOND: Kept("b", "f")}, {})
    objects.objects[keys.history_region(DAY_ON, "r")] = b"PAR1damaged"
    files.replace_day_of_region(date(2025, 12, 16), "r", changes((144, "B", 4.0)).rows, [DAY_ON, day])
    assert region_file(objects) == [("A", 14, 10, 0.5), ("A", 15, 10, 1.0), ("B", 16, 10, 4.0)]


def test_the_index_is_written_on_condition_and_read() -> None:
    files, objects = stored()
    index = Index(made_at=AT, latest="ab12", regions=("r",), days=((DAY_ON, DAY_ON),))
    files.write_index(index, None)
    with pytest.raises(ConflictError):
        files.write_index(index, None)
    found, etag = files.index()
    assert (found, etag) == (index, objects.etag(keys.HISTORY_INDEX))
    files.write_index(Index(), etag)
    with pytest.raises(ConflictError):
        files.write_index(index, etag)
    assert orjson.loads(objects.objects[keys.HISTORY_INDEX])["schema"] == 1
    assert files.index()[0] == Index()
    assert HistoryFiles(MemoryObjects("archive", {})).index() == (None, None)


def test_a_lost_or_damaged_index_is_made_again_from_the_keys() -> None:
    files, objects = stored()
    for day in (date(2025, 11, 10), date(2025, 11, 20), date(2025, 12, 16)):
        run_id = f"{day:%Y%m%d}T0000Z"
        files.write_day(files.day(day), SlotChanges(changes().rows, changes().times), {run_id: Kept("a", "b")}, {})
    for region in ("s", "r"):
        files.replace_day_of_region(DAY_ON, region, changes().rows, [])
    expected = {
        "first_slot_at": datetime(2025, 11, 10, tzinfo=UTC), "last_slot_at": datetime(2025, 12, 16, tzinfo=UTC),
        "days": ((date(2025, 11, 10),) * 2, (date(2025, 11, 20),) * 2, (DAY_ON, date(2025, 12, 16))),
        "compacted_until": date(2025, 11, 15), "made_at": None, "latest": "", "compacted": {},
    }  # fmt: skip
    for damage in (None, b"{", b'{"schema": 1}', b'{"schema": 1, "days": 3}'):
        if damage is not None:
            objects.objects[keys.HISTORY_INDEX] = damage
        index, etag = files.index()
        assert index is not None
        assert {name: getattr(index, name) for name in expected} == expected
        assert set(index.regions) == {"r", "s"}
        assert etag == objects.etag(keys.HISTORY_INDEX)
    objects.objects = {keys.HISTORY_INDEX: b"{"}
    assert files.index() == (Index(), objects.etag(keys.HISTORY_INDEX))


def test_days_that_name_no_slot_have_no_first_and_last() -> None:
    objects = MemoryObjects("archive", {})
    files = HistoryFiles(objects)
    files.write_day(files.day(DAY_ON), changes(), {}, {})
    index, _ = files.index()
    assert index is not None
    assert (index.first_slot_at, index.last_slot_at, index.days) == (None, None, ((DAY_ON, DAY_ON),))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"schema": 1}', "damaged (KeyError: 'made_at')"),
        (b'{"schema": 9}', "schema 9, this code reads 1"),
        (b"[]", "damaged (TypeError)"),
        (orjson.dumps({"schema": 1, **Index().to_json(), "compacted": []}),
         "damaged (AttributeError: 'list' object has no attribute 'items')"),
        (orjson.dumps({"schema": 1, **Index().to_json(), "days": [["x", "y"]]}),
         "damaged (ValueError: Invalid isoformat string: 'x')"),
    ],
)  # fmt: skip
def test_a_damaged_index_is_named(body: bytes, why: str) -> None:
    with says(DamagedStateError, f"history/azure/index.json: {why}"):
        read_index(body)


def test_the_frame_of_a_past_slot_is_the_month_s_first_state_and_the_changes_since() -> None:
    files, objects = stored()
    start = frame(workload("r", "A", "1", spot=(0.5, 5, 6)))
    files.write_state(date(2025, 12, 14), start, times=True)
    files.write_day(files.day(date(2025, 12, 14)), changes((-144, "A", 0.75)), {"20251214T1000Z": Kept("x", "y")}, {})
    index = Index(days=((date(2025, 11, 2), date(2025, 11, 3)), (date(2025, 12, 14), DAY_ON)))

    def prices(at: datetime) -> list[tuple[Any, ...]]:
        return told(frame_at(objects, index, at), SPOT, f"{SPOT}_began")

    assert prices(AT.replace(day=14, hour=9)) == [(0.5, 5)]
    assert prices(AT.replace(day=14)) == [(0.75, 7)]  # a note tells when it began
    assert prices(AT.replace(day=15, hour=9)) == [(0.75, 7)]
    assert prices(AT) == [(1.0, 7)]
    assert prices(AT.replace(day=20)) == [(2.0, 7)]
    nothing = frame_at(objects, index, AT.replace(month=10))
    assert (len(nothing), tuple(nothing.columns)) == (0, FRAME)
    key = keys.history_state(date(2025, 11, 2))
    with says(DamagedStateError, f"{key} is missing, though the index of the history names it"):
        frame_at(objects, index, AT.replace(month=11))
    objects.objects[ROWS] = to_parquet(Block.empty(("region",)), DAY.__class__(columns=("region",)))
    with says(DamagedStateError, f"{ROWS}: damaged (KeyError)"):
        frame_at(objects, index, AT)
