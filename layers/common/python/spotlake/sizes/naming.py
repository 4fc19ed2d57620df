"""Reads vCPUs, GPU, architecture and series from the ARM name of a size (pure).

Microsoft's rule (Learn, "Azure virtual machine sizes naming conventions"; read 2026-11): family, sub-families, number
of vCPUs, constrained vCPUs after a hyphen, additive features in lower case ("p" is Arm), accelerator, version. Sizes
from before the rule (A, D, DS, their version 2, G, GS) count their machines, not vCPUs; ``_LEGACY`` has their numbers
(Learn, "Previous generations"; github.com/kubernetes/autoscaler, azure_instance_types.go, 2018). Some M sizes have the
hyphen after the features, and then a number for their disks: ``Standard_M176ds-44_3_v3``.

A family that no rule knows gives nothing: not every number in a name is one of vCPUs (``Standard_SQLG7_NVME``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_NAME = re.compile(
    r"(?:Standard|Basic)_(?P<family>[A-Z]{1,4})(?P<number>\d{1,4})(?P<before>[a-z]*)(?:-(?P<usable>\d{1,4}))?"
    r"(?P<after>[a-z]*)(?P<rest>(?:_[A-Za-z0-9]+)*)",
    re.IGNORECASE,
)
_VERSION = re.compile(r"v\d{1,2}", re.IGNORECASE)
_FAMILIES = frozenset(
    "A B D DC DS E EC F FX G GS H HB HC HX L M NC NCC ND NG NM NP NV PB".split()  # seen in price lists until 2026-06
)
_WITHOUT_GPU = frozenset({"NM", "NP"})  # media accelerators (AMD Alveo MA35D) and FPGAs (Xilinx U250)
_A = {0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 2, 6: 4, 7: 8, 8: 8, 9: 16, 10: 8, 11: 16}
_D = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 11: 2, 12: 4, 13: 8, 14: 16, 15: 20}
_G = {1: 2, 2: 4, 3: 8, 4: 16, 5: 32}
# Family and version -> number in the name -> vCPUs.
_LEGACY = {
    ("A", ""): _A,
    **{(family, version): _D for family in ("D", "DS") for version in ("", "v2")},
    **{(family, ""): _G for family in ("G", "GS")},
}
_MARKS = frozenset({"promo", "special", "adhtype1"})  # the machine is the same as without
_GRACE = re.compile(r"GB\d+", re.IGNORECASE)  # NVIDIA Grace Blackwell: its processor is an Arm one
_CACHED = 4096


@dataclass(frozen=True, slots=True)
class SizeName:
    """What a name tells.

    Attributes:
        series: ``Edsv5``, ``NCads_A100_v4``.
        vcpus: Usable vCPUs.
        full_vcpus: vCPUs without the constraint.
        has_gpu: Whether the family has GPUs.
        architecture: "x64" or "Arm64".
    """

    series: str
    vcpus: int
    full_vcpus: int
    has_gpu: bool
    architecture: str


@lru_cache(maxsize=_CACHED)
def read_name(instance_type: str) -> SizeName | None:
    """Read a name in any casing; None if it is no size's name, or of a family that no rule knows.

    >>> read_name("Standard_M176ds-44_3_v3").vcpus, read_name("Standard_DS14-4_v2").full_vcpus
    (44, 16)
    """
    found = _NAME.fullmatch(instance_type.strip())
    if found is None:
        return None
    family, features = found["family"].upper(), (found["before"] + found["after"]).lower()
    words = [word for word in found["rest"].split("_")[1:] if word.lower() not in _MARKS]
    version = words.pop().lower() if words and _VERSION.fullmatch(words[-1]) else ""
    full = _full_vcpus(family, version, int(found["number"]))
    usable = int(found["usable"]) if found["usable"] else full
    if full is None or usable is None or not 0 < usable <= full:
        return None
    accelerator = [word for word in words if not word.isdecimal()]  # a number alone names the disks of an M size
    is_arm = ("p" in features and not family.startswith("N")) or any(map(_GRACE.fullmatch, accelerator))
    return SizeName(
        series="_".join([family + features, *accelerator, version]) if accelerator else family + features + version,
        vcpus=usable,
        full_vcpus=full,
        has_gpu=family.startswith("N") and family not in _WITHOUT_GPU,
        architecture="Arm64" if is_arm else "x64",
    )


def _full_vcpus(family: str, version: str, number: int) -> int | None:
    if family not in _FAMILIES:
        return None
    legacy = _LEGACY.get((family, version))
    return number if legacy is None else legacy.get(number)
