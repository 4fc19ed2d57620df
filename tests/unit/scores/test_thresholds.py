from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake.models import DESIRED_COUNTS
from spotlake.scores.thresholds import below, threshold, thresholds


def by_events(events: list[tuple[int, int]], least: int) -> int:
    """The rule as it is told: one event after the other."""
    value = 0
    for count, score in events:
        value = max(value, count) if score >= least else min(value, below(count))
    if value == 0 and (1, True) not in {(count, score < least) for count, score in events}:
        return -1
    return value


def last_seen(events: list[tuple[int, int]]) -> dict[int, dict[int, int]]:
    seen: dict[int, dict[int, int]] = {}
    for slot, (count, score) in enumerate(events, 1):
        seen.setdefault(count, {})[score] = slot
    return seen


@pytest.mark.parametrize(
    ("events", "t3", "t2"),
    [
        ([(1, 3)], 1, 1),
        ([(1, 3), (5, 3), (10, 3)], 10, 10),
        ([(1, 3), (5, 3), (10, 3), (15, 1)], 10, 10),
        ([(1, 3), (5, 3), (10, 3), (5, 2)], 1, 10),
        ([(1, 3), (5, 3), (10, 3), (1, 1)], 0, 0),
        ([(1, 3), (5, 3), (10, 3), (1, 1), (10, 3)], 10, 10),
        ([(20, 3)], 20, 20),
        ([(50, 3), (30, 2)], 25, 50),
        ([(1, 3), (5, 3), (10, 3), (5, 2), (5, 3)], 5, 10),
        ([], -1, -1),
        ([(20, 1)], -1, -1),  # says nothing of one machine
        ([(5, 2)], -1, 5),
        ([(20, 1), (1, 1)], 0, 0),
        ([(1, 2)], 0, 1),
    ],
)
def test_the_examples(events: list[tuple[int, int]], t3: int, t2: int) -> None:
    assert (threshold(last_seen(events), 3), threshold(last_seen(events), 2)) == (t3, t2)


@given(st.lists(st.tuples(st.sampled_from(DESIRED_COUNTS), st.integers(1, 3)), max_size=40))
def test_the_last_times_give_what_the_events_give(events: list[tuple[int, int]]) -> None:
    for least in (3, 2):
        assert threshold(last_seen(events), least) == by_events(events, least)
    assert threshold(last_seen(events), 3) <= threshold(last_seen(events), 2)


def test_within_one_slot_a_failure_counts_as_later() -> None:
    answers = dict(zip(DESIRED_COUNTS, (3, 3, 3, 2, 3, 3, 3, 3, 3, 3, 3), strict=True))
    assert threshold({count: {score: 7} for count, score in answers.items()}, 3) == 10
    assert threshold({5: {3: 7, 1: 7}}, 3) == 1


def test_the_next_smaller_count() -> None:
    assert [below(count) for count in DESIRED_COUNTS] == [0, 1, 5, 10, 15, 20, 25, 30, 35, 40, 45]


@pytest.mark.parametrize("workloads", [0, 1, 8191, 8192, 8193, 16_385])
def test_many_workloads_at_once_are_what_each_is_alone(workloads: int) -> None:
    """The first, the last and every thousandth reached a count of its own; all others were never asked."""
    seen = np.zeros((workloads, len(DESIRED_COUNTS), 3), np.uint32)
    expected = np.full(workloads, -1)
    for place in {0, workloads - 1, *range(0, workloads, 1000)} if workloads else ():
        count = place // 1000 % len(DESIRED_COUNTS)
        seen[place, count, 2] = 7
        expected[place] = DESIRED_COUNTS[count]
    found = thresholds(seen, 3)
    assert found.dtype == np.int16
    assert found.tolist() == expected.tolist()
    assert not seen[:, :, :2].any()  # as it was given


def test_every_score_has_its_own_place() -> None:
    answers = {1: {3: 5}, 20: {1: 6}, 50: {2: 7}}
    assert (threshold(answers, 3), threshold(answers, 2)) == (1, 50)
    assert (threshold({20: {1: 6}}, 2), threshold({20: {2: 6}}, 2), threshold({20: {2: 6}}, 3)) == (-1, 20, -1)
    assert (threshold({1: {2: 1}}, 3), threshold({1: {3: 1, 2: 1}}, 3), threshold({1: {3: 2, 2: 1}}, 3)) == (0, 0, 1)
