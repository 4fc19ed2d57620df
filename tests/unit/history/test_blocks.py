"""Blocks: columns whose texts are numbers, put together, taken apart and looked up."""

from __future__ import annotations

import numpy as np

from spotlake.history.blocks import Block, aligned, joined, ordered, places_of
from tests.unit.history.blocks import block, told

NAMES = ("region", "instance_type", "zone", "slot")


def rows(*given: tuple[str, str, str | None, int]) -> Block:
    return block(NAMES, *(dict(zip(NAMES, one, strict=True)) for one in given))


def test_a_block_without_rows_has_columns_of_their_kinds() -> None:
    found = Block.empty(("region", "score_1", "live", "at", "spot_price_usd_per_hour"))
    assert found.texts == [""]
    assert {name: (column.dtype.str, len(column)) for name, column in found.columns.items()} == {
        "region": ("<i4", 0), "score_1": ("|i1", 0), "live": ("|b1", 0), "at": ("<u4", 0),
        "spot_price_usd_per_hour": ("<f8", 0),
    }  # fmt: skip


def test_texts_in_any_order_and_twice_stand_once_and_in_order() -> None:
    found = Block.of(["west", "east", "west"], {"region": np.array([0, 1, 2, 0]), "slot": np.array([0, 1, 2, 3])})
    assert found.texts == ["", "east", "west"]
    assert (found["region"].tolist(), found["region"].dtype.str) == ([2, 1, 2, 2], "<i4")
    assert found["slot"].tolist() == [0, 1, 2, 3]
    assert found.text("region") == ["west", "east", "west", "west"]
    assert (len(found), found.place("west"), found.place("north")) == (4, 2, -1)


def test_rows_and_columns_are_taken_and_a_copy_is_its_own() -> None:
    found = rows(("a", "A", "1", 5), ("b", "B", "2", 6), ("c", "C", None, 7))
    assert told(found.take(np.array([2, 0])), *NAMES) == [("c", "C", None, 7), ("a", "A", "1", 5)]
    assert told(found.take(np.array([False, True, False])), *NAMES) == [("b", "B", "2", 6)]
    few = found.only(("slot", "zone"))
    assert (list(few.columns), few.texts) == (["slot", "zone"], found.texts)
    other = found.copy()
    other["slot"][0] = 99
    other.texts.append("z")
    assert told(found, "slot") == [(5,), (6,), (7,)]
    assert found.texts == ["", "A", "B", "C", "a", "b", "c"]


def test_a_workload_s_key_counts_region_size_and_zone() -> None:
    found = rows(("a", "A", None, 5), ("a", "A", "1", 5), ("a", "A", "Single", 5), ("b", "A", "2", 5))
    # Four texts ("", A, a, b), and six zones: none, 1, 2, 3, N/A, Single.
    assert found.keys().tolist() == [(2 * 4 + 1) * 6, (2 * 4 + 1) * 6 + 1, (2 * 4 + 1) * 6 + 5, (3 * 4 + 1) * 6 + 2]
    assert found.keys().dtype == np.int64


def test_blocks_of_other_texts_are_joined_and_compared() -> None:
    one, two = rows(("b", "A", "1", 1)), rows(("a", "C", "2", 2), ("b", "A", "1", 3))
    assert told(joined(one, two), *NAMES) == [("b", "A", "1", 1), ("a", "C", "2", 2), ("b", "A", "1", 3)]
    first, second = aligned(one, two)
    assert first.texts == second.texts == ["", "A", "C", "a", "b"]
    assert first.keys().tolist() == second.keys().tolist()[1:]
    assert told(one, *NAMES) == [("b", "A", "1", 1)]
    same = rows(("b", "A", "2", 9))
    kept = aligned(one, same)
    assert [found is given for found, given in zip(kept, (one, same), strict=True)] == [True, True]
    third = aligned(one, same, two)
    assert [found.texts for found in third] == [["", "A", "C", "a", "b"]] * 3


def test_rows_come_in_order_of_their_workload_and_then_of_what_is_named() -> None:
    found = rows(("b", "A", "1", 1), ("a", "B", "1", 9), ("a", "B", "1", 3), ("a", "A", "2", 7), ("a", "A", "1", 8))
    assert told(ordered(found, "slot"), *NAMES) == [
        ("a", "A", "1", 8), ("a", "A", "2", 7), ("a", "B", "1", 3), ("a", "B", "1", 9), ("b", "A", "1", 1),
    ]  # fmt: skip
    noted = block(
        (*NAMES, "field"),
        *(
            {"region": "a", "instance_type": "A", "zone": "1", "slot": slot, "field": field}
            for slot, field in ((1, "score_1_began"), (2, "score_5_began"), (1, "score_5_began"), (2, "score_1_began"))
        ),
    )
    assert told(ordered(noted, "field", "slot"), "field", "slot") == [
        ("score_1_began", 1), ("score_1_began", 2), ("score_5_began", 1), ("score_5_began", 2),
    ]  # fmt: skip


def test_keys_are_found_among_known_ones() -> None:
    places, found = places_of(np.array([3, 5, 9]), np.array([9, 4, 3, 10, 0]))
    assert found.tolist() == [True, False, True, False, False]
    assert places[found].tolist() == [2, 0]
    assert places.max() < 3
    places, found = places_of(np.empty(0, np.int64), np.array([1, 2]))
    assert (places.tolist(), places.dtype.str, found.tolist(), found.dtype.str) == (
        [0, 0],
        "<i8",
        [False, False],
        "|b1",
    )
