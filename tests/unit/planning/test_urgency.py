"""Which calls a run wants, in which order, and through which locations: all by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake.models import ScoreCall, to_iso
from spotlake.planning.cover import Block
from spotlake.planning.schedule import Schedule, owners_of, schedule_calls, spread
from spotlake.planning.sweep import Sweep, age_minutes, block_id
from spotlake.planning.urgency import (
    Priorities,
    Wanted,
    by_urgency,
    failed_at_other_counts,
    wanted_at_counts,
    wanted_in_sweep,
)

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
A, B, C = (Block((f"r{name}",), (f"Standard_{name}2",)) for name in "ABC")
IDS = {block_id(block): name for name, block in zip("ABC", (A, B, C), strict=True)}
NONE = Priorities()
NEVER = 10_000_000.0


def ago(minutes: float) -> str:
    return to_iso(NOW_AT - timedelta(minutes=minutes))


def by_block(ages: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """Count -> letter of the block -> value, with ids in place of the letters."""
    ids = {name: one for one, name in IDS.items()}
    return {count: {ids[name]: value for name, value in blocks.items()} for count, blocks in ages.items()}


def a_sweep(answered: Any = None, failed: Any = None, **fields: Any) -> Sweep:
    """A sweep whose times are told in minutes before now."""
    got = {count: {one: ago(at) for one, at in own.items()} for count, own in (answered or {}).items()}
    lost = {count: {one: (times, ago(at)) for one, (times, at) in own.items()} for count, own in (failed or {}).items()}
    return Sweep(answered=by_block(got), failed=by_block(lost), **fields)


def told(wanted: Sequence[Wanted]) -> list[tuple[str, int, float | None, float]]:
    return [(IDS[one.block_id], one.count, one.age_minutes, one.urgency) for one in wanted]


def test_every_block_is_wanted_at_every_count_by_its_weighted_age() -> None:
    sweep = a_sweep({1: {"A": 30, "B": 50}, 5: {"A": 40}}, {1: {"B": (3, 10)}, 5: {"B": (4, 10)}})
    marked = Priorities(regions=("rA",))
    found = wanted_at_counts((A, B, C), (1, 5), sweep, NOW_AT, marked)
    assert told(found) == [
        ("B", 1, 50.0, 2 * NEVER + 50.0),  # failed three times
        ("B", 5, None, NEVER),  # failed four times: it waits for the next sweep
        ("C", 1, None, NEVER),
        ("C", 5, None, NEVER),
        ("A", 5, 40.0, 80.0),
        ("A", 1, 30.0, 60.0),
    ]
    assert [one.block for one in found] == [B, B, C, C, A, A]
    assert told(wanted_at_counts((C,), (1,), sweep, NOW_AT, Priorities(instance_types=("standard_c*",)))) == [
        ("C", 1, None, 2 * NEVER)
    ]


@pytest.mark.parametrize(
    ("priorities", "weights"),
    [
        (NONE, [1.0, 1.0, 1.0]),
        (Priorities(regions=("rB", "rX")), [1.0, 2.0, 1.0]),
        (Priorities(instance_types=("STANDARD_c*",)), [1.0, 1.0, 2.0]),
        (Priorities(regions=("rA",), instance_types=("*C2",)), [2.0, 1.0, 2.0]),
        (Priorities(regions=("rA",), instance_types=("*A2",)), [2.0, 1.0, 1.0]),
    ],
)
def test_a_region_or_size_with_priority_counts_twice(priorities: Priorities, weights: list[float]) -> None:
    assert [priorities.weight(block) for block in (A, B, C)] == weights


def test_blocks_of_equal_urgency_keep_their_order() -> None:
    one, two, three = (
        Wanted(block=A, block_id=name, count=1, age_minutes=None, urgency=urgency)
        for name, urgency in (("one", 1.0), ("two", 2.0), ("three", 1.0))
    )
    assert by_urgency([one, two, three]) == [two, one, three]
    assert by_urgency([three, two, one]) == [two, three, one]


def test_what_failed_at_other_counts_is_wanted_again_until_it_failed_four_times() -> None:
    failed = {1: {"A": (1, 10)}, 5: {"A": (1, 10), "B": (3, 10), "C": (4, 10)}, 10: {}, 50: {"C": (2, 10)}}
    sweep = a_sweep({5: {"A": 30, "B": 60}}, failed)
    found = failed_at_other_counts((A, B, C), (1,), sweep, NOW_AT, NONE)
    assert told(found) == [
        ("C", 50, None, 3 * NEVER),
        ("B", 5, 60.0, 2 * NEVER + 60.0),
        ("A", 5, 30.0, 2 * NEVER + 30.0),
    ]
    assert told(failed_at_other_counts((A, B, C), (5, 50), sweep, NOW_AT, NONE)) == [("A", 1, None, 3 * NEVER)]


def in_sweep(sweep: Sweep, priorities: Priorities = NONE, blocks: Sequence[Block] = (A, B, C)) -> tuple[Any, Any]:
    need = wanted_in_sweep(blocks, sweep, NOW_AT, priorities)
    return [(IDS[one.block_id], one.count) for one in need.owed], [(IDS[one.block_id], one.count) for one in need.ahead]


def test_a_sweep_owes_what_it_has_not_asked_and_goes_ahead_with_the_rest() -> None:
    sweep = a_sweep({5: {"A": 20, "B": 200}, 10: {"C": 300}}, desired_count=5, began_at=ago(100))
    # A was asked in the sweep, B in the one before. Of the next count C was asked longest ago, A and B never.
    assert in_sweep(sweep) == ([("C", 5), ("B", 5)], [("A", 10)])
    every = a_sweep({5: {"A": 20, "B": 20, "C": 20}, 10: {"C": 300}}, desired_count=5, began_at=ago(100))
    assert in_sweep(every) == ([], [("A", 10), ("B", 10), ("C", 10)])
    assert in_sweep(Sweep()) == ([("A", 1), ("B", 1), ("C", 1)], [])


def test_what_was_asked_ahead_is_not_asked_again() -> None:
    sweep = a_sweep(
        {5: {"A": 20, "B": 20, "C": 20}, 10: {"B": 30, "C": 60}}, desired_count=5, began_at=ago(100),
        next_began_at=ago(40),
    )  # fmt: skip
    assert in_sweep(sweep) == ([], [("A", 10), ("C", 10)])


def test_what_failed_is_owed_first_at_whichever_count() -> None:
    sweep = a_sweep(
        {5: {"A": 20, "B": 200}, 10: {"C": 300}},
        {5: {"A": (1, 10)}, 10: {"C": (1, 30)}},
        desired_count=5,
        began_at=ago(100),
    )
    # C at 10 waits longer than A; A failed in this sweep, and goes first again. C at 10 is owed, so it is not ahead.
    assert in_sweep(sweep) == ([("C", 10), ("A", 5), ("C", 5)], [])
    done = a_sweep({5: dict.fromkeys("ABC", 20)}, {10: {"C": (1, 30)}}, desired_count=5, began_at=ago(100))
    assert in_sweep(done) == ([("C", 10)], [("A", 10), ("B", 10)])


@pytest.mark.parametrize(
    ("age", "priorities", "between"),
    [
        (100, Priorities(regions=("rA",)), True),  # twice 100 is as much as the oldest of the sweep has
        (90, Priorities(regions=("rA",)), False),
        (190, NONE, False),
        (190, Priorities(regions=("rB",)), False),
    ],
)
def test_a_block_with_priority_is_asked_between_sweeps_at_half_the_age(
    age: float, priorities: Priorities, between: bool
) -> None:
    sweep = a_sweep(
        {1: {"A": 20, "B": 200, "C": 150}, 5: {"A": 300}, 50: {"A": age}}, desired_count=1, began_at=ago(100)
    )
    owed, _ = in_sweep(sweep, priorities, (A, B, C, A))
    assert ("A", 50) in owed if between else ("A", 50) not in owed
    assert ("A", 1) not in owed
    assert (("A", 5) in owed) is (priorities.weight(A) == 2.0)


def test_nothing_is_asked_between_sweeps_while_the_sweep_has_no_age() -> None:
    marked = Priorities(regions=("rA",))
    fresh = a_sweep({5: {"A": 900}}, desired_count=1, began_at=ago(0))
    assert in_sweep(fresh, marked) == ([("A", 1), ("B", 1), ("C", 1)], [])
    done = a_sweep({1: dict.fromkeys("ABC", 20), 5: {"A": 900}}, desired_count=1, began_at=ago(100))
    assert in_sweep(done, marked) == ([], [("B", 5), ("C", 5), ("A", 5)])


def test_a_run_never_wants_more_calls_than_there_are_blocks() -> None:
    sweep = a_sweep(
        failed={count: {"A": (1, 10), "B": (1, 10)} for count in (10, 20)}, desired_count=1, began_at=ago(100)
    )
    assert in_sweep(sweep) == ([("A", 10), ("A", 20), ("B", 10)], [])


def scheduled(
    free: Mapping[str, int], *, counts: Sequence[int] | None = (1,), blocks: Sequence[Block] = (A, B, C),
    collectors: Sequence[str] = ("a", "b"), sweep: Sweep | None = None, **options: Any,
) -> Schedule:  # fmt: skip
    usual: dict[str, Any] = {"health": {}, "now_at": NOW_AT, "priorities": NONE}
    return schedule_calls(
        blocks, desired_counts=counts, free=free, collectors=collectors, sweep=sweep or Sweep(), **(usual | options)
    )


def a_call(number: int, block: Block, location: str, count: int = 1) -> ScoreCall:
    return ScoreCall(
        call_id=f"c000{number}-{count}", location=location, regions=block.regions,
        instance_types=block.instance_types, desired_count=count,
    )  # fmt: skip


def test_a_schedule_is_told_whole() -> None:
    sweep = a_sweep({5: {"A": 10, "B": 40, "C": 20}})
    found = scheduled({"x": 1, "a": 1}, counts=(5,), sweep=sweep)
    assert found == Schedule(
        calls={"a": (a_call(0, B, "a", 5), a_call(1, C, "x", 5)), "b": ()},
        desired_counts=(5,),
        fallbacks=("a", "x"),
        planned=2,
        waiting=1,
        blocks={"c0000-5": block_id(B), "c0001-5": block_id(C)},
        oldest_age_minutes=10.0,
    )


def test_without_a_collector_or_quota_everything_waits() -> None:
    sweep = a_sweep({1: {"A": 10, "B": 40, "C": 20}})
    for free, collectors in (({"a": 9}, ()), ({"a": 0}, ("a",)), ({}, ("a",))):
        found = scheduled(free, collectors=collectors, sweep=sweep)
        assert (found.planned, found.waiting, found.oldest_age_minutes, found.blocks) == (0, 3, 40.0, {})
        assert found.calls == dict.fromkeys(collectors, ())


def test_a_resumed_attempt_asks_what_it_is_given_and_nothing_else() -> None:
    wanted = [
        Wanted(block=block, block_id=block_id(block), count=5, age_minutes=age, urgency=0.0)
        for block, age in ((B, 70.0), (A, 30.0), (C, 50.0))
    ]
    found = scheduled({"a": 1}, counts=(5, 10), wanted=wanted)
    assert found.calls == {"a": (a_call(0, B, "a", 5),), "b": ()}
    assert (found.desired_counts, found.planned, found.waiting, found.oldest_age_minutes) == ((5, 10), 1, 2, 50.0)
    assert scheduled({"a": 9}, counts=None, wanted=wanted).desired_counts == ()
    assert (scheduled({"a": 9}, wanted=[]).planned, scheduled({"a": 9}, wanted=[]).waiting) == (0, 0)


def test_a_score_that_was_never_asked_has_no_age() -> None:
    sweep = a_sweep({1: {"A": 10}})
    assert scheduled({"a": 2}, sweep=sweep).oldest_age_minutes == 10.0  # the other two go first
    assert scheduled({"a": 1}, sweep=sweep).oldest_age_minutes is None
    assert scheduled({"a": 3}, sweep=sweep).oldest_age_minutes == 0.0


def test_after_an_outage_a_tenth_of_the_blocks_is_asked_again_at_other_counts() -> None:
    blocks = [Block((f"r{number:02}",), ("s",)) for number in range(20)]
    lost = {block_id(block): (1, ago(10)) for block in blocks}
    sweep = Sweep(failed={5: lost}, answered={5: dict.fromkeys(lost, ago(50))})
    found = scheduled({"a": 99}, blocks=blocks, sweep=sweep)
    assert (found.planned, found.waiting, found.desired_counts) == (22, 0, (1, 5))
    assert [call.desired_count for call in found.calls["a"]][:3] == [5, 5, 1]
    few = scheduled({"a": 99}, blocks=blocks[:19], sweep=sweep)
    assert (few.planned, few.waiting) == (20, 0)


def test_calls_of_the_next_sweep_take_what_is_left_and_do_not_wait() -> None:
    sweep = a_sweep({1: {"A": 20, "B": 200}}, desired_count=1, began_at=ago(100))
    found = scheduled({"a": 2}, counts=None, sweep=sweep)
    assert [call.desired_count for call in found.calls["a"]] == [1, 1]  # C and B
    assert (found.waiting, found.desired_counts) == (0, (1,))
    more = scheduled({"a": 9}, counts=None, sweep=sweep)
    assert (more.planned, more.waiting, more.desired_counts) == (3, 0, (1, 5))
    done = a_sweep({1: dict.fromkeys("ABC", 20)}, desired_count=1, began_at=ago(100))
    assert scheduled({"a": 1}, counts=None, sweep=done).desired_counts == (1, 5)  # the sweep's, though not asked


def test_strangers_among_the_locations_are_shared_in_turn() -> None:
    assert owners_of(["a", "x", "y", "z"], ["b", "a"]) == {"a": "a", "x": "b", "y": "a", "z": "b"}
    assert owners_of(["x"], []) == {}


@pytest.mark.parametrize(
    ("free", "health", "number", "chosen"),
    [
        ({"a": 4, "b": 2}, {}, 6, "aabaab"),  # 1/4, 2/4 and 1/2 (a tie), 3/4, 4/4 and 2/2 (a tie)
        ({"a": 4, "b": 2}, {}, 99, "aabaab"),
        ({"b": 2, "a": 4}, {}, 2, "aa"),
        ({"a": 4, "b": 4}, {"a": 0.5}, 8, "babbabaa"),  # a's count double: 1/2, 2/2, 3/2, 4/2
        ({"a": 2, "b": 2, "c": 2}, {"a": 0.0, "b": 0.001, "c": 0.02}, 6, "cabcab"),  # 1 % at least
        ({"a": 1, "b": 0, "c": -1}, {}, 3, "a"),
        ({"a": 1}, {}, 0, ""),
        ({}, {}, 3, ""),
    ],
)
def test_calls_are_spread_one_by_one(free: dict[str, int], health: dict[str, float], number: int, chosen: str) -> None:
    assert "".join(spread(free, health, number)) == chosen


def test_six_fallbacks_the_healthiest_then_those_with_the_most_left() -> None:
    free = {"h": 1, "g": 2, "f": 2, "e": 9, "d": 9, "c": 9, "b": 9}
    found = scheduled(free, health={"e": 0.5, "d": 0.6, "c": 0.4, "b": 1.0})
    assert found.fallbacks == ("b", "f", "g", "h", "d", "e")


def test_an_age_counts_from_the_slot() -> None:
    assert age_minutes(ago(90), NOW_AT) == 90.0
    assert age_minutes(ago(0.5), NOW_AT) == 0.5
    assert age_minutes("", NOW_AT) is None
