"""Names of regions and sizes: which ones are collected, and how they and other texts are compared and shown (pure).

The three APIs spell a size differently (``Standard_D2s_v5``, ``standard_d2s_v5``, with trailing blanks). Rows are
joined on ``join_key``, and stored in the ARM casing of the price list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

# Sizes that can never be spot: B series and promo sizes (Microsoft Learn "Use Azure Spot VMs", limitations;
# facts of 2026-11), and whatever is no VM size at all (dedicated hosts, Basic tier, placeholders).
_B_SERIES = re.compile(r"Standard_B\d", re.IGNORECASE)
_PROMO = re.compile(r"_Promo$", re.IGNORECASE)
# Not public commercial regions: Government and DoD, China, sovereign partners (Bleu in France, Delos in Germany), edge
# zones, and stages of new code or of new regions (names seen in lists of 2025 and 2026).
_NOT_COLLECTED = re.compile(
    r"^(usgov|usdod|usnat|ussec|china|bleu|delos|att[a-z]+\d|sgx|ezecustomer)|(stage|euap|stg|slv|fre)$"
)
# Regions that sell (757 sizes have prices) though no subscription's list of locations has them (2026-06).
SOLD_UNLISTED = ("swedensouth",)
_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_ARM_CODE = re.compile(r"[a-z][a-z0-9]{0,59}")  # the longest in use has 18 characters; it becomes part of keys


def join_key(instance_type: str) -> str:
    """The key that all spellings of one size share.

    >>> join_key("Standard_NM16ads_MA35D  ") == join_key("standard_nm16ads_ma35d")
    True
    """
    return instance_type.strip().lower()


def printable(text: str) -> str:
    r"""Text of others, fit for one line of a log or a terminal: a blank in the place of each control character.

    >>> printable("HTTP 400\n\x1b]52;c")
    'HTTP 400  ]52;c'
    """
    return "".join(one if one.isprintable() else " " for one in text)


def region_key(name: str) -> str:
    """The ARM code of a region's name. Lists have spelt one region ``WestEurope`` and ``West Europe``.

    >>> region_key("West Europe ")
    'westeurope'
    """
    return "".join(name.lower().split())


def plain_field(text: str) -> str:
    """Text for a field of a file: what a spreadsheet would take for a formula gets an apostrophe.

    >>> plain_field("=1+1"), plain_field("US East")
    ("'=1+1", 'US East')
    """
    return f"'{text}" if text.startswith(_OF_FORMULAS) else text


def casing(name: str) -> Callable[[str], str]:
    """How names are cased in files: "lower", or else as the source spells them; see ``Settings.name_casing``."""
    return str.lower if name == "lower" else str.strip


def split_tier(instance_type: str) -> tuple[str, str]:
    """Tier and size: the parts before and after the first underscore.

    >>> split_tier("Standard_NC24ads_A100_v4")
    ('Standard', 'NC24ads_A100_v4')
    """
    tier, _, size = instance_type.partition("_")
    return tier, size


def is_collected_region(code: str) -> bool:
    """Whether an ARM region code is a public commercial region.

    >>> [is_collected_region(code) for code in ("koreacentral", "usgovvirginia", "attatlanta1", "eastus2stage", "")]
    [True, False, False, False, False]
    """
    return bool(_ARM_CODE.fullmatch(code)) and not _NOT_COLLECTED.search(code)


def regions_to_collect(listed: Iterable[str]) -> tuple[str, ...]:
    """Regions that a run over all regions collects: listed public regions, and regions that sell without being listed.

    >>> regions_to_collect(["westus", "bleufrancesouth"])
    ('swedensouth', 'westus')
    """
    return tuple(sorted({*SOLD_UNLISTED, *filter(is_collected_region, map(region_key, listed))}))


def is_spot_eligible(instance_type: str) -> bool:
    """Whether a size can be spot at all.

    >>> [is_spot_eligible(size) for size in ("Standard_D2s_v5", "Standard_B2ms", "Basic_A1", "Standard_D2_v2_Promo")]
    [True, False, False, False]
    """
    return (
        join_key(instance_type).startswith("standard_")
        and not _B_SERIES.match(instance_type)
        and not _PROMO.search(instance_type)
    )
