"""Fields of the change history: values of a workload, and the times of these values (docs/history.md)."""

from __future__ import annotations

from typing import Final

import numpy as np

from spotlake.merge.columns import ZONES
from spotlake.merge.growing_columns import Column
from spotlake.models import DESIRED_COUNTS, NO_ZONE
from spotlake.scores.thresholds import UNKNOWN

# A zone's place is its code; files are sorted by the text, so the codes are too.
ZONE_NAMES: Final = tuple(sorted((*ZONES, NO_ZONE)))
NO_ZONE_CODE: Final = ZONE_NAMES.index(NO_ZONE)

PRICES: Final = {
    "spot_price_usd_per_hour": "spot",  # -> column of the merged state's pairs
    "ondemand_price_usd_per_hour": "ondemand",
    "interruption_frequency": "frequency",
}
SCORES: Final = tuple(f"score_{count}" for count in DESIRED_COUNTS)
THRESHOLDS: Final = ("t2", "t3")
TEXTS: Final = ("physical_zone", "region_name")
VALUES: Final = (*PRICES, *SCORES, *THRESHOLDS, *TEXTS)
TIMED: Final = (*PRICES, *SCORES)  # each has a time when it began and one when a source last confirmed it
BEGAN: Final = {name: f"{name}_began" for name in TIMED}
CONFIRMED: Final = {name: f"{name}_confirmed" for name in TIMED}
TIMES: Final = (*BEGAN.values(), *CONFIRMED.values())

# NumPy's type, and the value of "unknown". Texts are places in a block's texts; the first text is "". Times are slots.
_SCORE, _TEXT, _TIME = ("<i1", 0.0), ("<i4", 0.0), ("<u4", 0.0)
KINDS: Final[dict[str, tuple[str, float]]] = {
    "region": _TEXT,
    "instance_type": _TEXT,
    "zone": ("<i1", -1.0),
    "slot": _TIME,
    "live": ("|b1", 0.0),
    "spot_price_usd_per_hour": ("<f8", np.nan),
    "ondemand_price_usd_per_hour": ("<f8", np.nan),
    "interruption_frequency": ("<f4", np.nan),
    **dict.fromkeys(SCORES, _SCORE),
    **dict.fromkeys(THRESHOLDS, ("<i1", float(UNKNOWN))),
    **dict.fromkeys(TEXTS, _TEXT),
    **dict.fromkeys(TIMES, _TIME),
    "field": ("<i1", 0.0),
    "at": _TIME,
}
KEYS: Final = ("region", "instance_type", "zone")
TEXT_COLUMNS: Final = frozenset(name for name, kind in KINDS.items() if kind == _TEXT)
FRAME: Final = (*KEYS, *VALUES, *TIMES)
CHANGES: Final = (*KEYS, "slot", "live", *VALUES)
TIME_NOTES: Final = (*KEYS, "slot", "field", "at")


def is_known(name: str, values: Column) -> Column:
    """Mask of the values that are known."""
    kind, unknown = KINDS[name]
    return ~np.isnan(values) if kind.startswith("<f") else values != int(unknown)


def differs(name: str, one: Column, other: Column) -> Column:
    """Mask of the places where two columns differ. Two unknown values do not differ."""
    unequal: Column = one != other
    if KINDS[name][0].startswith("<f"):
        unequal &= ~(np.isnan(one) & np.isnan(other))
    return unequal
