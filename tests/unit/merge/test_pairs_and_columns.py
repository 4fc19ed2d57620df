"""Numbers of pairs, and columns that grow."""

from __future__ import annotations

import numpy as np
import pytest

from spotlake.merge.growing_columns import GrowingColumns, distinct, first_of_each, last_known, last_of_each
from spotlake.merge.pair_numbers import Known, Numbers, PairNumbers


def test_a_missing_value_is_made_once() -> None:
    made: list[str] = []

    def make(key: str) -> int:
        made.append(key)
        return len(key)

    known = Known(make)
    assert (known["abc"], known["abc"], known["de"]) == (3, 3, 2)
    assert (made, dict(known)) == (["abc", "de"], {"abc": 3, "de": 2})


def test_keys_are_numbered_in_order_of_appearance() -> None:
    numbers = Numbers[str]()
    assert [numbers[key] for key in ("b", "a", "b", "c")] == [0, 1, 0, 2]
    assert [numbers.since(number) for number in range(5)] == [["b", "a", "c"], ["a", "c"], ["c"], [], []]


def numbered(*pairs: tuple[str, str]) -> tuple[PairNumbers, list[int]]:
    found = PairNumbers()
    return found, number(found, *pairs)


def number(found: PairNumbers, *pairs: tuple[str, str]) -> list[int]:
    region = np.array([found.regions[region] for region, _ in pairs], np.int64)
    size = np.array([found.sizes[size] for _, size in pairs], np.int64)
    numbers: list[int] = found.of(region, size).tolist()
    return numbers


def spelt(found: PairNumbers) -> list[tuple[str, str]]:
    regions, sizes = list(found.regions), list(found.sizes)
    return [(regions[r], sizes[s]) for r, s in zip(found.region.tolist(), found.size.tolist(), strict=True)]


def test_pairs_are_numbered_in_order_of_their_first_rows() -> None:
    found, numbers = numbered(("r", "A"), ("s", "A"), ("r", "A"), ("r", "B"), ("s", "A"))
    assert (numbers, len(found)) == ([0, 1, 0, 2, 1], 3)
    assert number(found, ("r", "B"), ("t", "C"), ("r", "A"), ("t", "C"), ("s", "B")) == [2, 3, 0, 3, 4]
    assert spelt(found) == [("r", "A"), ("s", "A"), ("r", "B"), ("t", "C"), ("s", "B")]
    assert number(found) == []
    assert len(found) == 5


@pytest.mark.parametrize(("regions", "sizes"), [(16, 512), (17, 3), (2, 513), (70, 600), (33, 1025)])
def test_there_is_room_for_any_number_of_names(regions: int, sizes: int) -> None:
    found, numbers = numbered(("r0", "S0"), ("r1", "S1"))
    every = [(f"r{region}", f"S{size}") for region in range(regions) for size in (0, 1, sizes - 1)]
    every += [(f"r{regions - 1}", f"S{size}") for size in range(sizes)]
    expected: dict[tuple[str, str], int] = {("r0", "S0"): 0, ("r1", "S1"): 1}
    for pair in every:
        expected.setdefault(pair, len(expected))
    assert number(found, *every) == [expected[pair] for pair in every]
    assert number(found, ("r0", "S0"), ("r1", "S1")) == numbers == [0, 1]
    assert spelt(found) == list(expected)


def test_the_first_pair_of_a_region_and_join_key_counts() -> None:
    found, _ = numbered(("r", "a"), ("s", "A"), ("r", "A"), ("r", "b"), ("s", "a"), ("s", "B"))
    # Sizes in order: a, A, b, B.
    assert found.first_spelt(np.array([0, 0, 1, 1]), 2).tolist() == [0, 1, 0, 3, 1, 5]
    assert PairNumbers().first_spelt(np.empty(0, np.int64), 0).tolist() == []


def test_of_many_spellings_the_first_counts() -> None:
    sizes = [f"S{number}" for number in range(300)]
    found, _ = numbered(*(("r", size) for size in sizes))
    keys = [number * 7 % 3 for number in range(300)]
    assert found.first_spelt(np.array(keys), 3).tolist() == [keys.index(key) for key in keys]


def test_equal_neighbours_and_distinct_values() -> None:
    ordered = np.array([1, 1, 2, 3, 3])
    assert first_of_each(ordered).tolist() == [True, False, True, True, False]
    assert last_of_each(ordered).tolist() == [False, True, True, False, True]
    assert [first_of_each(np.empty(0)).tolist(), last_of_each(np.empty(0)).tolist()] == [[], []]
    assert distinct(np.array([5, 1, 5, 3])).tolist() == [1, 3, 5]
    assert distinct(np.empty(0, np.int64)).tolist() == []


def test_the_last_known_value_of_each_pair_counts() -> None:
    pair = np.array([7, 3, 7, 3, 7, 9])
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan, np.nan])
    found = last_known(pair, values, np.array([3, 7, 9]))
    assert [None if np.isnan(one) else one for one in found.tolist()] == [4.0, 3.0, None]
    assert last_known(pair[:0], values[:0], pair[:0]).tolist() == []


def test_columns_grow_by_parts_and_nobody_changes_what_was_read() -> None:
    columns = GrowingColumns(a="i4", b="f8")
    assert (columns["a"].tolist(), columns["a"].dtype.str, columns["b"].dtype.str) == ([], "<i4", "<f8")
    columns.add(a=[1, 2], b=[0.5, None])
    columns.add(a=np.array([3]), b=np.array([2.5]))
    assert (columns["a"].tolist(), columns["a"].dtype.str) == ([1, 2, 3], "<i4")
    assert [None if np.isnan(one) else one for one in columns["b"].tolist()] == [0.5, None, 2.5]
    with pytest.raises(ValueError, match="read-only"):
        columns["a"][0] = 9
    assert {name: column.tolist() for name, column in columns.columns().items() if name == "a"} == {"a": [1, 2, 3]}
    columns.keep(np.array([2, 0]))
    assert (columns["a"].tolist(), columns["b"].tolist()) == ([3, 1], [2.5, 0.5])
    columns.add(a=[4], b=[9.0])
    assert columns["a"].tolist() == [3, 1, 4]
    columns.replace(a=np.array([8]), b=np.array([1.0]))
    assert (columns["a"].tolist(), columns["b"].tolist()) == ([8], [1.0])


def test_the_last_known_value_of_a_thing_is_spread_over_its_rows() -> None:
    columns = GrowingColumns(thing="i4", value="i4")
    columns.add(thing=[5, 2, 5, 2, 8, 5], value=[3, 0, 4, 0, 6, 0])
    columns.spread_last("value", columns["thing"], unknown=0)
    assert (columns["value"].tolist(), columns["value"].dtype.str) == ([4, 0, 4, 0, 6, 4], "<i4")
    assert columns["thing"].tolist() == [5, 2, 5, 2, 8, 5]
    columns.spread_last("value", columns["thing"], unknown=4)
    assert columns["value"].tolist() == [4, 0, 4, 0, 6, 4]
