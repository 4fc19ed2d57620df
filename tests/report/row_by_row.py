"""The figures of a snapshot counted a second way: row by row, by the texts of the fields, without NumPy."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import batched
from operator import itemgetter
from typing import Any

from spotlake.models import DESIRED_COUNTS

_COLUMNS = (
    "RegionCode", "Region", "ArmSkuName", "AvailabilityZone", "SpotPrice", "Savings", "IF", "Score", "T2", "T3",
    "PriceTime", "IFTime", "ScoreTime", "DesiredCount",
)  # fmt: skip
_CODE, _NAME, _SKU, _ZONE, _SPOT, _SAVINGS, _IF, _SCORE, _T2, _T3, _PRICE_AT, _IF_AT, _SCORE_AT, _COUNT = range(14)
_COMPARED = {"spot_price": _SPOT, "interruption_frequency": _IF, "t2": _T2, "t3": _T3}
_CHUNK_ROWS = 8192
_UNKNOWN = "-1"
SCORES = ("3", "2", "1", _UNKNOWN)
FREQUENCIES = ("3.0", "2.5", "2.0", "1.5", "1.0", _UNKNOWN)
THRESHOLDS = (0, *DESIRED_COUNTS)
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
SAVINGS_STEP_PERCENT = 5
PRICE_BINS_PER_DECADE = 4
# Ages of values: upper ends of all classes except the last one, which is open. 0: the value began with the run.
HELD_MINUTES = (0, 60, 360, 1440, 4320)
type Row = tuple[str, ...]
type Before = Mapping[str, tuple[str, ...]]
type Bin = tuple[float, float, int]  # from, to, pairs


def snapshot_rows(body: bytes) -> Iterator[Row]:
    """The rows of a snapshot (gzip csv), in the order of the columns above.

    Raises:
        OSError, EOFError, ValueError: The snapshot is damaged or lacks a column.
    """
    with gzip.open(io.BytesIO(body), "rt", encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        header = next(reader, [])
        yield from map(itemgetter(*(header.index(name) for name in _COLUMNS)), reader)


def compared_values(rows: Iterable[Row]) -> dict[str, tuple[str, ...]]:
    """Workload -> the values that are compared between two snapshots."""
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    get = itemgetter(*_COMPARED.values())
    # Many workloads have the same values. One shared tuple saves half of the memory.
    return {_name(row): shared.setdefault(values, values) for row in rows for values in (get(row),)}


class Figures:
    """Counts a snapshot's rows; with ``before``, also the values that rose and fell since."""

    def __init__(self, slot_at: datetime, before: Before | None = None) -> None:
        """Start with nothing counted."""
        self._slot_at, self._before = slot_at, before
        self._counts = {index: Counter[tuple[str, str]]() for index in (_SCORE, _T2, _T3, _SCORE_AT)}
        self._pairs: dict[tuple[str, ...], None] = {}
        self._names: dict[str, str] = {}
        self._moves: Counter[tuple[str, str, str]] = Counter()
        self._seen = 0
        self._desired_count: int | None = None

    def read(self, rows: Iterable[Row]) -> Figures:
        """Count all rows."""
        pair = itemgetter(_CODE, _SKU, _SPOT, _SAVINGS, _IF, _PRICE_AT, _IF_AT)
        for chunk in batched(rows, _CHUNK_ROWS, strict=False):
            for index, counter in self._counts.items():
                counter.update(map(itemgetter(_CODE, index), chunk))
            self._pairs.update(dict.fromkeys(map(pair, chunk)))
            self._names.update(map(itemgetter(_CODE, _NAME), chunk))
            self._desired_count = int(chunk[0][_COUNT])
            if self._before is not None:
                self._compare(chunk, self._before)
        return self

    def _compare(self, chunk: Iterable[Row], before: Before) -> None:
        get = itemgetter(*_COMPARED.values())
        for row in chunk:
            old = before.get(_name(row))
            if old is None:
                self._moves[row[_CODE], "workload", "appeared"] += 1
                continue
            self._seen += 1
            new = get(row)
            if new != old:
                for what, one, other in zip(_COMPARED, old, new, strict=True):
                    if one != other:
                        self._moves[row[_CODE], what, _direction(one, other)] += 1

    def to_dict(self) -> dict[str, Any]:
        """JSON: by region and in all. Counts stand in the order of SCORES, FREQUENCIES, THRESHOLDS, HELD_MINUTES."""
        pairs = list(self._pairs)
        by_region: dict[str, list[tuple[str, ...]]] = {}
        for pair in pairs:
            by_region.setdefault(pair[0], []).append(pair)
        return {
            "desired_count": self._desired_count,
            "regions": {code: self._region(code, by_region[code]) for code in sorted(by_region)},
            "spot_price_histogram": _price_histogram(known(pairs, 2)),
            "savings_histogram": _savings_histogram(known(pairs, 3)),
            "held": {
                "price": self._held((one[5], 1) for one in pairs),
                "eviction": self._held((one[6], 1) for one in pairs),
                "sps": self._held((began, number) for (_, began), number in self._counts[_SCORE_AT].items()),
            },
            "left": None if self._before is None else len(self._before) - self._seen,
        }

    def _region(self, code: str, pairs: list[tuple[str, ...]]) -> dict[str, Any]:
        frequencies = Counter(one[4] for one in pairs)
        moves: dict[str, dict[str, int]] = {}
        for (region, what, way), number in self._moves.items():
            if region == code:
                moves.setdefault(what, {})[way] = number
        return {
            "name": self._names[code],
            "pairs": len(pairs),
            "scores": [self._counts[_SCORE][code, one] for one in SCORES],
            "t3": [self._counts[_T3][code, str(one)] for one in THRESHOLDS],
            "t2": [self._counts[_T2][code, str(one)] for one in THRESHOLDS],
            "frequencies": [frequencies[one] for one in FREQUENCIES],
            "spot_price": quantiles(known(pairs, 2)),
            "savings": quantiles(known(pairs, 3)),
            "moves": moves,
        }

    def _held(self, times: Iterable[tuple[str, int]]) -> list[int]:
        """Number of values by age. Unknown values are not counted."""
        counts = [0] * (len(HELD_MINUTES) + 1)
        by_time: Counter[str] = Counter()
        for began, number in times:
            by_time[began] += number
        for began, number in by_time.items():
            if began != "N/A":
                age = self._slot_at - datetime.fromisoformat(began).replace(tzinfo=self._slot_at.tzinfo)
                counts[sum(age > timedelta(minutes=limit) for limit in HELD_MINUTES)] += number
        return counts


def known(pairs: Iterable[tuple[str, ...]], index: int) -> list[float]:
    """The known values at ``index``, sorted."""
    return sorted(float(pair[index]) for pair in pairs if pair[index] != _UNKNOWN)


def quantiles(ordered: list[float]) -> list[float] | None:
    """The values at ``QUANTILES`` (nearest rank) of ordered ones; None when there are none.

    >>> quantiles([1.0, 2.0, 3.0, 4.0, 5.0])
    [1.0, 2.0, 3.0, 4.0, 5.0]
    """
    if not ordered:
        return None
    return [ordered[max(math.ceil(share * len(ordered)) - 1, 0)] for share in QUANTILES]


def _price_histogram(prices: list[float]) -> list[Bin]:
    """(from, to, pairs) in USD per hour, ``PRICE_BINS_PER_DECADE`` bins to each power of ten."""
    bins = Counter(math.floor(math.log10(price) * PRICE_BINS_PER_DECADE) for price in prices if price > 0)
    if not bins:
        return []

    def edge(number: int) -> float:
        return float(f"{10 ** (number / PRICE_BINS_PER_DECADE):.3g}")

    return [(edge(one), edge(one + 1), bins[one]) for one in range(min(bins), max(bins) + 1)]


def _savings_histogram(savings: list[float]) -> list[Bin]:
    """(from, to, pairs) in percent."""
    step = SAVINGS_STEP_PERCENT
    bins = Counter(min(math.floor(one / step), 100 // step - 1) for one in savings)
    many = bool(bins) and max(bins) - min(bins) >= 10_000  # then bins without a pair are left out
    ordered = sorted(bins) if many or not bins else range(min(bins), max(bins) + 1)
    return [(one * step, (one + 1) * step, bins[one]) for one in ordered]


def _name(row: Row) -> str:
    return f"{row[_CODE]}/{row[_SKU]}/{row[_ZONE]}"


def _direction(old: str, new: str) -> str:
    if old == _UNKNOWN:
        return "known"
    if new == _UNKNOWN:
        return "unknown"
    return "up" if float(new) > float(old) else "down"
