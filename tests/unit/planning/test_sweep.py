from __future__ import annotations

import orjson

from spotlake.planning.cover import Block
from spotlake.planning.sweep import Sweep, block_id, cycle_minutes, move_to_plan, record_answers
from tests.unit.planning.sweeps import fold, iso, slot


def test_a_sweep_ends_when_every_block_was_asked_since_it_began() -> None:
    sweep = fold(Sweep(), 0, "ab")
    assert (sweep.desired_count, sweep.is_open("a", 1), sweep.is_open("c", 1)) == (1, False, True)
    sweep = fold(sweep, 1, "c")
    assert (sweep.desired_count, sweep.began_at) == (5, iso(1))
    assert sweep.is_open("a", 5)


def test_blocks_asked_ahead_are_not_asked_again_in_their_sweep() -> None:
    sweep = fold(fold(Sweep(), 0, "ab"), 0, "c", count=5)
    assert not sweep.is_open("c", 5)
    sweep = fold(sweep, 1, "c")
    assert (sweep.desired_count, sweep.is_open("c", 5), sweep.is_open("a", 5)) == (5, False, True)


def test_an_answer_of_the_round_before_does_not_end_a_sweep() -> None:
    sweep = Sweep(desired_count=1, began_at=iso(5), answered={1: {"a": iso(1), "b": iso(1), "c": iso(1)}})
    assert fold(sweep, 6, "ab").desired_count == 1


def test_a_late_run_makes_no_answer_older() -> None:
    sweep = fold(fold(Sweep(), 3, "a"), 1, "a")
    assert sweep.answered_at("a", 1) == iso(3)


def test_a_failed_call_goes_first_and_does_not_hold_its_sweep_up() -> None:
    sweep = fold(Sweep(), 0, "ab", "c")
    assert sweep.desired_count == 5
    assert [sweep.goes_first(block, 1) for block in "abc"] == [False, False, True]
    sweep = fold(sweep, 1, "c")
    assert not sweep.goes_first("c", 1)
    assert sweep.answered_at("c", 1) == iso(1)


def test_what_always_fails_goes_first_no_more_until_it_is_answered() -> None:
    sweep, first = Sweep(), []
    for number in range(6):
        sweep = fold(sweep, number, "", "a")
        first.append(sweep.goes_first("a", 1))
    assert first == [True, True, True, False, False, False]
    assert not fold(sweep, 7, "a").failed[1]


def test_folding_a_run_twice_changes_nothing() -> None:
    once = fold(fold(Sweep(), 0, "a", "b"), 1, "c", "b")
    assert fold(once, 1, "c", "b") == once


def test_an_older_failure_does_not_make_a_newer_answer_doubtful() -> None:
    sweep = fold(fold(Sweep(), 3, "a"), 1, "", "a")
    assert not sweep.goes_first("a", 1)


def test_the_state_comes_back_from_json() -> None:
    sweep = fold(fold(fold(Sweep(), 0, "ab", "c"), 1, "a", "b", count=5), 2, "c", count=10)
    assert Sweep.from_dict(orjson.loads(orjson.dumps(sweep.to_dict()))) == sweep


OLD = (Block(("r1",), ("s1", "s2")), Block(("r2",), ("s1", "s2")))
NEW = (Block(("r1", "r2"), ("s1",)), Block(("r1",), ("s2", "s3")))


def aged(*ages: str) -> Sweep:
    return Sweep(answered={5: dict(zip(map(block_id, OLD), ages, strict=True))})


def test_a_new_plans_block_is_as_old_as_the_oldest_of_its_pairs() -> None:
    pairs = {"r1": ["s1", "s2"], "r2": ["s1", "s2"]}
    moved = move_to_plan(aged(iso(3), iso(1)), OLD, NEW, pairs)
    assert [moved.answered_at(block_id(block), 5) for block in NEW] == [iso(1), iso(3)]


def test_a_pair_that_nobody_wants_makes_no_block_old_but_a_new_pair_does() -> None:
    unwanted = move_to_plan(aged(iso(3), iso(1)), OLD, NEW, {"r1": ["s1", "s2"]})
    assert [unwanted.answered_at(block_id(block), 5) for block in NEW] == [iso(3), iso(3)]
    new_pair = move_to_plan(aged(iso(3), iso(1)), OLD, NEW, {"r1": ["s1", "s2", "s3"]})
    assert [new_pair.answered_at(block_id(block), 5) for block in NEW] == [iso(3), ""]


def test_a_new_plan_keeps_failures_of_the_blocks_that_stay() -> None:
    plan = [block_id(block) for block in OLD]
    sweep = record_answers(Sweep(), slot_at=slot(0), count=1, answered=[], failed=plan, plan=plan)
    moved = move_to_plan(sweep, OLD, (OLD[1], NEW[0]), {"r1": ["s1", "s2"], "r2": ["s1", "s2"]})
    assert list(moved.failed[1]) == [plan[1]]


def test_a_blocks_name_says_what_is_in_it() -> None:
    names = {block_id(block) for block in (*OLD, *NEW, Block(("r1", "s1"), ("s2",)))}
    assert len(names) == 5
    assert block_id(OLD[0]) == block_id(Block(("r1",), ("s1", "s2")))


def test_a_cycle_asks_every_block_at_every_count_through_the_window() -> None:
    assert cycle_minutes(700, 100, 62) == 11 * 7 * 7 * 10
    assert cycle_minutes(700, 100, 60) == 11 * 7 * 6 * 10
    assert cycle_minutes(1, 1000, 62) == 10
