"""A smaller listing is believed once it has lasted; one that comes and goes never is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from spotlake.models import to_iso
from spotlake.planning.doubt import Doubt

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
