"""Groups of regions: nothing is left out, nothing twice, and no group has much more work than another."""

from __future__ import annotations

from itertools import chain, product

from hypothesis import given
from hypothesis import strategies as st

from spotlake.planning.groups import group_regions

CALLS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), st.integers(0, 40), max_size=60)


@given(calls=CALLS, most=st.integers(1, 40))
def test_every_region_is_in_one_group_and_no_group_is_empty(calls: dict[str, int], most: int) -> None:
    groups = group_regions(calls, most)
    assert sorted(chain.from_iterable(groups)) == sorted(calls)
    assert len(groups) == max(1, min(most, len(calls)))
    assert all(groups) or not calls


@given(calls=CALLS, most=st.integers(1, 40))
def test_the_largest_group_has_at_most_one_region_more_work_than_the_smallest(calls: dict[str, int], most: int) -> None:
    loads = [sum(calls[region] + 1 for region in group) for group in group_regions(calls, most)]
    assert max(loads) - min(loads) <= max((one + 1 for one in calls.values()), default=0)


@given(calls=st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(0, 9), min_size=1, max_size=6))
def test_it_is_near_the_best_division_of_all(calls: dict[str, int]) -> None:
    """Longest first needs at most 4/3 of the best makespan, less 1/(3m) (Graham 1969)."""
    loads = [sum(calls[region] + 1 for region in group) for group in group_regions(calls, 2)]
    best = min(
        max(sum(calls[one] + 1 for one, side in zip(calls, sides, strict=True) if side == which) for which in (0, 1))
        for sides in product((0, 1), repeat=len(calls))
    )
    assert max(loads) <= best * 7 / 6


@given(calls=CALLS, most=st.integers(1, 40))
def test_the_order_of_the_regions_does_not_matter(calls: dict[str, int], most: int) -> None:
    assert group_regions(calls, most) == group_regions(dict(reversed(calls.items())), most)


def test_a_region_without_a_call_is_work_too() -> None:
    # a: 3 calls and a listing; the others a listing each, so three of them and one of two calls weigh as much
    assert group_regions({"a": 3, "b": 2, "c": 0, "d": 0, "e": 0}, 2) == [["a", "d"], ["b", "c", "e"]]
    assert group_regions({}, 3) == [[]]
    assert group_regions({"a": 1, "b": 1}, 5) == [["a"], ["b"]]
    assert group_regions({"a": 1, "b": 1}, 0) == [["a", "b"]]
    # A listing weighs as much as one call, no more: after b and c the second group still has less work.
    assert group_regions({"a": 2, "b": 0, "c": 0, "d": 0}, 2) == [["a"], ["b", "c", "d"]]
    assert group_regions({"b": 7, "a": 7, "c": 8}, 3) == [["c"], ["a"], ["b"]]
