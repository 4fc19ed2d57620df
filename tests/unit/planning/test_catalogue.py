from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake.names import is_collected_region
from spotlake.planning.catalogue import Catalogue, fold_listing, pairs_of
from spotlake.state.catalogue import change_catalogue, read_catalogue
from spotlake.stores.objects import MemoryObjects

DAY = date(2026, 11, 23)
NAMES = {"koreacentral": "KR Central", "eastus": "US East"}
A, B, C = "Standard_D2s_v3", "Standard_D4s_v3", "Standard_E2s_v5"


def folded(*days: tuple[int, dict[str, list[str]]], keep_days: int = 3) -> Catalogue:
    catalogue = Catalogue()
    for after, listing in days:
        catalogue = fold_listing(catalogue, DAY + timedelta(days=after), listing, NAMES, keep_days=keep_days)
    return catalogue


def test_a_pair_that_a_listing_lost_stays_for_some_days() -> None:
    for after, sizes in ((1, (A, B)), (3, (A, B)), (4, (A,))):
        catalogue = folded((0, {"eastus": [A, B]}), *((day, {"eastus": [A]}) for day in range(1, after + 1)))
        assert pairs_of(catalogue) == {"eastus": sizes}, after


def test_days_without_a_listing_make_no_pair_older() -> None:
    assert pairs_of(folded((0, {"eastus": [A, B]}), (30, {"eastus": [A]}))) == {"eastus": (A, B)}


def test_a_region_that_is_believed_to_have_closed_leaves_after_some_days() -> None:
    closed = [(day, {"eastus": list[str]()}) for day in range(1, 5)]
    assert pairs_of(folded((0, {"eastus": [A]}), *closed[:3])) == {"eastus": (A,)}
    assert pairs_of(folded((0, {"eastus": [A]}), *closed)) == {}


def test_a_closed_region_is_listed_as_long_as_its_pairs_are_not_retired() -> None:
    catalogue, none = folded((0, {"eastus": [A]})), list[str]()
    for after in range(1, 16):
        day = DAY + timedelta(days=after)
        catalogue = fold_listing(catalogue, day, {"eastus": none}, NAMES, keep_days=3, keep_closed_days=14)
        assert pairs_of(catalogue) == ({"eastus": (A,)} if after < 15 else {}), after


def test_each_pair_has_the_day_it_was_last_seen() -> None:
    catalogue = folded((0, {"eastus": [A, B]}), (1, {"eastus": [A]}))
    assert catalogue.pairs["eastus"] == {A: "2026-11-24", B: "2026-11-23"}
    assert (catalogue.listed, catalogue.names["eastus"]) == ({"eastus": ("2026-11-23", "2026-11-24")}, "US East")


def test_a_region_without_a_listing_stays_as_it_was() -> None:
    before = folded((0, {"eastus": [A, B], "koreacentral": [C]}))
    after = fold_listing(before, DAY + timedelta(days=30), {}, NAMES, keep_days=3)
    assert after == before


def test_some_regions_of_it() -> None:
    catalogue = folded((0, {"eastus": [A], "koreacentral": [C]}))
    assert pairs_of(catalogue, ["koreacentral", "atlantis"]) == {"koreacentral": (C,)}


listings = st.dictionaries(st.sampled_from(list(NAMES)), st.lists(st.sampled_from([A, B, C])), max_size=2)


@given(st.lists(listings, max_size=6), st.integers(0, 3))
def test_folding_a_day_twice_changes_nothing_and_what_is_listed_is_in(
    days: list[dict[str, list[str]]], keep_days: int
) -> None:
    catalogue = folded(*enumerate(days), keep_days=keep_days)
    if days:
        last = DAY + timedelta(days=len(days) - 1)
        assert fold_listing(catalogue, last, days[-1], NAMES, keep_days=keep_days) == catalogue
        for region, sizes in days[-1].items():
            assert set(sizes) <= set(catalogue.pairs.get(region, {}))


def test_it_is_stored_and_read_again() -> None:
    objects, catalogue = MemoryObjects(), folded((0, {"eastus": [A]}))
    assert read_catalogue(objects) == Catalogue()
    change_catalogue(objects, lambda _: catalogue)
    assert read_catalogue(objects) == catalogue


@pytest.mark.parametrize(
    ("code", "collected"),
    [
        *((code, True) for code in ("koreacentral", "eastus2", "australiacentral2", "germanywestcentral")),
        *((code, False) for code in ("usgovvirginia", "usgovarizona", "usdodeast", "usnateast", "ussecwest")),
        *((code, False) for code in ("chinaeast2", "chinanorth3", "attatlanta1", "attdallas1", "sgxsingapore1")),
        *((code, False) for code in ("eastusstage", "eastus2euap", "centraluseuap", "southcentralusstg", "")),
        # Names of lists of 2025 and 2026 that no table of ours has.
        *(
            (code, True)
            for code in ("taiwannorth", "taiwannorthwest", "indiasouthcentral", "israelnorthwest", "eastus3")
        ),
        *((code, True) for code in ("southeastus", "southeastus3", "southeastus5", "southwestus", "southcentralus2")),
        *(
            (code, True)
            for code in ("northeastus5", "saudiarabiaeast", "southeastasia3", "northeurope3", "denmarkeast")
        ),
        *((code, True) for code in ("malaysiasouth", "singaporecentral", "singaporenorth", "swedensouth")),
        *((code, False) for code in ("bleufrancecentral", "bleufrancesouth", "deloscloudgermanycentral")),
        *((code, False) for code in ("deloscloudgermanynorth", "eastusslv", "westcentralusfre", "usseceast")),
        *((code, False) for code in ("ezecustomerlabboston1", "uksouthstage", "attnewyork1")),
        *((code, False) for code in ("KR Central", "East US", "eastus'")),
    ],
)
def test_public_commercial_regions_only(code: str, collected: bool) -> None:
    assert is_collected_region(code) is collected


@pytest.mark.parametrize("listings", [1, 2])
def test_a_size_that_two_regions_spell_differently_is_one_size(listings: int) -> None:
    both = {"eastus": [A], "koreacentral": [A.upper(), B]}
    days = [(0, both)] if listings == 1 else [(0, {"eastus": [A]}), (1, {"koreacentral": [A.upper(), B]})]
    catalogue = folded(*days)
    assert pairs_of(catalogue) == {"eastus": (A,), "koreacentral": (A, B)}


def test_a_size_that_one_region_spells_otherwise_from_now_on_is_no_second_pair() -> None:
    catalogue = folded((0, {"eastus": [A]}), (1, {"eastus": [A.lower()]}))
    assert catalogue.pairs == {"eastus": {A: (DAY + timedelta(days=1)).isoformat()}}


def test_a_stored_catalogue_with_two_spellings_is_mended_by_the_next_listing() -> None:
    stored = Catalogue(pairs={"eastus": {A: "2026-11-22"}, "koreacentral": {A.upper(): "2026-11-22"}})
    mended = fold_listing(stored, DAY, {"eastus": [A]}, NAMES, keep_days=3)
    assert pairs_of(mended) == {"eastus": (A,), "koreacentral": (A,)}
