"""What the simulated sizes have (pure): vCPUs, memory, GPUs, processor, family of quota, retirement.

vCPUs and GPUs are those of Microsoft's pages of the series, as far as a name and the tables below give them. Memory is
real for the A, B, D, E, F, G and L series and old sizes with GPUs; for other series it is **synthetic**, the ratio of
a typical size. A test compares all of them with captured and documented facts (tests/data/size-facts.csv).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

_DIGITS = re.compile(r"[A-Za-z]+(\d+)([a-z]*)(?:-(\d+))?([a-z]*)")
# Sizes that count machines instead of vCPUs.
_OLD = {
    "A0": 1, "A1": 1, "A2": 2, "A3": 4, "A4": 8, "A5": 2, "A6": 4, "A7": 8, "A8": 8, "A9": 16, "A10": 8, "A11": 16,
    "D1": 1, "D2": 2, "D3": 4, "D4": 8, "D5": 16, "D11": 2, "D12": 4, "D13": 8, "D14": 16, "D15": 20,
    "G1": 2, "G2": 4, "G3": 8, "G4": 16, "G5": 32,
}  # fmt: skip
_OLD_MEMORY = {
    "A0": 0.75, "A1": 1.75, "A2": 3.5, "A3": 7.0, "A4": 14.0, "A5": 14.0, "A6": 28.0, "A7": 56.0, "A8": 56.0,
    "A9": 112.0, "A10": 56.0, "A11": 112.0,
}  # fmt: skip
_MEMORY = {
    "B1ls": 0.5, "B1s": 1.0, "B1ms": 2.0, "B2s": 4.0, "B2ts_v2": 1.0, "B2ats_v2": 1.0, "B2pts_v2": 1.0,
    "E64_v3": 432.0, "E64s_v3": 432.0, "E64i_v3": 432.0, "E64is_v3": 432.0, "E64-16s_v3": 432.0, "E64-32s_v3": 432.0,
    "ND96isr_H100_v5": 1900.0, "ND96asr_v4": 900.0, "NC24ads_A100_v4": 220.0, "M208ms_v2": 5700.0,
    "HB120rs_v3": 456.0, "M64ms": 1792.0, "M128ms": 3892.0,
}  # fmt: skip
# GiB of memory for a vCPU, by the letters of the family; "l", "m" and "t" change it.
_RATIOS = {
    "A": 2.0, "B": 4.0, "D": 4.0, "DC": 4.0, "DS": 3.5, "E": 8.0, "EC": 8.0, "F": 2.0, "FX": 21.0, "G": 14.0,
    "GS": 14.0, "H": 7.0, "HB": 3.8, "HC": 8.0, "HX": 8.0, "L": 8.0, "M": 16.0, "NP": 16.8, "PB": 16.8,
}  # fmt: skip
# The same for sizes with GPUs, by the beginning of the size; the first that fits counts.
_GPU_RATIOS = (
    ("NC.*_T4_", 7.0), (r"NC\d+r?$|NV\d+$|NV.*s_v3", 56 / 6), (r"N[CD]\d+r?s(_v[23])?$", 112 / 6),
    ("NV.*as_v4", 3.5), ("N", 9.0), ("", 8.0),
)  # fmt: skip
# vCPUs for one GPU, by the beginning of the size; the first that fits counts.
_VCPUS_A_GPU = (
    ("NC16as_T4", 16), ("NC64as_T4", 16), ("NC8as_T4", 8), ("NC4as_T4", 4), (r"NC\d+ads_A100", 24), ("NC.*_A10_", 16),
    ("NC.*_H100", 40), (r"NC\d+l?ds_xl", 128), ("NCC", 40), ("ND40", 5), ("ND96", 12), ("ND128", 32), ("ND", 6),
    (r"NC\d+r?s?(_v[23])?$", 6), (r"NV\d+s_v3", 12), (r"NV\d+(s_v2)?$", 6), ("NV.*_A10", 36),
    ("NV.*as_v4", 32), ("NV.*_V710", 28),
)  # fmt: skip
_RETIRED = (("D", ""), ("DS", ""), ("D", "v2"), ("DS", "v2"), ("L", ""), ("F", ""), ("G", ""), ("GS", ""), ("A", "v2"))


@dataclass(frozen=True)
class Machine:
    """A machine; ``gpus`` is None where the simulated API leaves the capability out although there is a GPU."""

    vcpus: int
    full_vcpus: int
    memory_gib: float
    gpus: int | None
    architecture: str
    quota_family: str
    retirement: str


@cache
def machine_of(size: str) -> Machine | None:
    """The machine of a size; None for what is no virtual machine (hosts, placeholders)."""
    tier, _, rest = size.removesuffix("_Promo").partition("_")
    found = _DIGITS.match(rest)
    if tier not in ("Standard", "Basic") or found is None:
        return None
    number, features, constrained, more = found.groups()
    letters, version = rest[: found.start(1)], rest.rpartition("_")[2] if "_v" in rest else ""
    features += more
    legacy = letters in ("A", "D", "DS", "G", "GS") and version in ("", "v2") and (letters, version) != ("A", "v2")
    full = _OLD[letters[0] + number] if legacy else int(number)
    gpus = _gpus(rest, full) if letters.startswith("N") and letters not in ("NP", "NM") else 0
    return Machine(
        vcpus=int(constrained or full),
        full_vcpus=full,
        memory_gib=_memory(rest, letters, number, features, full, legacy=legacy),
        gpus=gpus,
        architecture="Arm64" if ("p" in features and letters in ("B", "D", "E")) or "_GB" in rest else "x64",
        quota_family=f"standard{letters}{features.upper()}{version}Family",
        retirement="05/01/2028" if (letters, version) in _RETIRED else "01/01/9999" if version == "v7" else "",
    )


def _memory(rest: str, letters: str, number: str, features: str, full: int, *, legacy: bool) -> float:
    if legacy and letters == "A":
        return _OLD_MEMORY["A" + number]
    if legacy and letters in ("D", "DS"):
        return full * (7.0 if int(number) > 10 else 3.5)
    whole = re.sub(r"-\d+", "", rest)
    if (exact := _MEMORY.get(rest) or _MEMORY.get(whole)) is not None:
        return exact
    ratio = _RATIOS.get(letters) or next(ratio for beginning, ratio in _GPU_RATIOS if re.match(beginning, rest))
    if letters == "H" and "m" in features:
        ratio = 14.0
    if letters in ("B", "D", "F") and "l" in features:
        ratio = 2.0
    if letters == "F" and rest.endswith(("_v6", "_v7")):
        ratio = 2.0 if "l" in features else 8.0 if "m" in features else 4.0
    if (letters, features) == ("A", "m"):
        ratio = 8.0
    return full * ratio


def _gpus(rest: str, vcpus: int) -> int | None:
    for beginning, each in _VCPUS_A_GPU:
        if re.match(beginning, rest):
            return max(1, vcpus // each)  # a share of a GPU counts as one (skypilot#3708)
    return None
