from __future__ import annotations

import statistics

from hypothesis import given
from hypothesis import strategies as st

from spotlake.usecases.collect.delivery import LocationHealth


@given(st.lists(st.floats(0, 300), max_size=9))
def test_the_median_of_a_locations_answers_is_that_of_the_standard_library(seconds: list[float]) -> None:
    expected = round(statistics.median(seconds), 3) if seconds else None
    assert LocationHealth(seconds=seconds).answers().median_seconds == expected
