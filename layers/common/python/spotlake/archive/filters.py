"""Which workloads a question is about."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from spotlake.errors import InvalidInputError
from spotlake.models import DESIRED_COUNTS

_BEST_SCORE = 3
_TIERS = ("standard_", "basic_")

type Range = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Where:
    """Conditions, all of which a workload has to meet. A workload whose value is unknown meets no condition on it.

    Attributes:
        regions: Patterns of ARM names (``korea*``); none: all.
        geographies: Patterns of geographies or their groups (``Europe``, ``Sweden``), in any casing.
        sizes: Patterns of ARM names, with or without ``Standard_``, in any casing.
        families: Patterns of series (``Dsv5``, ``NC*``), in any casing.
        architecture: "x64" or "Arm64", in any casing.
        vcpus, memory_gib, gpus: Least and most; None is without a limit.
        min_score: Least score (1 to 3) at ``count``.
        count: Desired count of ``min_score``.
        min_t2, min_t3: Least count that recently scored at least 2, or 3.
        max_price: Most USD per hour.
        max_price_per_vcpu: Most USD per vCPU and hour.
        min_if: Least interruption frequency (3.0 is the best, 1.0 the worst).
        max_age: The longest since a source confirmed the spot price and the score at ``count``.
    """

    regions: tuple[str, ...] = ()
    geographies: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    architecture: str | None = None
    vcpus: Range = (None, None)
    memory_gib: Range = (None, None)
    gpus: Range = (None, None)
    min_score: int | None = None
    count: int = 1
    min_t2: int | None = None
    min_t3: int | None = None
    max_price: float | None = None
    max_price_per_vcpu: float | None = None
    min_if: float | None = None
    max_age: timedelta | None = None

    def __post_init__(self) -> None:
        """Refuse a count that is never asked, and a score that there is not."""
        if self.count not in DESIRED_COUNTS:
            raise InvalidInputError("count", self.count, f"one of {', '.join(map(str, DESIRED_COUNTS))}")
        if self.min_score is not None and not 1 <= self.min_score <= _BEST_SCORE:
            raise InvalidInputError("min_score", self.min_score, "1, 2 or 3")

    def chosen(self, table: pa.Table, slot_at: datetime) -> pa.Table:
        """The rows of a table with facts (``facts.with_facts``) that meet all conditions."""
        masks = [*self._by_name(table), *self._by_number(table), *self._by_age(table, slot_at)]
        if not masks:
            return table
        return table.filter(functools.reduce(pc.and_, masks))

    def _by_name(self, table: pa.Table) -> Iterable[pa.Array]:
        if self.regions:
            yield _like(table["region"], map(region_key_pattern, self.regions))
        if self.geographies:
            wanted = [one.lower() for one in self.geographies]
            yield pc.or_(_like(table["geography"], wanted), _like(table["geography_group"], wanted))
        if self.sizes:
            wanted = [one.lower() for one in self.sizes]
            tiers = [one if one.startswith(_TIERS) else f"{tier}{one}" for one in wanted for tier in _TIERS]
            yield _like(table["instance_type"], tiers)
        if self.families:
            yield _like(table["series"], map(str.lower, self.families))
        if self.architecture:
            yield _like(table["architecture"], [self.architecture.lower()])

    def _by_number(self, table: pa.Table) -> Iterable[pa.Array]:
        for name in ("vcpus", "memory_gib", "gpus"):
            low, high = getattr(self, name)
            if low is not None:
                yield pc.greater_equal(table[name], low)
            if high is not None:
                yield pc.less_equal(table[name], high)
        least = {f"score_{self.count}": self.min_score, "t2": self.min_t2, "t3": self.min_t3}
        least["interruption_frequency"] = self.min_if  # type: ignore[assignment]
        yield from (pc.greater_equal(table[name], bound) for name, bound in least.items() if bound is not None)
        most = {
            "spot_price_usd_per_hour": self.max_price,
            "spot_price_usd_per_vcpu_hour": self.max_price_per_vcpu,
        }  # fmt: skip
        yield from (pc.less_equal(table[name], bound) for name, bound in most.items() if bound is not None)

    def _by_age(self, table: pa.Table, slot_at: datetime) -> Iterable[pa.Array]:
        if self.max_age is None:
            return
        for name in ("spot_price_usd_per_hour", f"score_{self.count}"):
            confirmed = table[f"{name}_confirmed"]
            yield pc.greater_equal(confirmed, pa.scalar(slot_at - self.max_age, confirmed.type))


def region_key_pattern(text: str) -> str:
    """A pattern of regions in ARM form: ``Korea Central`` is ``koreacentral``.

    >>> region_key_pattern("Korea*"), region_key_pattern("Korea Central")
    ('korea*', 'koreacentral')
    """
    return "".join(text.lower().split())


def _like(column: pa.ChunkedArray, patterns: Iterable[str]) -> pa.Array:
    """Mask of the texts that match one of the patterns; each distinct text is compared once."""
    wanted = list(patterns)
    distinct = [text for text in pc.unique(column).to_pylist() if text is not None]
    matching = [text for text in distinct if any(fnmatch.fnmatchcase(text.lower(), one) for one in wanted)]
    return pc.is_in(column, pa.array(matching, pa.string()))
