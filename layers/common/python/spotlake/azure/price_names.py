"""Reads the names in a row of the price list: product, SKU and meter, in every known spelling (pure).

The list spells one thing in many ways: ``Easv5 Series Cloud Services`` and ``Easv5 Series CloudServices``,
``Srs Win``, ``-series Windows``, no "Series" at all. Names are compared in lower case, with hyphens and
underscores as blanks. A name counts as a machine's only if a rule knows it; every other name is ``UNKNOWN`` and never
gives a price.

Source: captures of five regions of 2026-08-22 (github.com/andy-diericks/azure-pricing-radar, MIT), and product
names that cost reports of 2025 and 2026 hold for eastus and other regions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

_BREAKS = re.compile(r"[\s_\-/,()]+")
# A family, without blanks: "easv5", "dcadsccv5", "ncadsa100v4", "ndmi300xv5", "ncdsxlrtx6kv6", "a".
_FAMILY = re.compile(r"[a-z]{1,14}\d{1,4}[a-z]{0,3}v\d{1,2}|[a-z]{1,8}\d{1,4}[a-z]?|[a-z]{1,6}")
# Words allowed between family and "Series"; they distinguish sizes of one family by memory.
_MEMORY = re.compile(r"(?:very)?(?:high|medium)mem(?:ory)?$")
_USUAL_SIZE = re.compile(r"[A-Za-z]+[0-9][A-Za-z0-9]*(?:[ -][A-Za-z0-9]+)*")
_SIZE = re.compile(r"(?:standard|basic)_[a-z]{1,4}[0-9][a-z0-9_-]{0,60}")
_HOST_SIZE = re.compile(r"[_\s-]type\s?\d+$")
_SERIES = "series"
_MACHINES = "virtualmachines"
_USUAL_WORDS = ("virtual", "machines", _SERIES)
_USUAL_IN_NAMES = frozenset((*_USUAL_WORDS, "srs", "linux", "basic", "standard"))
_WINDOWS = re.compile(r"\bwin(?:dows)?\b|windows$", re.IGNORECASE)
_PLAIN_TAILS = frozenset({"", "linux", "basic", "basiclinux"})
_CACHED = 4096  # readings; a region has about 300 products and 1,000 sizes, and regions have most of them in common
_LONGEST = 100  # characters of a name that a reading is kept of; real ones have half as many


class Product(StrEnum):
    """Kinds of products, by name."""

    LINUX = "linux"
    WINDOWS = "windows"
    CLOUD_SERVICES = "cloud_services"
    DEDICATED_HOST = "dedicated_host"
    PROMO = "promo"
    UNKNOWN = "unknown"


class Meter(StrEnum):
    """Kinds of charges, by the names of SKU and meter."""

    PLAIN = "plain"
    SPOT = "spot"
    LOW_PRIORITY = "low_priority"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


_KINDS = {
    "spot": Meter.SPOT,
    "lowpriority": Meter.LOW_PRIORITY,
    **{f"{before}expired": Meter.EXPIRED for before in ("", "spot", "lowpriority")},
}


@dataclass(frozen=True)
class ProductName:
    """A product's name, understood.

    Attributes:
        kind: Kind of the product.
        family: Family of sizes in lower case, without blanks; for LINUX and PROMO only.
        extra_words: Number of words besides "Virtual Machines <family> Series". Of two products the one with fewer
            extra words is plainer.
        rejected: Name of the rule that rejects rows of this product, if its kind alone does.
    """

    kind: Product
    family: str = ""
    extra_words: int = 0
    rejected: str | None = None


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in lower case. Hyphens, underscores and slashes separate words as blanks do.

    >>> words_of("Virtual Machines Ebsv6-Series  Linux")
    ('virtual', 'machines', 'ebsv6', 'series', 'linux')
    """
    return tuple(word for word in _BREAKS.split(name.lower()) if word)


def read_product(name: str) -> ProductName:
    """Read a product's name. Rows repeat names, so readings are kept.

    >>> [read_product(name).kind.value for name in ("Easv5 Series CloudServices", "Virtual Machines Dsv5 Series")]
    ['cloud_services', 'linux']
    >>> read_product("Virtual Machines Easv5 Batch Series").kind.value
    'unknown'
    """
    return _known_product(name) if len(name) <= _LONGEST else _product(name)


def _product(name: str) -> ProductName:
    words = tuple(_SERIES if word == "srs" else word for word in words_of(name))
    joined = "".join(words)
    if "cloudservice" in joined:
        return _rejected(Product.CLOUD_SERVICES)  # size and meter names as the machine's, at the Windows price
    if "dedicatedhost" in joined:
        return _rejected(Product.DEDICATED_HOST)
    if "windows" in joined or "win" in words:
        return _rejected(Product.WINDOWS)
    return _machine(words, joined)


_known_product = lru_cache(maxsize=_CACHED)(_product)


def _rejected(kind: Product) -> ProductName:
    return ProductName(kind, rejected=kind.value)


def _machine(words: tuple[str, ...], joined: str) -> ProductName:
    """``[Virtual Machines] family [... Memory] [Promo] [Series] [Linux | Basic]``, and nothing else."""
    rest = joined.removeprefix(_MACHINES)
    head, *tails = rest.split(_SERIES)
    if len(tails) > 1 or (not tails and rest == joined):
        return ProductName(Product.UNKNOWN)  # "series" twice; or neither "Virtual Machines" nor "Series"
    tail = tails[0] if tails else ""
    promo = head.endswith("promo") or tail.endswith("promo")
    head, tail = head.removesuffix("promo"), tail.removesuffix("promo")
    family = _MEMORY.sub("", head)
    if not _FAMILY.fullmatch(family) or tail not in _PLAIN_TAILS:
        return ProductName(Product.UNKNOWN)
    extra = sum(word not in _USUAL_WORDS for word in words) - 1 + sum(word not in words for word in _USUAL_WORDS)
    return ProductName(Product.PROMO if promo else Product.LINUX, family, extra)


def read_meter(sku_name: str, meter_name: str, instance_type: str) -> Meter:
    """Kind of the charge, by the words after the size in either name.

    The two need not agree: expired meters have a plain SKU name ("DS4 v2", "DS4 v2 - Expired").

    Args:
        sku_name: ``skuName``.
        meter_name: ``meterName``; may name two sizes ("D14 v2/DS14 v2 Spot").
        instance_type: ``armSkuName``. Words of the size itself ("NDR", "flex") name no kind.

    >>> read_meter("D2s v3 Spot", "D2s v3 Spot", "Standard_D2s_v3").value
    'spot'
    >>> read_meter("E4as v5 Spot Plus", "E4as v5 Spot Plus", "Standard_E4as_v5").value
    'unknown'
    """
    usual = _usual_names(instance_type) if len(instance_type) <= _LONGEST else {}
    kind = usual.get(sku_name)
    if kind is not None and (sku_name == meter_name or usual.get(meter_name) is kind):
        return kind  # so nearly all rows
    size = frozenset(words_of(instance_type))
    said = {_kind_of(name, size) for name in {sku_name, meter_name}} - {Meter.PLAIN}
    if len(said) < 2:
        return said.pop() if said else Meter.PLAIN
    return Meter.EXPIRED if said == {Meter.EXPIRED, Meter.SPOT} else Meter.UNKNOWN


@lru_cache(maxsize=_CACHED)
def _usual_names(instance_type: str) -> Mapping[str, Meter]:
    """Names that a size's meters usually have, with their kinds; empty where a word of a kind is one of the size.

    >>> [(name, kind.value) for name, kind in _usual_names("Standard_D2s_v3").items() if name.startswith("D")]
    [('D2s v3', 'plain'), ('D2s v3 Spot', 'spot'), ('D2s v3 Low Priority', 'low_priority')]
    """
    full = instance_type.strip()
    plain = full.removeprefix("Standard_").replace("_", " ")
    if not _USUAL_SIZE.fullmatch(plain) or any(word in plain.lower() for word in ("spot", "low", "priority")):
        return {}
    kinds = (("", Meter.PLAIN), (" Spot", Meter.SPOT), (" Low Priority", Meter.LOW_PRIORITY))
    return {name + suffix: kind for name in (plain, full) for suffix, kind in kinds}


def letter_of_family(size: str) -> str | None:
    """The first letter of a size's family; None for what is no size of a machine.

    Args:
        size: ``join_key`` of ``armSkuName``.

    >>> letter_of_family("standard_d2s_v5"), letter_of_family("easv5_type1"), letter_of_family("")
    ('d', None, None)
    """
    return _known_letter(size) if len(size) <= _LONGEST else None


@lru_cache(maxsize=_CACHED)
def _known_letter(size: str) -> str | None:
    return None if not _SIZE.fullmatch(size) or _HOST_SIZE.search(size) else size.partition("_")[2][:1]


def words_of_kind(product_name: str, sku_name: str, meter_name: str, instance_type: str) -> str:
    """What tells one unknown kind of row from another, whatever the size: the words that make it unknown.

    >>> words_of_kind("Virtual Machines Easv5 Series", "E4as v5 Spot Plus", "E4as v5 Spot Plus", "Standard_E4as_v5")
    'plus spot'
    >>> words_of_kind("Virtual Machines Easv5 Batch Series", "E4as v5", "E4as v5", "Standard_E4as_v5")
    'batch'
    """
    size = frozenset(words_of(instance_type))
    found = {word for name in (sku_name, meter_name) for word in words_of(name)[_end_of_size(words_of(name), size) :]}
    if read_product(product_name).kind is Product.UNKNOWN:
        found |= {*words_of(product_name)} - _USUAL_IN_NAMES
    return " ".join(sorted(word for word in found if "spot" in word or not any(map(str.isdigit, word))))


def without_windows(product_name: str) -> str:
    """The name of the Linux product that a Windows one stands beside.

    >>> without_windows("Virtual Machines Easv5 Series Windows")
    'Virtual Machines Easv5 Series '
    """
    return _WINDOWS.sub("", product_name)


def _is_of_size(word: str, size: frozenset[str]) -> bool:
    return word in size or word in ("standard", "basic") or any(map(str.isdigit, word))


def _end_of_size(words: tuple[str, ...], size: frozenset[str]) -> int:
    return next((number for number, word in enumerate(words) if not _is_of_size(word, size)), len(words))


def _kind_of(name: str, size: frozenset[str]) -> Meter:
    words = words_of(name)
    ends_at = _end_of_size(words, size)
    tail = "".join(words[ends_at:])
    if ends_at == 0 or any(_is_of_size(word, size) for word in words[ends_at:]):
        return Meter.UNKNOWN  # no size at all, or something after the words of the kind
    if not tail:
        # "Spot2" has a digit. A name that contains "spot" without being the known word is no machine's price.
        return Meter.UNKNOWN if any(part in "".join(words) for part in ("spot", "priority")) else Meter.PLAIN
    return _KINDS.get(tail, Meter.UNKNOWN)
