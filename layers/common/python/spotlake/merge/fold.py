"""Folding one run's rows into the state (pure). Runs are folded in order of their slots.

A missing or unknown value never replaces a known one; a time marks when a value began.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spotlake.errors import ShardRefusedError
from spotlake.merge.state import MergedState
from spotlake.models import DESIRED_COUNTS
from spotlake.names import join_key
from spotlake.shards import RawShard, parse_rows

_COUNT_PLACES = {count: place for place, count in enumerate(DESIRED_COUNTS)}
_ZONES = frozenset({"1", "2", "3", "Single"})


@dataclass
class Columns:
    """Rows of one run, in columns, checked (see ``read_*``)."""

    regions: dict[str, str] = field(default_factory=dict)
    price: list[tuple[str, str, float | None, float | None]] = field(default_factory=list)
    eviction: list[tuple[str, str, str, float | None]] = field(default_factory=list)
    scores: list[tuple[str, str, str, str, int, int]] = field(default_factory=list)

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Leave only rows of wanted sizes (a run that was asked for some)."""
        self.price = [row for row in self.price if wanted(row[1])]
        self.eviction = [row for row in self.eviction if wanted(row[1])]
        self.scores = [row for row in self.scores if wanted(row[1])]

    def counts(self) -> dict[str, int]:
        """Rows with a known value, by data set."""
        return {
            "sps": sum(1 for row in self.scores if row[5]),
            "price": sum(1 for row in self.price if row[2] is not None),
            "eviction": sum(1 for row in self.eviction if row[3] is not None),
        }


def read_prices(shard: RawShard, key: str, columns: Columns) -> None:
    """Append the rows of a price shard: (region, size, spot, on-demand). Raises ShardRefusedError."""
    region = shard.header.region
    found: dict[str, tuple[str, str, float | None, float | None]] = {}
    name = ""
    for row in parse_rows(shard, key):
        size = _known_size(row, region, key)
        if join_key(size) in found:
            raise ShardRefusedError(key, "duplicate_row", size)
        spot, ondemand = row.get("spot_price_usd_per_hour"), row.get("ondemand_price_usd_per_hour")
        if not _is_price(spot) or not _is_price(ondemand):
            raise ShardRefusedError(key, "bad_row", size)
        found[join_key(size)] = (region, size, spot, ondemand)
        name = str(row.get("region_name") or name)
    columns.price.extend(found.values())
    if name:
        columns.regions[region] = name


def read_evictions(shard: RawShard, key: str, columns: Columns) -> None:
    """Append the rows of an eviction shard: (region, size, band, frequency). Raises ShardRefusedError."""
    region = shard.header.region
    found: dict[str, tuple[str, str, str, float | None]] = {}
    for row in parse_rows(shard, key):
        size = _known_size(row, region, key)
        if join_key(size) in found:
            raise ShardRefusedError(key, "duplicate_row", size)
        frequency = row.get("interruption_frequency")
        if not _is_price(frequency):
            raise ShardRefusedError(key, "bad_row", size)
        found[join_key(size)] = (region, size, str(row.get("eviction_band", "")), frequency)
    columns.eviction.extend(found.values())


def read_scores(shard: RawShard, key: str, columns: Columns, *, regions: frozenset[str]) -> None:
    """Append the rows of a score shard: (region, size, zone, physical zone, place of the count, score or 0).

    Rows of regions that the run did not ask for are refused, like any other row that cannot be.
    """
    rows = []
    for row in parse_rows(shard, key):
        try:
            region, size, zone = row["region"], row["instance_type"], row["zone"]
            place, score = _COUNT_PLACES[row["desired_count"]], row["score"]
        except KeyError as error:
            raise ShardRefusedError(key, "bad_row", f"without {error}") from error
        if region not in regions:
            raise ShardRefusedError(key, "other_region", str(region))
        if score not in (None, 1, 2, 3) or not isinstance(size, str):
            raise ShardRefusedError(key, "bad_row", str(size))
        if zone in _ZONES:
            rows.append((region, size, zone, row.get("physical_zone") or "", place, score or 0))
    columns.scores.extend(rows)


def _known_size(row: dict[str, Any], region: str, key: str) -> str:
    if row.get("region") != region:
        raise ShardRefusedError(key, "other_region", str(row.get("region")))
    size = row.get("instance_type")
    if not isinstance(size, str) or "_" not in size:
        raise ShardRefusedError(key, "bad_row", str(size))
    return size


def _is_price(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value >= 0)


def fold_run(state: MergedState, columns: Columns, slot: int) -> None:
    """Fold a run's rows into the state, in place.

    Args:
        state: Everything before; nothing in it is newer than ``slot``.
        columns: The run's rows.
        slot: The run's slot number, the time of all its observations.
    """
    state.slot = max(state.slot, slot)
    state.regions |= columns.regions
    pairs = _Appender(state)
    _fold_prices(state, pairs, columns, slot)
    _fold_evictions(state, pairs, columns, slot)
    _fold_scores(state, pairs, columns, slot)


class _Appender:
    """Numbers of pairs, with new ones appended."""

    def __init__(self, state: MergedState) -> None:
        self.state = state
        self.index = state.pair_index()

    def number(self, region: str, size: str) -> int:
        key = (region, join_key(size))
        number = self.index.get(key)
        if number is None:
            number = self.index[key] = len(self.state.pairs)
            self.state.pairs.append((region, size))
        return number


def _fold_prices(state: MergedState, pairs: _Appender, columns: Columns, slot: int) -> None:
    # A size that has no spot price and never had one is no spot workload, whatever it costs on demand.
    rows = [row for row in columns.price if row[2] is not None or (row[0], join_key(row[1])) in pairs.index]
    numbers = np.array([pairs.number(row[0], row[1]) for row in rows], np.int64)
    state.grow()
    spot = np.array([row[2] for row in rows], np.float64)  # None becomes nan
    ondemand = np.array([row[3] for row in rows], np.float64)
    _replace(state, "spot", numbers, spot, slot)
    # 0 is the price list's way of saying "unknown".
    _replace(state, "ondemand", numbers, np.where(ondemand > 0, ondemand, np.nan), slot)
    _touch(state, numbers[~np.isnan(spot)], slot)


def _fold_evictions(state: MergedState, pairs: _Appender, columns: Columns, slot: int) -> None:
    # A size that no price list and no catalogue knows has no ARM casing: it is no workload.
    known = [row for row in columns.eviction if (row[0], join_key(row[1])) in pairs.index]
    numbers = np.array([pairs.index[row[0], join_key(row[1])] for row in known], np.int64)
    for band in sorted({row[2] for row in known} - set(state.bands)):
        state.bands.append(band)
    places = {band: place for place, band in enumerate(state.bands)}
    frequency = np.array([row[3] for row in known], np.float32)
    bands = np.array([places[row[2]] for row in known], np.int16)
    mapped = ~np.isnan(frequency)
    _replace(state, "frequency", numbers, frequency, slot)
    state.pair["band"][numbers[mapped]] = bands[mapped]


def _fold_scores(state: MergedState, pairs: _Appender, columns: Columns, slot: int) -> None:
    rows = state.row_index()
    fresh: list[int] = []
    numbers: list[int] = []
    for region, size, zone, physical, _, _ in columns.scores:
        key = (pairs.number(region, size), zone)
        number = rows.get(key)
        if number is None:
            number = rows[key] = len(state.zones)
            state.zones.append(zone)
            state.physical.append(physical)
            fresh.append(key[0])
        elif physical:
            state.physical[number] = physical
        numbers.append(number)
    state.grow()
    if fresh:
        state.rows["pair"][-len(fresh) :] = fresh
    if not numbers:
        return
    at = np.array(numbers, np.int64)
    places = np.array([row[4] for row in columns.scores], np.int64)
    scores = np.array([row[5] for row in columns.scores], np.int64)
    known = scores > 0
    at_known, places, scores = at[known], places[known], scores[known]
    np.maximum.at(state.rows["seen"], (at_known, places, scores - 1), np.uint32(slot))
    # Of two answers for one count and slot the lower wins: the highest score is written first.
    order = np.argsort(-scores, kind="stable")
    at_known, places, scores = at_known[order], places[order], scores[order]
    before = state.rows["score"].copy()
    state.rows["score"][at_known, places] = scores
    changed = state.rows["score"] != before
    state.rows["score_began"][changed] = slot
    state.rows["answered"][at] = slot
    _touch(state, state.rows["pair"][at].astype(np.int64), slot)


def _replace(
    state: MergedState, name: str, numbers: np.ndarray[Any, Any], values: np.ndarray[Any, Any], slot: int
) -> None:
    """Put known values; where one differs from before, it began in this slot."""
    known = ~np.isnan(values)
    numbers, values = numbers[known], values[known].astype(state.pair[name].dtype)
    changed = state.pair[name][numbers] != values  # nan differs from everything
    state.pair[name][numbers] = values
    state.pair[f"{name}_began"][numbers[changed]] = slot


def _touch(state: MergedState, numbers: np.ndarray[Any, Any], slot: int) -> None:
    state.pair["listed"][numbers] = slot
