"""What one slot changed: rows of values, times that follow from them, and notes of those that do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from spotlake.history.blocks import Block
from spotlake.history.changes import SlotChanges, apply, changes_between, confirm_regions, with_values
from spotlake.history.fields import CHANGES, FRAME, TIME_NOTES, differs, is_known
from spotlake.history.replay import replay, values_after
from tests.unit.history.blocks import RATE, SPOT, block, frame, known, told, workload

NOTE = ("region", "instance_type", "zone", "slot", "field", "at")


def changes(*rows: Mapping[str, Any], notes: tuple[Mapping[str, Any], ...] = ()) -> SlotChanges:
    return SlotChanges(block(CHANGES, *rows), block(TIME_NOTES, *notes))


def row(region: str, size: str, zone: str, slot: int, *, live: bool = True, **values: Any) -> dict[str, Any]:
    named = {{"spot": SPOT, "rate": RATE}.get(name, name): value for name, value in values.items()}
    return {"region": region, "instance_type": size, "zone": zone, "slot": slot, "live": live, **named}


BEFORE = (
    workload("r", "A", "1", spot=(1.0, 90, 100), s1=(3, 95, 95), t2=1, t3=1, region_name="R", physical_zone="r-az1"),
    workload("r", "A", "2", spot=(1.0, 90, 100), s1=(2, 95, 95), t2=1, t3=0, region_name="R"),
    workload("r", "A", "3", spot=(1.0, 90, 100), region_name="R"),
    workload("r", "B", "1", spot=(2.0, 80, 99), rate=(3.0, 70, 90), region_name="R"),
)
AFTER = (
    workload("r", "A", "1", spot=(1.5, 101, 101), s1=(3, 95, 95), t2=1, t3=1, region_name="R", physical_zone="r-az1"),
    workload("r", "A", "2", spot=(1.0, 90, 101), s1=(2, 95, 95), t2=1, t3=0, region_name="R"),
    workload("r", "B", "1", spot=(2.0, 80, 99), rate=(3.0, 70, 90), region_name="R"),
    workload("r", "C", "1", spot=(3.0, 101, 101), region_name="R"),
)


def test_what_changed_is_a_row_what_ended_too_and_a_look_confirms_a_whole_region() -> None:
    found = changes_between(frame(*BEFORE), frame(*AFTER), 101)
    assert tuple(found.rows.columns) == CHANGES
    assert known(found.rows) == [
        row("r", "A", "1", 101, spot=1.5, score_1=3, t2=1, t3=1, physical_zone="r-az1", region_name="R"),
        row("r", "A", "3", 101, live=False),
        row("r", "C", "1", 101, spot=3.0, region_name="R"),
    ]
    assert told(found.times, *NOTE) == [("r", "", None, 101, f"{SPOT}_confirmed", 101)]
    assert known(apply(frame(*BEFORE), found, 101)) == known(frame(*AFTER))
    assert {name: column.dtype.str for name, column in found.times.columns.items()} == {
        "region": "<i4", "instance_type": "<i4", "zone": "|i1", "slot": "<u4", "field": "|i1", "at": "<u4",
    }  # fmt: skip


def looked(*confirmed: int, began: int = 50, slot: int = 101) -> list[tuple[Any, ...]]:
    """The notes when of some workloads, all confirmed in slot 100, these are confirmed in these slots."""
    sizes = [f"S{number}" for number in range(len(confirmed))]
    before = frame(*(workload("r", size, "1", rate=(2.0, 50, 100)) for size in sizes))
    after = frame(*(workload("r", size, "1", rate=(2.0, began, at)) for size, at in zip(sizes, confirmed, strict=True)))
    found = changes_between(before, after, slot)
    assert not len(found.rows)
    assert known(apply(before, found, slot)) == known(after)
    return told(found.times, "instance_type", "zone", "field", "at")


def test_a_look_that_confirms_no_more_than_a_half_is_told_of_each() -> None:
    field = f"{RATE}_confirmed"
    assert looked(101, 101) == [("", None, field, 101)]
    assert looked(101, 100) == [("S0", "1", field, 101)]
    assert looked(101, 101, 100) == [("", None, field, 101), ("S2", "1", field, 100)]
    assert looked(100, 100) == []
    assert looked(99, 101, 101) == [("", None, field, 101), ("S0", "1", field, 99)]


def test_a_time_that_follows_from_no_rule_is_told_as_it_is() -> None:
    assert looked(100, 100, began=49) == [(f"S{number}", "1", f"{RATE}_began", 49) for number in (0, 1)]


def test_each_region_has_its_own_last_look() -> None:
    before = frame(
        workload("a", "A", "1", spot=(1.0, 5, 90), s1=(3, 5, 80)),
        workload("a", "B", "1", spot=(1.0, 5, 90), s1=(3, 5, 70)),
        workload("b", "A", "1", spot=(1.0, 5, 95)),
        workload("c", "A", "1", spot=(1.0, 5, 95)),
    )
    after = frame(
        workload("a", "A", "1", spot=(1.0, 5, 101), s1=(3, 5, 101)),
        workload("a", "B", "1", spot=(1.0, 5, 101), s1=(3, 5, 70)),
        workload("b", "A", "1", spot=(1.0, 5, 95)),
        workload("c", "A", "1", spot=(1.0, 5, 101)),
    )
    found = changes_between(before, after, 101)
    assert told(found.times, *NOTE) == [
        ("a", "", None, 101, f"{SPOT}_confirmed", 101),
        ("a", "", None, 101, "score_1_confirmed", 101),
        ("c", "", None, 101, f"{SPOT}_confirmed", 101),
    ]
    assert known(apply(before, found, 101)) == known(after)


def test_what_no_look_has_confirmed_is_no_part_of_one() -> None:
    before = frame(workload("r", "A", "1", ondemand=(1.0, 5, 0)), workload("r", "B", "1"))
    after = frame(workload("r", "A", "1", ondemand=(1.0, 5, 101)), workload("r", "B", "1"))
    found = changes_between(before, after, 101)
    assert told(found.times, "instance_type", "zone", "at") == [("A", "1", 101)]
    assert known(apply(before, found, 101)) == known(after)


@pytest.mark.parametrize(
    "value", [{"t2": 5}, {"t3": 5}, {"physical_zone": "r-az2"}, {"region_name": "Q"}, {"s50": (1, 101, 101)}]
)
def test_any_value_that_differs_makes_a_row(value: dict[str, Any]) -> None:
    before = frame(workload("r", "A", "1", t2=1, t3=1, physical_zone="r-az1", region_name="R"), workload("r", "B", "1"))
    changed = workload("r", "A", "1", **{"t2": 1, "t3": 1, "physical_zone": "r-az1", "region_name": "R", **value})
    found = changes_between(before, frame(changed, workload("r", "B", "1")), 101)
    assert told(found.rows, "instance_type", "slot", "live") == [("A", 101, True)]
    assert not len(found.times)


def test_a_value_that_becomes_unknown_keeps_its_times_and_one_that_comes_back_begins() -> None:
    gone = with_values(
        frame(workload("r", "A", "1", spot=(1.0, 90, 95), s5=(2, 80, 85))), block(CHANGES, row("r", "A", "1", 101)), 101
    )
    times = (f"{SPOT}_began", f"{SPOT}_confirmed", "score_5_began", "score_5_confirmed")
    assert told(gone, SPOT, "score_5", *times) == [(None, 0, 90, 95, 80, 85)]
    again = with_values(gone, block(CHANGES, row("r", "A", "1", 102, spot=1.0, score_5=1)), 102)
    assert told(again, SPOT, "score_5", *times) == [(1.0, 1, 102, 102, 102, 102)]
    same = with_values(again, block(CHANGES, row("r", "A", "1", 103, spot=1.0, score_5=1, t2=5)), 103)
    assert told(same, "t2", *times) == [(5, 102, 102, 102, 102)]


def test_a_workload_that_begins_has_times_of_its_known_values_alone() -> None:
    rows = block(
        CHANGES,
        row("r", "B", "1", 7, rate=2.5, score_1=2, t2=1, region_name="R"),
        row("r", "C", "1", 7, live=False),  # ends what is not there
    )
    found = with_values(frame(workload("r", "A", "1"), workload("r", "D", "1")), rows, 7)
    assert tuple(found.columns) == FRAME
    assert known(found) == [
        workload("r", "A", "1"),
        workload("r", "B", "1", rate=(2.5, 7, 7), s1=(2, 7, 7), t2=1, region_name="R"),
        workload("r", "D", "1"),
    ]
    ended = with_values(found, block(CHANGES, row("r", "A", "1", 8, live=False)), 8)
    assert told(ended, "instance_type") == [("B",), ("D",)]
    assert known(with_values(ended, block(CHANGES), 9)) == known(ended)


def test_a_region_is_confirmed_where_its_last_look_has_confirmed() -> None:
    given = frame(
        workload("a", "A", "1", spot=(1.0, 1, 10)),
        workload("a", "B", "1", spot=(1.0, 1, 9)),
        workload("a", "C", "1", spot=(1.0, 12, 12)),  # begun in the look's own slot
        workload("b", "A", "1", spot=(1.0, 1, 10)),
    )
    notes = block(TIME_NOTES, {"region": "a", "slot": 12, "field": f"{SPOT}_confirmed", "at": 12})
    confirm_regions(given, notes)
    assert told(given, f"{SPOT}_confirmed") == [(12,), (9,), (12,), (10,)]
    confirm_regions(given, block(TIME_NOTES, {"region": "none", "slot": 13, "field": f"{SPOT}_confirmed", "at": 13}))
    assert told(given, f"{SPOT}_confirmed") == [(12,), (9,), (12,), (10,)]
    confirm_regions(given, block(TIME_NOTES, {"region": "b", "slot": 14, "field": f"{RATE}_confirmed", "at": 14}))
    assert told(given, f"{RATE}_confirmed") == [(0,)] * 4


def test_slots_are_replayed_in_order_up_to_one() -> None:
    given = changes(
        row("r", "A", "1", 11, spot=1.1),
        row("r", "A", "1", 12, spot=1.2),
        row("r", "A", "1", 14, spot=1.4),
        row("r", "B", "1", 12, spot=2.0),
        row("r", "B", "1", 14, live=False),
        notes=(
            {"region": "r", "slot": 13, "field": f"{SPOT}_confirmed", "at": 13},
            {"region": "r", "instance_type": "A", "zone": "1", "slot": 11, "field": f"{SPOT}_began", "at": 8},
            {"region": "r", "instance_type": "A", "zone": "1", "slot": 15, "field": f"{SPOT}_began", "at": 3},
        ),
    )

    def at(slot: int) -> list[tuple[Any, ...]]:
        found = replay(frame(workload("r", "A", "1", spot=(1.0, 5, 5))), given, slot)
        return told(found, "instance_type", SPOT, f"{SPOT}_began", f"{SPOT}_confirmed")

    assert at(10) == [("A", 1.0, 5, 5)]
    assert at(11) == [("A", 1.1, 8, 11)]
    assert at(12) == [("A", 1.2, 12, 12), ("B", 2.0, 12, 12)]
    assert at(13) == [("A", 1.2, 12, 13), ("B", 2.0, 12, 13)]
    assert at(14) == [("A", 1.4, 14, 14)]
    assert at(15) == [("A", 1.4, 3, 14)]
    assert known(replay(Block.empty(FRAME), changes(), 99)) == []


def test_values_after_some_changes_are_those_of_each_workload_s_last() -> None:
    names = ("region", "instance_type", "zone", SPOT, "t2")
    values = tuple(name for name in CHANGES if name not in ("slot", "live"))
    state = block(
        values,
        row("r", "A", "1", 4, spot=1.0), row("r", "B", "1", 4, spot=2.0), row("r", "C", "1", 4, spot=3.0),
    )  # fmt: skip
    rows = block(
        CHANGES,
        row("q", "Z", "1", 5, spot=9.0, t2=5), row("r", "A", "1", 5, spot=1.5),
        row("r", "A", "1", 6, spot=1.6), row("r", "C", "1", 5, spot=3.5),
        row("r", "C", "1", 7, live=False),
    )  # fmt: skip
    found = values_after(state, rows)
    assert tuple(found.columns) == values
    assert told(found, *names) == [("q", "Z", "1", 9.0, 5), ("r", "A", "1", 1.6, -1), ("r", "B", "1", 2.0, -1)]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        (SPOT, [1.0, np.nan, 0.0], [True, False, True]),
        (RATE, [np.nan, 3.0], [False, True]),
        ("score_5", [0, 1, 3], [False, True, True]),
        ("t2", [-1, 0, 5], [False, True, True]),
        ("physical_zone", [0, 1], [False, True]),
    ],
)
def test_a_value_is_known_by_its_kind(name: str, values: list[float], expected: list[bool]) -> None:
    assert is_known(name, np.array(values)).tolist() == expected


def test_two_unknown_values_do_not_differ() -> None:
    one, other = np.array([1.0, np.nan, np.nan, 1.0, 2.0]), np.array([1.0, np.nan, 1.0, np.nan, 3.0])
    assert differs(SPOT, one, other).tolist() == [False, False, True, True, True]
    assert differs("t2", np.array([1, -1]), np.array([-1, -1])).tolist() == [True, False]
