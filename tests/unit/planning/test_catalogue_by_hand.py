"""The catalogue after a listing, whole and by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

import pytest

from spotlake.planning.catalogue import Catalogue, fold_listing, pairs_of

DAY = date(2026, 11, 23)
YESTERDAY, TODAY, TOMORROW = "2026-11-22", "2026-11-23", "2026-11-24"
BEFORE = Catalogue(
    pairs={"west": {"B_2": YESTERDAY, "A_1": YESTERDAY}, "asia": {"A_1": YESTERDAY}},
    names={"west": "US West", "asia": "Asia"},
    listed={"west": (YESTERDAY,), "asia": ("2026-11-21", YESTERDAY)},
)


def folded(
    listing: Mapping[str, Iterable[str]], before: Catalogue = BEFORE, *, keep: int = 2, closed: int = 0
) -> Catalogue:
    return fold_listing(before, DAY, listing, {"east": "US East"}, keep_days=keep, keep_closed_days=closed)


def test_a_listing_is_added_to_what_is_known() -> None:
    found = folded({"west": ["C_3", "A_1"], "east": ["A_1"]})
    assert found == Catalogue(
        pairs={
            "asia": {"A_1": YESTERDAY},
            "east": {"A_1": TODAY},
            "west": {"A_1": TODAY, "B_2": YESTERDAY, "C_3": TODAY},
        },
        names={"west": "US West", "asia": "Asia", "east": "US East"},
        listed={"west": (YESTERDAY, TODAY), "asia": ("2026-11-21", YESTERDAY), "east": (TODAY,)},
    )
    assert list(found.pairs) == ["asia", "east", "west"]
    assert list(found.pairs["west"]) == ["A_1", "B_2", "C_3"]


def test_a_new_region_without_a_size_is_not_even_noted() -> None:
    found = folded({"mars": [], "east": ["A_1"]})
    assert set(found.pairs) == {"asia", "east", "west"}
    assert set(found.listed) == {"asia", "east", "west"}


def test_as_many_days_of_listings_are_noted_as_are_needed() -> None:
    days = ("2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21")
    before = Catalogue(pairs={"west": {"A_1": "2026-11-21"}}, listed={"west": days})
    assert folded({"west": ["A_1"]}, before, keep=2).listed["west"] == ("2026-11-20", "2026-11-21", TODAY)
    assert folded({"west": ["A_1"]}, before, keep=2, closed=3).listed["west"] == (*days[1:], TODAY)
    assert folded({"west": ["A_1"]}, before, keep=9, closed=3).listed["west"] == (*days, TODAY)
    late = Catalogue(pairs={"west": {"A_1": TOMORROW}}, listed={"west": (YESTERDAY, TOMORROW)})
    found = folded({"west": ["A_1", "B_2"]}, late)
    assert found.listed["west"] == (YESTERDAY, TODAY, TOMORROW)
    assert found.pairs["west"] == {"A_1": TOMORROW, "B_2": TODAY}  # a late listing moves no day back


@pytest.mark.parametrize(
    ("last", "keep", "closed", "is_open", "stays"),
    [
        # Listed on the 20th, 21st, 22nd and 23rd: a pair of the 21st was missing twice.
        ("2026-11-21", 2, 0, True, True),
        ("2026-11-20", 2, 0, True, False),
        ("2026-11-20", 3, 0, True, True),
        ("2026-11-20", 2, 3, True, False),  # of a region that sells, the closed ones' days do not count
        ("2026-11-20", 2, 3, False, True),
        ("2026-11-21", 1, 1, False, False),
        ("2026-11-20", 3, 1, False, True),  # the longer of the two
    ],
)
def test_an_unlisted_pair_stays_for_so_many_listings(
    last: str, keep: int, closed: int, is_open: bool, stays: bool
) -> None:
    before = Catalogue(
        pairs={"west": {"A_1": last}}, listed={"west": ("2026-11-20", "2026-11-21", "2026-11-22")}
    )  # fmt: skip
    found = folded({"west": ["B_2"] if is_open else []}, before, keep=keep, closed=closed)
    fresh = {"B_2": TODAY} if is_open else {}
    assert found.pairs == ({"west": {"A_1": last} | fresh} if stays else {"west": fresh} if fresh else {})


def test_a_closed_region_has_no_days_of_its_own_unless_they_are_given() -> None:
    found = fold_listing(BEFORE, DAY, {"west": []}, {}, keep_days=0)
    assert found.pairs == {"asia": {"A_1": YESTERDAY}}
    assert found.listed["west"] == (TODAY,)


def test_a_size_has_one_spelling_the_first_of_the_catalogue() -> None:
    before = Catalogue(
        pairs={
            "asia": {"Size_A": "2026-11-20"},
            "west": {"SIZE_A": YESTERDAY, "size_a": "2026-11-21", "size_B": YESTERDAY},
        }
    )
    found = folded({"east": ["sIZE_a", "SIZE_B", "Size_C", "size_c"], "west": ["SIZE_C"]}, before)
    assert found.pairs == {
        "asia": {"Size_A": "2026-11-20"},
        "east": {"Size_A": TODAY, "Size_C": TODAY, "size_B": TODAY},
        "west": {"Size_A": YESTERDAY, "Size_C": TODAY, "size_B": YESTERDAY},
    }


def test_pairs_of_all_regions_or_of_some() -> None:
    assert pairs_of(BEFORE) == {"west": ("B_2", "A_1"), "asia": ("A_1",)}
    assert pairs_of(BEFORE, ["asia", "mars"]) == {"asia": ("A_1",)}
    assert pairs_of(BEFORE, []) == {}
