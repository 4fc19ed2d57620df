"""What is kept of sweeps after each run, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from spotlake.planning.cover import Block
from spotlake.planning.sweep import (
    Sweep,
    block_id,
    cycle_minutes,
    lost_count,
    move_to_plan,
    slots_of_window,
)
from tests.unit.planning.sweeps import fold, iso, slot


def test_the_first_run_begins_the_sweep() -> None:
    assert fold(Sweep(), 3, "ab", "c", plan="abcd") == Sweep(
        desired_count=1,
        began_at=iso(3),
        answered={1: {"a": iso(3), "b": iso(3)}},
        failed={1: {"c": (1, iso(3))}},
        next_began_at=None,
    )


def test_answers_and_failures_of_other_counts_and_blocks_stay() -> None:
    before = Sweep(
        began_at=iso(0),
        answered={1: {"a": iso(0)}, 10: {"b": iso(0)}},
        failed={1: {"b": (2, iso(0))}, 10: {"c": (1, iso(0))}},
    )
    assert fold(before, 5, "c", "b") == Sweep(
        desired_count=5,  # a was asked in slot 0 already, with which the sweep began
        began_at=iso(5),
        answered={1: {"a": iso(0), "c": iso(5)}, 10: {"b": iso(0)}},
        failed={1: {"b": (3, iso(5))}, 10: {"c": (1, iso(0))}},
    )


def test_blocks_that_the_plan_lacks_are_dropped() -> None:
    before = Sweep(began_at=iso(0), answered={1: {"x": iso(0), "b": iso(0)}}, failed={1: {"y": (1, iso(0))}})
    found = fold(before, 5, "az", "cv", plan="abc")
    assert (found.answered, found.failed) == ({1: {"a": iso(5), "b": iso(0)}}, {1: {"c": (1, iso(5))}})


def test_a_late_run_makes_no_answer_older_and_a_new_one_makes_it_younger() -> None:
    before = Sweep(began_at=iso(0), answered={1: {"a": iso(5)}})
    assert [fold(before, number, "a").answered_at("a", 1) for number in (4, 5, 6)] == [iso(5), iso(5), iso(6)]


@pytest.mark.parametrize(
    ("number", "failed"),
    [
        (4, {"a": (1, iso(5))}),  # an older failure is none more
        (5, {"a": (1, iso(5))}),  # nor the same one
        (6, {"a": (2, iso(6))}),
    ],
)
def test_a_failure_counts_once_a_slot(number: int, failed: dict[str, Any]) -> None:
    before = Sweep(began_at=iso(0), failed={1: {"a": (1, iso(5))}})
    assert fold(before, number, "", "a").failed == {1: failed}


@pytest.mark.parametrize(
    ("answered", "failed", "known", "failures"),
    [
        (5, 5, iso(5), {}),  # answered in the slot of the failure
        (6, 5, iso(6), {}),
        (5, 6, iso(5), {"a": (1, iso(6))}),
    ],
)
def test_an_answer_ends_failures_up_to_its_slot(
    answered: int, failed: int, known: str, failures: dict[str, Any]
) -> None:
    for runs in (((answered, "a", ""), (failed, "", "a")), ((failed, "", "a"), (answered, "a", ""))):
        sweep = Sweep(began_at=iso(0))
        for number, got, lost in runs:
            sweep = fold(sweep, number, got, lost)
        assert (sweep.answered[1], sweep.failed[1]) == ({"a": known}, failures)


def test_the_next_sweep_begins_with_what_was_asked_ahead_or_with_the_last_answer() -> None:
    sweep = fold(fold(Sweep(), 0, "ab"), 1, "c", count=5)
    assert (sweep.began_at, sweep.next_began_at) == (iso(0), iso(1))
    sweep = fold(sweep, 2, "b", count=5)
    assert sweep.next_began_at == iso(1)  # the first slot stays
    sweep = fold(sweep, 3, "c")
    assert (sweep.desired_count, sweep.began_at, sweep.next_began_at) == (5, iso(1), None)
    sweep = fold(sweep, 4, "a", count=5)
    assert (sweep.desired_count, sweep.began_at, sweep.next_began_at) == (10, iso(4), None)
    beside = fold(sweep, 5, "abc", count=50)
    assert (beside.desired_count, beside.began_at, beside.next_began_at) == (10, iso(4), None)


def test_a_block_is_open_until_it_was_asked_since_the_sweep_began() -> None:
    sweep = Sweep(
        desired_count=5, began_at=iso(5), next_began_at=iso(7),
        answered={5: {"a": iso(4), "b": iso(5)}, 10: {"a": iso(6), "b": iso(7)}},
        failed={5: {"c": (1, iso(5)), "d": (1, iso(4))}, 10: {"c": (1, iso(7)), "d": (1, iso(6))}},
    )  # fmt: skip
    assert [sweep.is_open(block, 5) for block in "abcde"] == [True, False, False, True, True]
    assert [sweep.is_open(block, 10) for block in "abcde"] == [True, False, False, True, True]
    assert sweep.is_open("a", 50)
    nothing = Sweep(answered={1: {"a": iso(1)}})
    assert nothing.is_open("a", 1)
    assert nothing.is_open("a", 5)
    assert (sweep.answered_at("a", 5), sweep.answered_at("c", 5), sweep.answered_at("a", 1)) == (iso(4), "", "")


def test_what_failed_goes_first_three_times() -> None:
    sweep = Sweep(failed={5: {str(times): (times, iso(0)) for times in range(6)}})
    assert [sweep.goes_first(str(times), 5) for times in range(6)] == [False, True, True, True, False, False]
    assert not sweep.goes_first("1", 1)
    assert not sweep.goes_first("x", 5)


def test_the_state_is_told_with_counts_as_text() -> None:
    sweep = Sweep(
        desired_count=5, began_at=iso(1), answered={1: {"a": iso(0)}, 50: {}}, failed={5: {"b": (2, iso(1))}},
        next_began_at=iso(2),
    )  # fmt: skip
    assert sweep.to_dict() == {
        "desired_count": 5,
        "began_at": iso(1),
        "answered": {"1": {"a": iso(0)}, "50": {}},
        "failed": {"5": {"b": (2, iso(1))}},
        "next_began_at": iso(2),
    }
    assert Sweep.from_dict(sweep.to_dict()) == sweep
    assert Sweep.from_dict({"desired_count": 5, "began_at": None, "answered": {}}) == Sweep(desired_count=5)


# Eleven counts, ten minutes apart: a whole cycle is 110 minutes.
def asked(**slots: int) -> Sweep:
    """Every block of the plan "abc" answered at a count ("c5") in a slot."""
    return Sweep(answered={int(count[1:]): dict.fromkeys("abc", iso(number)) for count, number in slots.items()})


@pytest.mark.parametrize(
    ("sweep", "lost"),
    [
        (asked(c5=0), 5),
        (asked(c5=1), None),  # less than a cycle ago
        (asked(c1=0), None),  # the count of this run
        (asked(c5=0, c10=-1, c50=0), 10),  # the one that waits longest
        (asked(c5=0, c10=0), 5),
        (asked(), None),
        (Sweep(failed={5: dict.fromkeys("abc", (1, iso(0)))}), 5),
        (Sweep(failed={5: dict.fromkeys("abc", (1, iso(1)))}), None),
        (Sweep(answered={5: {"a": iso(0), "b": iso(0), "c": iso(9)}}), 5),  # most of its blocks
        (Sweep(answered={5: {"a": iso(0), "b": iso(9), "c": iso(9)}}), None),
        (Sweep(answered={5: {"a": iso(0), "b": iso(0)}}), 5),
        (Sweep(answered={5: {"a": iso(0)}}), None),  # most were never asked
        (Sweep(answered={5: {"a": iso(-2), "b": iso(-2)}}, failed={5: {"a": (1, iso(0)), "c": (1, iso(0))}}), 5),
        (Sweep(answered={5: {"a": iso(-2), "b": iso(-2)}}, failed={5: {"a": (1, iso(1)), "c": (1, iso(1))}}), None),
    ],
)
def test_a_count_has_lost_its_turn_when_half_its_blocks_wait_a_whole_cycle(sweep: Sweep, lost: int | None) -> None:
    assert lost_count(sweep, "abc", 1, slot(11)) == lost


def test_of_an_even_number_of_blocks_the_first_half_decides() -> None:
    sweep = Sweep(answered={5: {"a": iso(0), "b": iso(0), "c": iso(9), "d": iso(9)}})
    assert lost_count(sweep, "abcd", 1, slot(11)) == 5
    assert lost_count(sweep, "bcd", 1, slot(11)) is None
    assert lost_count(sweep, "", 1, slot(11)) is None


OLD = (Block(("r1",), ("s1", "s2")), Block(("r2",), ("s1",)), Block(("r1", "r2"), ("s1",)))
NEW = (Block(("r1", "r2"), ("s1",)), Block(("r1",), ("s2",)), Block(("r3",), ("s1",)))
PAIRS = {"r1": ["s1", "s2"], "r2": ["s1"], "r3": ["s1"]}
IDS = [block_id(block) for block in OLD]
NEW_IDS = [block_id(block) for block in NEW]


def test_a_pair_is_as_young_as_its_last_answer_and_a_block_as_old_as_its_oldest_pair() -> None:
    sweep = Sweep(
        desired_count=5, began_at=iso(1), next_began_at=iso(2),
        answered={1: dict(zip(IDS, (iso(1), iso(2), iso(0)), strict=True)), 5: {IDS[0]: iso(7)}, 10: {}},
        failed={1: {IDS[2]: (2, iso(9)), IDS[0]: (1, iso(9))}},
    )  # fmt: skip
    assert move_to_plan(sweep, OLD, NEW, PAIRS) == Sweep(
        desired_count=5, began_at=iso(1), next_began_at=iso(2),
        answered={1: {NEW_IDS[0]: iso(1), NEW_IDS[1]: iso(1)}, 5: {NEW_IDS[1]: iso(7)}, 10: {}},
        failed={1: {IDS[2]: (2, iso(9))}},
    )  # fmt: skip
    assert move_to_plan(sweep, OLD, OLD, {}) is sweep
    whole = Block(("r1", "r2"), ("s1", "s2"))  # exactly the pairs that were answered at count 1
    assert move_to_plan(sweep, OLD, [whole], PAIRS).answered == {1: {block_id(whole): iso(1)}, 5: {}, 10: {}}
    # No pair of the new blocks is wanted any more: they have no age.
    assert move_to_plan(sweep, OLD, NEW, {}).answered == {1: {}, 5: {}, 10: {}}


def test_a_blocks_name_is_the_blake2_of_its_words() -> None:
    """The names stand in the state for years: ``printf 'r1,r2|s1,s2' | b2sum -l 48``."""
    assert block_id(Block(("r1", "r2"), ("s1", "s2"))) == "a0a6ce1b9cdc"


def test_calls_of_a_window_are_shared_by_its_runs() -> None:
    assert [slots_of_window(minutes) for minutes in (1, 10, 11, 60, 61, 70)] == [1, 1, 2, 6, 7, 7]
    # 7 calls x 11 counts x 7 slots = 539 calls at 10 a window: 54 slots.
    assert cycle_minutes(7, 10, 62) == 540
    assert cycle_minutes(10, 770, 62) == 10
    assert cycle_minutes(10, 769, 62) == 20
