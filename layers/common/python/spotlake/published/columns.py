"""Every column of the published files: type, unit, meaning, and what stands for an unknown value (pure).

docs/data.md and docs/history.md say the same in words. Types are those of Table Schema (datapackage.org, read 2026-11).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from spotlake.history.fields import BEGAN, CONFIRMED, PRICES, SCORES, THRESHOLDS, TIMED
from spotlake.history.gaps import COLUMNS as GAP_COLUMNS

_USD, _PERCENT, _MACHINES = "USD per hour", "percent", "machines"
_SNAPSHOT_TIME: Final = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column.

    Attributes:
        name: Its name in the file.
        type: ``string``, ``number``, ``integer``, ``boolean`` or ``datetime``.
        what: Its meaning, in words.
        unit: Unit of a number; "" for none.
        unknown: Texts that stand for "unknown" in a file of text. In Parquet it is null.
        can_be_unknown: Whether a value may be unknown.
        form: Form of a time that is not ISO 8601; "" else.
    """

    name: str
    type: str
    what: str
    unit: str = ""
    unknown: tuple[str, ...] = ()
    can_be_unknown: bool = False
    form: str = ""


def _of(kind: str, what: str, *names: str, unit: str = "", unknown: str | None = None, form: str = "") -> list[Column]:
    """Columns that are alike; ``unknown`` None: the value is never unknown."""
    marks = () if unknown is None else (unknown,)
    one = Column(name="", type=kind, what=what, unit=unit, unknown=marks, can_be_unknown=unknown is not None, form=form)
    return [replace(one, name=name) for name in names]


_NAMES: Final = [
    *_of("string", "Tier of the size: Standard or Basic", "InstanceTier"),
    *_of("string", "Size without its tier: D2s_v3", "InstanceType"),
    *_of("string", "Billing name of the region: US East", "Region"),
]
_VALUES: Final = [
    *_of("number", "Linux price", "OndemandPrice", "SpotPrice", unit=_USD, unknown="-1"),
    *_of("number", "Spot price below on-demand price", "Savings", unit=_PERCENT, unknown="-1"),
    *_of("number", "3.0, 2.5, 2.0, 1.5, 1.0 for bands of 0-5, 5-10, 10-15, 15-20, 20+ percent", "IF", unknown="-1"),
    *_of("integer", "Number of machines that the score was asked for", "DesiredCount", unit=_MACHINES),
    *_of("string", "1, 2, 3 of the reference subscription; Single for a score of the region", "AvailabilityZone",
         unknown="N/A"),
    *_of("integer", "Last placement score at DesiredCount: 3, 2, 1 for high, medium, low", "Score", unknown="-1"),
    *_of("datetime", "The slot", "Time", form=_SNAPSHOT_TIME),
    *_of("integer", "Largest count that recently scored at least 2 (T2) or 3 (T3)", "T2", "T3", unit=_MACHINES,
         unknown="-1"),
]  # fmt: skip
_MORE: Final = [
    *_of("string", "ARM name", "RegionCode", "ArmSkuName"),
    *_of("string", "Physical zone: eastus-az2", "PhysicalZone", unknown="N/A"),
    *_of("datetime", "The slot in which the value began", "PriceTime", "IFTime", "ScoreTime", unknown="N/A",
         form=_SNAPSHOT_TIME),
    *_of("datetime", "The last slot in which a source confirmed the value", "PriceConfirmed", "IFConfirmed",
         "ScoreConfirmed", unknown="N/A", form=_SNAPSHOT_TIME),
]  # fmt: skip
SNAPSHOT: Final = (*_NAMES, *_VALUES, *_MORE)
_ROW_NUMBER: Final = _of("integer", "Number of the row, from 1", "id")
LATEST: Final = (
    *_ROW_NUMBER,
    *_NAMES,
    *_VALUES,
    # Members that stand only where a value is old.
    *_of("datetime", "The last slot in which a source confirmed the value", *(one.name for one in _MORE[-3:]),
         unknown="", form=_SNAPSHOT_TIME),
)  # fmt: skip

_KEYS: Final = [
    *_of("string", "ARM name of the region: koreacentral", "region"),
    *_of("string", "ARM name of the size: Standard_D4s_v5", "instance_type"),
    *_of("string", "1, 2, 3, Single, or N/A for a pair without any score", "zone"),
]
_PRICES: Final = [
    column
    for name in PRICES
    for column in _of("number", f"{name.split('_')[0].capitalize()} price, Linux", name, unit=_USD, unknown="")
    if name != "interruption_frequency"
]
_HELD: Final = [
    *_PRICES,
    *_of("number", "3.0 to 1.0 for eviction bands 0-5 to 20+ percent", "interruption_frequency", unknown=""),
    *(column for name in SCORES for column in
      _of("integer", f"Last placement score at {name.removeprefix('score_')} machines: 3, 2, 1", name, unknown="")),
    *_of("integer", "Largest count that recently scored at least 2 (t2) or 3 (t3)", *THRESHOLDS, unit=_MACHINES,
         unknown=""),
    *_of("string", "Physical zone, and billing name of the region", "physical_zone", "region_name", unknown=""),
]  # fmt: skip
_TIMES: Final = [
    *_of("datetime", "The slot in which the value began", *(BEGAN[name] for name in TIMED), unknown=""),
    *_of("datetime", "The last slot in which a source confirmed the value", *(CONFIRMED[name] for name in TIMED),
         unknown=""),
]  # fmt: skip
CHANGES: Final = (
    *_KEYS,
    *_of("datetime", "The slot from which on all values of the row hold", "changed_at"),
    *_of("boolean", "False in the row that ends a workload", "live"),
    *_HELD,
)
STATE: Final = (*_KEYS, *_HELD)
LATEST_TABLE: Final = (*_KEYS, *_HELD, *_TIMES)
SIZES: Final = (
    *_of("string", "ARM name", "RegionCode", "ArmSkuName"),
    *_of("number", "vCPUs that a machine can use", "VCpus", unit="vCPUs", unknown=""),
    *_of("number", "Memory", "MemoryGiB", unit="GiB", unknown=""),
    *_of("number", "GPUs as the API counts them", "Gpus", unit="GPUs", unknown=""),
    *_of("boolean", "Whether it has a GPU or a share of one", "HasGpu", unknown=""),
    *_of("string", "x64 or Arm64", "Architecture", unknown=""),
    *_of("string", "Series, from the name: Edsv5", "Series", unknown=""),
    *_of("number", "vCPUs of the size that a constrained one is made of", "FullVCpus", unit="vCPUs", unknown=""),
    *_of("string", "Family of the vCPU quota", "QuotaFamily", unknown=""),
    *_of("boolean", "Whether it can be spot, as the API says", "SpotCapable", unknown=""),
    *_of("string", "Day on which Azure retires it", "RetiresOn", unknown=""),
    *_of("string", "Who told it: live, simulated, name", "Source"),
    *_of("string", "Zones of the reference subscription, with blanks between", "Zones", "RestrictedZones", unknown=""),
    *_of("boolean", "Whether the subscription may not use it here", "Restricted", unknown=""),
    *_of("string", "Why it is restricted", "RestrictionReason", unknown=""),
    *_of("datetime", "When the API told it", "AskedAt", unknown=""),
    *_of("string", "Geography, and its group", "Geography", "GeographyGroup", unknown=""),
)
_OF_GAPS: Final = (
    _of("datetime", "The slot", GAP_COLUMNS[0]),
    _of("string", "missing, unfinished, part, partial or failed", GAP_COLUMNS[1]),
    _of("number", "Share of what was owed that was answered", GAP_COLUMNS[2], unit=_PERCENT, unknown=""),
    _of("integer", "Regions that keep old values", GAP_COLUMNS[3], unit="regions", unknown=""),
    _of("string", "Why", GAP_COLUMNS[4]),
)
GAPS: Final = tuple(column for columns in _OF_GAPS for column in columns)
BEFORE: Final = (
    *_KEYS[:2],
    *_of("datetime", "From when on the price holds, as the source says", "changed_at"),
    *_of("number", "Spot price, Linux", "spot_price_usd_per_hour", unit=_USD),
    *_of("string", "resource_graph", "source"),
)
