"""Names of regions and sizes: compared, shown and chosen."""

from __future__ import annotations

import pytest

from spotlake.names import (
    casing,
    is_collected_region,
    is_spot_eligible,
    join_key,
    plain_field,
    printable,
    region_key,
    regions_to_collect,
    split_tier,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a b", "a b"), ("a\n\tb\x1b\x7f", "a  b  "), ("KR 서울", "KR 서울"), ("a\u200bb\u2028", "a b "), ("", "")],
)
def test_control_characters_become_blanks(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "field"),
    [
        *((f"{mark}1", f"'{mark}1") for mark in ("=", "+", "-", "@", "\t", "\r")),
        ("1=1", "1=1"), ("", ""), ("'=1", "'=1"), (" =1", " =1"), ("US East", "US East"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_takes_for_a_formula_gets_an_apostrophe(text: str, field: str) -> None:
    assert plain_field(text) == field


def test_names_are_compared_without_case_and_blanks_around() -> None:
    assert join_key("  Standard_D2s_v5\t") == "standard_d2s_v5"
    assert region_key(" West  Europe\t2 ") == "westeurope2"
    assert region_key("KoreaCentral") == "koreacentral"


def test_casing_in_files() -> None:
    assert casing("lower")(" Standard_D2 ") == " standard_d2 "
    assert casing("source")(" Standard_D2 ") == casing("")(" Standard_D2 ") == "Standard_D2"


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        ("Standard_NC24ads_A100_v4", ("Standard", "NC24ads_A100_v4")),
        ("Basic_A1", ("Basic", "A1")),
        ("Standard", ("Standard", "")),
        ("_A", ("", "A")),
    ],
)
def test_tier_and_size(size: str, parts: tuple[str, str]) -> None:
    assert split_tier(size) == parts


@pytest.mark.parametrize(
    ("code", "is_collected"),
    [
        ("a", True),
        ("a" * 60, True),
        ("a" * 61, False),
        ("2east", False),
        ("eastUS", False),
        ("east-us", False),
        ("eastus2", True),
        ("attica", True),  # of "att" the edge zones alone, which end in a number
        ("attatlanta1", False),
        ("eastusfre", False),
        ("freeast", True),
        ("stageeast", True),
        ("chinaeast", False),
        ("indochina", True),
    ],
)
def test_public_commercial_regions_are_collected(code: str, is_collected: bool) -> None:
    assert is_collected_region(code) is is_collected


def test_all_regions_are_the_listed_public_ones_and_the_one_that_sells_unlisted() -> None:
    listed = ["West US", "eastus", "westus", "usgovvirginia", "SwedenSouth", ""]
    assert regions_to_collect(listed) == ("eastus", "swedensouth", "westus")
    assert regions_to_collect([]) == ("swedensouth",)


@pytest.mark.parametrize(
    ("size", "can_be_spot"),
    [
        ("Standard_D2s_v5", True),
        (" standard_d2s_v5", True),
        ("Standard_B2ms", False),
        ("standard_b1s", False),
        ("Standard_Bx2", True),
        ("Standard_D2_v2_Promo", False),
        ("standard_d2_v2_promo", False),
        ("Standard_Promo_D2", True),
        ("Basic_A1", False),
        ("D2s_v5", False),
        ("", False),
    ],
)
def test_sizes_that_can_be_spot(size: str, can_be_spot: bool) -> None:
    assert is_spot_eligible(size) is can_be_spot
