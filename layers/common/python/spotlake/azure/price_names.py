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
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

_BREAKS = re.compile(r"[\s_\-/,()]+")
# A family, without blanks: "easv5", "dcadsccv5", "ncadsa100v4", "ndmi300xv5", "ncdsxlrtx6kv6", "a".
_FAMILY = re.compile(r"[a-z]{1,14}\d{1,4}[a-z]{0,3}v\d{1,2}|[a-z]{1,8}\d{1,4}[a-z]?|[a-z]{1,6}")
# Words allowed between family and "Series"; they distinguish sizes of one family by memory.
_MEMORY = re.compile(r"(?:very)?(?:high|medium)mem(?:ory)?$")
_SERIES = "series"
_MACHINES = "virtualmachines"
_USUAL_WORDS = ("virtual", "machines", _SERIES)
_USUAL_IN_NAMES = frozenset((*_USUAL_WORDS, "srs", "linux", "basic", "standard"))
_WINDOWS = re.compile(r"\bwin(?:dows)?\b|windows$", re.IGNORECASE)
_PLAIN_TAILS = frozenset({"", "linux", "basic", "basiclinux"})
_CACHED = 1024  # a region has about 300 products


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
    """

    kind: Product
    family: str = ""
    extra_words: int = 0


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in lower case. Hyphens, underscores and slashes separate words as blanks do.

    >>> words_of("Virtual Machines Ebsv6-Series  Linux")
    ('virtual', 'machines', 'ebsv6', 'series', 'linux')
    """
    return tuple(word for word in _BREAKS.split(name.lower()) if word)


@lru_cache(maxsize=_CACHED)
def read_product(name: str) -> ProductName:
    """Read a product's name.

    >>> [read_product(name).kind.value for name in ("Easv5 Series CloudServices", "Virtual Machines Dsv5 Series")]
    ['cloud_services', 'linux']
    >>> read_product("Virtual Machines Easv5 Batch Series").kind.value
    'unknown'
    """
    words = tuple(_SERIES if word == "srs" else word for word in words_of(name))
    joined = "".join(words)
    if "cloudservice" in joined:
        return ProductName(Product.CLOUD_SERVICES)  # size and meter names as the machine's, at the Windows price
    if "dedicatedhost" in joined:
        return ProductName(Product.DEDICATED_HOST)
    if "windows" in joined or "win" in words:
        return ProductName(Product.WINDOWS)
    return _machine(words, joined)


def _machine(words: tuple[str, ...], joined: str) -> ProductName:
    """``[Virtual Machines] family [... Memory] [Promo] [Series] [Linux | Basic]``, and nothing else."""
    rest = joined.removeprefix(_MACHINES)
    head, *tails = rest.split(_SERIES)
    if len(tails) > 1 or (not tails and rest == joined):
        return ProductName(Product.UNKNOWN)  # "series" twice; or neither "Virtual Machines" nor "Series"
    tail = tails[0] if tails else ""
    promo = "promo" in (head[-5:], tail[-5:])
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
    size = frozenset(words_of(instance_type))
    said = {_kind_of(name, size) for name in {sku_name, meter_name}} - {Meter.PLAIN}
    if len(said) < 2:
        return said.pop() if said else Meter.PLAIN
    return Meter.EXPIRED if said == {Meter.EXPIRED, Meter.SPOT} else Meter.UNKNOWN


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
