from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake.errors import AzureUnavailableError
from spotlake.reports import LocationAnswers
from spotlake.usecases.collect.delivery import LocationHealth, cause_of


@given(st.lists(st.floats(0, 300), max_size=9))
def test_the_median_of_a_locations_answers_is_that_of_the_standard_library(seconds: list[float]) -> None:
    expected = round(statistics.median(seconds), 3) if seconds else None
    assert LocationHealth(seconds=seconds).answers().median_seconds == expected


def test_answers_are_slow_after_more_than_twenty_seconds() -> None:
    health = LocationHealth(sent=5, failed=2, seconds=[20.0, 20.002, 3.0, 100.0])
    assert health.answers() == LocationAnswers(sent=5, failed=2, slow=2, median_seconds=20.001)


@pytest.mark.parametrize(("seconds", "median"), [([3.0], 3.0), ([9.0, 1.0, 2.0], 2.0), ([1.0, 9.0], 5.0)])
def test_the_median_of_a_few_answers(seconds: list[float], median: float) -> None:
    assert LocationHealth(seconds=seconds).answers().median_seconds == median


@pytest.mark.parametrize(
    ("sent", "failed", "is_bad"), [(4, 4, True), (3, 3, False), (8, 4, True), (9, 4, False), (10, 5, True)]
)
def test_a_location_is_bad_when_four_calls_and_half_of_all_failed(sent: int, failed: int, *, is_bad: bool) -> None:
    assert LocationHealth(sent=sent, failed=failed).is_bad == is_bad


@pytest.mark.parametrize(("refused", "is_shut"), [(4, False), (5, True), (6, True)])
def test_a_location_is_shut_when_five_subscriptions_were_refused(refused: int, *, is_shut: bool) -> None:
    assert LocationHealth(refused={*map(str, range(refused))}).is_shut == is_shut


@pytest.mark.parametrize(
    ("reasons", "error", "said"),
    [
        ({"no_quota": 2, "deadline": 1}, None,
         "3 of 5 calls got no answer (1 deadline, 2 no_quota); 80 pairs are without an answer"),
        ({}, None, "3 of 5 calls got no answer; 80 pairs are without an answer"),
        ({"unavailable": 3}, AzureUnavailableError("placement scores", "HTTP 500"),
         ("3 of 5 calls got no answer (3 unavailable); 80 pairs are without an answer;"
         " last: placement scores: HTTP 500")),
    ],
)  # fmt: skip
def test_the_cause_is_one_sentence(reasons: dict[str, int], error: Exception | None, said: str) -> None:
    assert cause_of(reasons, unsent=3, calls=5, missing=80, error=error) == said
