from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake.stores.turns import SPACING_SECONDS, MemoryTurns

QUERIES, WINDOW_SECONDS = 15, 5.0


def sent_at(turns: MemoryTurns, asked_at: Sequence[float]) -> list[float]:
    return [now + turns.take(now) for now in asked_at]


moments = st.lists(st.floats(1e9, 1e9 + 60), max_size=120).map(sorted)


@given(moments)
def test_never_so_many_in_a_window_that_one_would_be_refused(asked_at: list[float]) -> None:
    times = sorted(sent_at(MemoryTurns(), asked_at))
    assert all(later - one >= WINDOW_SECONDS for one, later in zip(times, times[QUERIES - 1 :], strict=False))


@given(moments)
def test_nobody_waits_longer_than_the_queue_is(asked_at: list[float]) -> None:
    turns = MemoryTurns()
    for place, now in enumerate(asked_at):
        assert 0.0 <= turns.take(now) <= place * SPACING_SECONDS + 1e-3


def test_who_comes_alone_goes_at_once() -> None:
    assert sent_at(MemoryTurns(), [1e9, 1e9 + 1, 1e9 + 2]) == [1e9, 1e9 + 1, 1e9 + 2]


def test_a_clock_that_was_put_back_makes_nobody_wait_for_hours() -> None:
    turns = MemoryTurns()
    turns.take(1e9 + 7200)
    assert turns.take(1e9) == 0.0
    assert turns.take(1e9) == pytest.approx(SPACING_SECONDS)
