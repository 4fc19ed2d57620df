"""How long a collector waits for Azure: for an answer, for the end of a throttle, and between its tries."""

from __future__ import annotations

from typing import Any

import pytest

from spotlake.errors import AzureThrottledError, AzureUnavailableError
from spotlake.state.sizes import read_sizes
from tests.support.scripted import answered, made, scripted_session
from tests.support.skus import CAPTURED
from tests.unit.usecases import rows as prices
from tests.unit.usecases import test_collect_sizes as sizes
from tests.unit.usecases.test_collect_eviction_rates import Collector as RateCollector
from tests.unit.usecases.test_collect_eviction_rates import page, rate
from tests.unit.usecases.test_collect_prices import Collector as PriceCollector

RATES, PRICES = answered(page(rate())), answered(prices.page(prices.SPOT))


@pytest.mark.parametrize(
    ("kind", "whole", "longest"), [(RateCollector, RATES, 30), (PriceCollector, PRICES, 70)], ids=["rates", "prices"]
)
def test_a_throttle_is_waited_for_up_to_its_longest_time_and_no_longer(kind: Any, whole: Any, longest: int) -> None:
    one = kind(made(429, Retry_After=str(longest)), whole)
    assert (one.collect().rows, one.waited) == (1, [float(longest)])
    other = kind(made(429, Retry_After=str(longest + 1)), whole)
    with pytest.raises(AzureThrottledError):
        other.collect()
    assert other.waited == []


@pytest.mark.parametrize(("kind", "whole"), [(RateCollector, RATES), (PriceCollector, PRICES)], ids=["rates", "prices"])
def test_a_connection_is_waited_for_five_seconds_and_an_answer_a_minute(kind: Any, whole: Any) -> None:
    one = kind(whole)
    one.collect()
    assert [timeout for _, timeout in one.script.sent] == [(5.0, 60.0)]


def test_rates_that_fail_are_tried_until_the_next_wait_would_be_over_half_a_minute() -> None:
    one = RateCollector(made(503))
    with pytest.raises(AzureUnavailableError):
        one.collect()
    assert one.waited == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_prices_that_fail_are_tried_six_times() -> None:
    one = PriceCollector(made(503))
    with pytest.raises(AzureUnavailableError):
        one.collect()
    assert len(one.script.sent) == 6
    for number, seconds in enumerate(one.waited):  # half a wait on the mean, by chance
        assert 0.0 <= seconds <= 2.0 * 2**number


@pytest.mark.parametrize(("asked", "waited", "is_told"), [(30, [30.0], True), (31, [], False)])
def test_facts_of_sizes_are_waited_for_up_to_half_a_minute(asked: int, waited: list[float], is_told: bool) -> None:
    session, script = scripted_session(made(429, Retry_After=str(asked)), answered({"value": CAPTURED}))
    days, waits = sizes.Days(pairs={"eastus2": ("Standard_D2s_v3",)}), list[float]()
    days.collect(session=session, sleep=waits.append)
    assert (waits, "eastus2" in read_sizes(days.objects).regions) == (waited, is_told)
    assert script.sent[0][1] == (5.0, 60.0)
