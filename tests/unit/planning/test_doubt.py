"""A smaller listing is believed once it has lasted; one that comes and goes never is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake.models import to_iso
from spotlake.planning.doubt import Doubt, is_jump

AT = datetime(2026, 11, 23, tzinfo=UTC)


def after(*looks: tuple[float, int], good_at: str = "") -> Doubt:
    doubt = Doubt()
    for hours, rows in looks:
        doubt = doubt.after(rows, AT + timedelta(hours=hours), good_at)
    return doubt


def test_three_looks_over_six_hours_are_believed() -> None:
    assert not after((0, 40), (3, 41)).believed
    assert not after((0, 40), (3, 41), (5.9, 40)).believed
    assert after((0, 40), (3, 41), (6, 40)).believed
    assert after((0, 0), (3, 0), (6, 0)).believed
    assert not after((0, 40), (3, 30), (6, 40)).believed
    assert after((0, 40), (72, 41), (144, 40)).believed  # an archive that looks every third day
    assert after((0, 4), (3, 5), (6, 4)).believed  # 5 % of five rows is no row
    assert not after((0, 0), (3, 2), (6, 0)).believed  # a region that sells nothing is another region


def test_the_same_slot_twice_is_one_look() -> None:
    assert not after((0, 40), (6, 40), (6, 40), (6, 40)).believed


def test_what_is_believed_stays_so_until_it_says_something_else() -> None:
    whole_at = to_iso(AT + timedelta(hours=3))
    assert not after((0, 40), (2, 40)).after(40, AT + timedelta(hours=6), whole_at).believed  # it came and went
    believed = after((0, 40), (3, 40), (6, 40))
    assert believed.after(41, AT + timedelta(hours=9), to_iso(AT + timedelta(hours=6))).believed
    assert not believed.after(20, AT + timedelta(hours=9), "").believed
    assert not believed.after(40, AT + timedelta(days=9), "").believed  # nobody looked in between


def at(hours: float) -> str:
    return to_iso(AT + timedelta(hours=hours))


def test_a_doubt_keeps_its_first_number_of_rows_and_both_slots() -> None:
    first = after((1, 40))
    assert first == Doubt(rows=40, first_at=at(1), last_at=at(1), looks=1, believed=False)
    assert after((1, 40), (3, 41)) == Doubt(rows=40, first_at=at(1), last_at=at(3), looks=2)
    assert after((1, 40), (3, 41), (7, 42)) == Doubt(rows=40, first_at=at(1), last_at=at(7), looks=3, believed=True)
    assert after((1, 40), (3, 41), (3, 39)) == after((1, 40), (3, 41))
    assert after((1, 40), (3, 41), (2, 39)) == after((1, 40), (3, 41))  # an older slot says nothing new
    believed = after((1, 40), (3, 41), (7, 42), (8, 40))
    assert believed == Doubt(rows=40, first_at=at(1), last_at=at(8), looks=4, believed=True)


@pytest.mark.parametrize(
    ("rows", "later", "is_the_same"),
    [
        (100, 95, True),  # 5 % of the larger one is 5
        (95, 100, True),
        (100, 94, False),
        (94, 100, False),
        (100, 105, True),
        (10, 12, True),  # two rows are allowed at least
        (12, 10, True),
        (10, 13, False),
        (13, 10, False),
        (3, 1, True),
        (1, 0, False),
        (0, 1, False),
        (0, 0, True),
    ],
)
def test_listings_agree_within_a_twentieth_or_two_rows(rows: int, later: int, is_the_same: bool) -> None:
    begun_anew = Doubt(rows=later, first_at=at(1), last_at=at(1), looks=1)
    goes_on = Doubt(rows=rows, first_at=at(0), last_at=at(1), looks=2)
    assert after((0, rows), (1, later)) == (goes_on if is_the_same else begun_anew)


@pytest.mark.parametrize(("hours", "looks"), [(8 * 24, 2), (8 * 24 + 0.5, 1)])
def test_a_look_within_eight_days_goes_on(hours: float, looks: int) -> None:
    assert after((0, 40), (hours, 40)).looks == looks


@pytest.mark.parametrize(("good_at", "looks"), [("", 2), (at(0.5), 2), (at(1), 1), (at(1.5), 1)])
def test_a_whole_listing_from_the_first_look_on_ends_the_doubt(good_at: str, looks: int) -> None:
    assert after((1, 40), (2, 40), good_at=good_at).looks == looks


@pytest.mark.parametrize(
    ("found", "known", "jumps"),
    [
        (900, 300, False),  # three times exactly
        (901, 300, True),
        (750, 249, True),
        (750, 250, False),  # 500 more exactly
        (751, 250, True),
        (747, 249, False),
        (501, 1, False),
        (502, 1, True),
        (9_999, 0, False),
    ],
)
def test_more_than_three_times_and_more_than_500_new_sizes_are_a_jump(found: int, known: int, jumps: bool) -> None:
    assert is_jump(found, known) is jumps


@given(st.lists(st.tuples(st.integers(0, 200), st.sampled_from([0, 40, 41, 90])), max_size=40))
def test_nothing_is_believed_that_was_not_said_for_six_hours(looks: list[tuple[int, int]]) -> None:
    doubt, said = Doubt(), list[tuple[int, int]]()
    for hours, rows in sorted(looks):
        doubt = doubt.after(rows, AT + timedelta(hours=hours), "")
        said.append((hours, rows))
        if doubt.believed:
            same = [hour for hour, other in said if abs(other - rows) <= 5]
            assert max(same) - min(same) >= 6
            assert len(set(same)) >= 3
