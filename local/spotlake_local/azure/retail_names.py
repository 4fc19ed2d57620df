"""How the real list names products, SKUs and meters (pure): data of captures, never the rules that read them.

``data/product-names.csv`` holds the product of each family as captured on 2026-08-22 or as price sheets of 2025 and
2026 have it; families that neither has are named after the commonest pattern.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache

from spotlake_local.azure.world import DATA, chance

CLOUD_SERVICES_SINCE = "2026-01-01T00:00:00Z"  # of those in one word: later than the machine's own tier
_OTHER_CLOUD_SHARE = 0.05  # of the sizes whose family has no captured product of Cloud Services
_SPECIAL_USES = ("Promo", "SPECIAL", "ADHType1")
_DS_V2 = re.compile(r"DS(\d+)(-\d+)?_v2")
_TWO_NAMES = re.compile(r"([DEF])(\d+)(_v[2345])?")


@dataclass(frozen=True)
class Products:
    """The products of one family; "" = there is none."""

    linux: str
    windows: str
    cloud_services: str


def products_of(size: str, seed: object) -> Products:
    """The products under which a size (ARM casing) is sold."""
    if size.startswith("Basic_"):
        return Products("Virtual Machines A Series Basic", "Virtual Machines A Series Basic Windows", "")
    name = _family_name(size)
    known = _captured().get(name.replace(" ", "").lower())
    if known is None:
        # The commonest forms, in turn: most families have the first.
        drawn = chance("product-form", name)
        stem = f"Virtual Machines {name.replace(' ', '')}"
        series, tail = ("-Series", " Linux") if drawn < 0.1 else (" Series", " Linux" if drawn < 0.3 else "")
        known = Products(f"{stem}{series}{tail}", f"{stem}{series} Windows", "")
    if size.endswith("_Promo"):
        linux, windows = (one.replace(" Series", " promo Series") for one in (known.linux, known.windows))
        return Products(linux, windows, "")
    if not known.cloud_services and chance(seed, "cloud", size) < _OTHER_CLOUD_SHARE:
        words = "CloudServices" if chance(seed, "cloud-word", size) < 0.5 else "Cloud Services"
        return Products(known.linux, known.windows, f"{name.replace(' ', '')} Series {words}")
    return known


def host_product(size: str) -> str:
    """Of a host ("Dsv5_Type1"): in two words or in one."""
    family = re.split(r"[_\s-]*Type", size)[0].removeprefix("Standard_")
    return f"{family} Series {'DedicatedHost' if chance('host', family) < 0.4 else 'Dedicated Host'}"


def is_host(size: str) -> bool:
    """Whether the list's "size" is a whole host."""
    return "Type" in size and not size.startswith("Standard_")


def sku_name(size: str, drawn: float) -> str:
    """The SKU's name without its last words: with blanks, or (newer rows) as ARM writes it, a few in lower case."""
    short = size.removeprefix("Standard_").removeprefix("Basic_").replace("_", " ")
    if drawn < 0.38:
        return size
    return size.replace("Standard_", "standard_") if drawn < 0.4 else short


def meter_name(size: str, drawn: float) -> str:
    """The meter's name without its last words; it may name two sizes, or the parent of a constrained one."""
    core = size.removeprefix("Standard_").removeprefix("Basic_").removesuffix("_Promo")
    parent = _DS_V2.fullmatch(core)
    if parent:
        return f"D{parent[1]} v2/DS{parent[1]} v2" if drawn < 0.5 else f"DS{parent[1]} v2"
    two = _TWO_NAMES.fullmatch(core)
    if two and drawn < 0.7:
        letter, number, version = two[1], two[2], (two[3] or "").replace("_", " ")
        other = f"{letter}S{number}" if version == " v2" else f"{letter}{number}s"
        return f"{letter}{number}{version}/{other}{version}"
    if drawn > 0.93:
        return size
    return core.replace("_cc_", "cc ").replace("_", " ")


def _family_name(size: str) -> str:
    """Family as the list spells it, "NCads A100 v4" of Standard_NC24ads_A100_v4: without counts and special uses."""
    first, *rest = [part for part in size.split("_")[1:] if part not in _SPECIAL_USES] or [size]
    letters = re.sub(r"\d+", "", re.sub(r"-\d+", "", first))
    accelerators = [part for part in rest if not part.isdigit() and not re.fullmatch(r"v\d+", part)]
    version = "".join(part for part in rest if re.fullmatch(r"v\d+", part))
    plain = not accelerators or accelerators == ["cc"]
    return "".join([letters, *accelerators, version]) if plain else " ".join([letters, *accelerators, version]).strip()


@cache
def _captured() -> dict[str, Products]:
    with (DATA / "product-names.csv").open(encoding="utf-8") as file:
        return {
            row["family"]: Products(row["linux"], row["windows"], row["cloud_services"]) for row in csv.DictReader(file)
        }
