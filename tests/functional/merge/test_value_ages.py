"""How old the values are that readers take for current: counted since a source last confirmed them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.functional.merge.conftest import World, items

LIMITS = [60, 360, 1440, 10080]
SIZES = ("Standard_D2s_v5", "Standard_E4s_v5", "Standard_F8s_v2")


def test_each_value_is_counted_once_by_the_time_since_it_was_confirmed(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3, "2": 1}, sizes=SIZES))
    world.merge(world.collected(7, band=None, scores=None, sizes=SIZES[:2]))  # 70 minutes later, a price alone
    manifest = world.merge(world.collected(13, band="5-10", scores={"1": 3}, sizes=SIZES[:1], count=5))
    assert manifest["value_ages"] == {
        "limits_minutes": LIMITS,
        "sps": [1, 6, 0, 0, 0],  # the new count's is fresh; the six of count 1 are 130 minutes old
        "price": [2, 1, 0, 0, 0],  # one now, one an hour ago, one 130 minutes ago
        "eviction": [1, 2, 0, 0, 0],
    }


def test_a_value_that_is_as_it_was_is_as_young_as_the_look_that_showed_it(world: World) -> None:
    for number in range(3):
        manifest = world.merge(world.collected(number * 1000, scores={"1": 3}))
    assert [manifest["value_ages"][name][0] for name in ("sps", "price", "eviction")] == [1, 1, 1]
    assert len({item["PriceAt"] for item in items(world).values()}) == 1  # it began two weeks ago


def test_what_is_unknown_has_no_age(world: World) -> None:
    manifest = world.merge(world.collected(0, band=None, scores=None))
    assert manifest["value_ages"]["price"] == [1, 0, 0, 0, 0]
    assert manifest["value_ages"]["sps"] == manifest["value_ages"]["eviction"] == [0, 0, 0, 0, 0]


@given(st.lists(st.lists(st.sampled_from(SIZES), min_size=1, unique=True), min_size=1, max_size=6), st.integers(1, 400))
def test_prices_are_as_old_as_a_notebook_says(listings: list[list[str]], step: int) -> None:
    world, last = World(), dict[str, int]()
    manifest: dict[str, Any] = {}
    for place, sizes in enumerate(listings):
        manifest = world.merge(world.collected(place * step, band=None, sizes=sizes), absent_looks=99)
        last.update(dict.fromkeys(sizes, place * step))
    ages = [10 * ((len(listings) - 1) * step - number) for number in last.values()]
    edges = [-1, *LIMITS, 10**9]
    expected = [sum(low < age <= high for age in ages) for low, high in pairwise(edges)]
    assert manifest["value_ages"]["price"] == expected
