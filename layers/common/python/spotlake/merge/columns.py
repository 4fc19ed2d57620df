"""Reads and checks the rows of shards, and keeps them in columns (pure).

A shard with one impossible row is refused as a whole, because its other rows may be wrong too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
import numpy as np

from spotlake.errors import ShardRefusedError
from spotlake.merge.growing_columns import Column, GrowingColumns, distinct, first_of_each, last_of_each
from spotlake.models import DESIRED_COUNTS, REGIONAL_ZONE, ZONE_NUMBERS, Dataset
from spotlake.names import join_key
from spotlake.shards import RawShard

ZONES: Final = (*ZONE_NUMBERS, REGIONAL_ZONE)  # a zone's index is its code
_PLACES = {count: place for place, count in enumerate(DESIRED_COUNTS)}
_ZONE_CODES: dict[str | None, int] = {zone: code for code, zone in enumerate(ZONES)}
_KEYS_KEPT = 8192  # there are 1,700 sizes
type _NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class _PriceRow(msgspec.Struct, gc=False):
    region: str
    instance_type: str
    region_name: str = ""
    spot_price_usd_per_hour: _NotNegative | None = None
    ondemand_price_usd_per_hour: _NotNegative | None = None


class _EvictionRow(msgspec.Struct, gc=False):
    region: str
    instance_type: str
    eviction_band: str = ""
    interruption_frequency: float | None = None


_FREQUENCIES = frozenset((3.0, 2.5, 2.0, 1.5, 1.0, None))  # one a band (docs/data.md)


class _ScoreRow(msgspec.Struct, gc=False):
    region: str
    instance_type: str
    desired_count: Literal[1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50]
    zone: str | None = None
    physical_zone: str | None = None
    score: Literal[1, 2, 3] | None = None


_PRICES = msgspec.json.Decoder(_PriceRow)
_EVICTIONS = msgspec.json.Decoder(_EvictionRow)
_SCORES = msgspec.json.Decoder(_ScoreRow)


class _Numbers[Key](dict[Key, int]):
    """A dictionary that numbers its keys in order of appearance."""

    def __missing__(self, key: Key) -> int:
        number = self[key] = len(self)
        return number


class Columns:
    """Rows of one run, in columns. Columns hold numbers in place of pairs and texts, in order of appearance.

    Attributes:
        regions: Region code -> billing name.
        pairs: (region, size), spelt as in the rows -> number.
        texts: Eviction bands and physical zones -> number.
        prices: Columns pair, spot, ondemand (USD per hour; nan: unknown).
        evictions: Columns pair, band, frequency (nan: unknown).
        scores: Columns pair, zone (code), physical ("": unknown), place (index of the desired count), score (0:
            unknown).
        unknown_zone_rows: Number of score rows that were left out, because their zone is none of ``ZONES``.
    """

    def __init__(self) -> None:
        """No rows."""
        self.regions: dict[str, str] = {}
        self.pairs: _Numbers[tuple[str, str]] = _Numbers()
        self.texts: _Numbers[str] = _Numbers()
        self.prices = GrowingColumns(pair="i4", spot="f8", ondemand="f8")
        self.evictions = GrowingColumns(pair="i4", band="i4", frequency="f4")
        self.scores = GrowingColumns(pair="i4", zone="i1", physical="i4", place="i1", score="i1")
        self.unknown_zone_rows = 0
        self._parts: tuple[list[str], Column, Column] = [], np.empty(0, np.int64), np.empty(0, object)

    def read(
        self,
        shard: RawShard,
        key: str,
        *,
        regions: frozenset[str] | None = None,
        wanted: Callable[[str], bool] | None = None,
    ) -> None:
        """Append the rows of a shard, or no row at all when one row is impossible.

        Args:
            shard: The opened shard.
            key: The shard's key, for the refusal.
            regions: Regions of the attempt. A score row of another region is refused. None: any region is accepted.
            wanted: Whether the attempt asked for a size. Rows of other sizes are dropped. None: all sizes are kept.

        Raises:
            ShardRefusedError: With the reason.
        """
        if shard.header.dataset is Dataset.SPS:
            self._read_scores(shard, key, regions, wanted)
        elif shard.header.dataset is Dataset.PRICE:
            self._read_prices(shard, key, wanted)
        else:
            self._read_evictions(shard, key, wanted)

    def settle(self) -> None:
        """Keep one row per pair or zone where several attempts have one.

        For prices and rates the last known value counts, because attempts are read in order. For scores the lowest
        known score counts; a row without a score counts only where no attempt has a score.
        """
        prices, rates, scores = self.prices, self.evictions, self.scores
        pairs = distinct(prices["pair"])
        prices.replace(
            pair=pairs, **{name: _last_known(prices["pair"], prices[name], pairs) for name in ("spot", "ondemand")}
        )
        known = ~np.isnan(rates["frequency"])
        # Rows with a known frequency come after those without one, in order of the attempts: the last one counts.
        order = np.lexsort((np.arange(len(known)), known, rates["pair"]))
        rates.keep(order[last_of_each(rates["pair"][order])])
        value = np.where(scores["score"] > 0, scores["score"], np.iinfo(np.int8).max)
        order = np.lexsort((-np.arange(len(value)), value, scores["place"], scores["zone"], scores["pair"]))
        scores.keep(order[first_of_each(self._score_things()[order])])

    def _score_things(self) -> Column:
        return _things(self.scores["pair"], self.scores["zone"], self.scores["place"])

    def listed(self) -> dict[str, list[str]]:
        """Region -> sizes with a spot price."""
        return self._by_region(self.prices["pair"][~np.isnan(self.prices["spot"])])

    def scored_pairs(self) -> Mapping[tuple[str, int], set[str]]:
        """(region, desired count) -> sizes with a score in any zone."""
        known = self.scores["score"] > 0
        scored = np.zeros((len(DESIRED_COUNTS), len(self.pairs)), bool)
        scored[self.scores["place"][known], self.scores["pair"][known]] = True
        return {
            (region, count): set(sizes)
            for count, pairs in zip(DESIRED_COUNTS, scored, strict=True)
            for region, sizes in self._by_region(np.flatnonzero(pairs)).items()
        }

    def _by_region(self, numbers: Column) -> dict[str, list[str]]:
        """Region -> sizes of the pairs with these numbers."""
        names, codes, sizes = self._parts_of_pairs()
        order = numbers[np.argsort(codes[numbers], kind="stable")]
        places = np.searchsorted(codes[order], np.arange(len(names) + 1)).tolist()
        spans = zip(names, places, places[1:], strict=False)
        return {name: sizes[order[begin:end]].tolist() for name, begin, end in spans if begin < end}

    def _parts_of_pairs(self) -> tuple[list[str], Column, Column]:
        """Names of regions; of each pair the place of its region there, and its size."""
        if len(self._parts[1]) < len(self.pairs):
            places: _Numbers[str] = _Numbers()
            regions, sizes = zip(*self.pairs, strict=True)
            codes = np.fromiter(map(places.__getitem__, regions), np.int64, len(regions))
            self._parts = list(places), codes, np.array(sizes, object)
        return self._parts

    def counts(self) -> dict[str, int]:
        """Known values, by data set. A score that several calls of one attempt brought counts once."""
        known = self.scores["score"] > 0
        return {
            "sps": len(distinct(self._score_things()[known])),
            "price": int(np.count_nonzero(~np.isnan(self.prices["spot"]))),
            "eviction": int(np.count_nonzero(~np.isnan(self.evictions["frequency"]))),
        }

    def _read_prices(self, shard: RawShard, key: str, wanted: Callable[[str], bool] | None) -> None:
        rows = _decoded(_PRICES, shard, key)
        _check_one_region(rows, shard.header.region, key)
        rows = _wanted(rows, wanted)
        pairs = self.pairs
        self.prices.add(
            pair=[pairs[row.region, row.instance_type] for row in rows],
            spot=[row.spot_price_usd_per_hour for row in rows],
            ondemand=[row.ondemand_price_usd_per_hour for row in rows],
        )
        name = next((row.region_name for row in reversed(rows) if row.region_name), "")
        if name:
            self.regions[shard.header.region] = name

    def _read_evictions(self, shard: RawShard, key: str, wanted: Callable[[str], bool] | None) -> None:
        rows = _decoded(_EVICTIONS, shard, key)
        _check_one_region(rows, shard.header.region, key)
        rows = _wanted(rows, wanted)
        odd = {row.interruption_frequency for row in rows} - _FREQUENCIES
        if odd:
            raise ShardRefusedError(key, "bad_row", f"interruption frequency {odd.pop()}")
        pairs, texts = self.pairs, self.texts
        self.evictions.add(
            pair=[pairs[row.region, row.instance_type] for row in rows],
            band=[texts[row.eviction_band] for row in rows],
            frequency=[row.interruption_frequency for row in rows],
        )

    def _read_scores(
        self, shard: RawShard, key: str, regions: frozenset[str] | None, wanted: Callable[[str], bool] | None
    ) -> None:
        """Drop rows without a zone, which describe no workload, and rows of an unknown zone, which are counted."""
        rows = _decoded(_SCORES, shard, key)
        others = set() if regions is None else {row.region for row in rows} - regions
        if others:
            raise ShardRefusedError(key, "other_region", min(others))
        _check_sizes({row.instance_type for row in rows}, key)
        placed = [row for row in rows if row.zone in _ZONE_CODES]
        unknown = sum(row.zone is not None for row in rows) - len(placed)
        rows = _wanted(placed, wanted)
        pairs, texts = self.pairs, self.texts
        pair = np.array([pairs[row.region, row.instance_type] for row in rows], np.int32)
        zone = np.array([_ZONE_CODES[row.zone] for row in rows], np.int8)
        place = np.array([_PLACES[row.desired_count] for row in rows], np.int8)
        twice = len(rows) - len(distinct(_things(pair, zone, place)))
        if twice:
            raise ShardRefusedError(key, "duplicate_row", f"{twice} scores stand twice")
        self.scores.add(
            pair=pair,
            zone=zone,
            place=place,
            physical=[texts[row.physical_zone or ""] for row in rows],
            score=[row.score or 0 for row in rows],
        )
        self.unknown_zone_rows += unknown


def _wanted[Row: (_PriceRow, _EvictionRow, _ScoreRow)](
    rows: list[Row], wanted: Callable[[str], bool] | None
) -> list[Row]:
    return rows if wanted is None else [row for row in rows if wanted(row.instance_type)]


def _things(pair: Column, zone: Column, place: Column) -> Column:
    """A number for what each score row is about: pair, zone and desired count."""
    return (pair * len(ZONES) + zone) * len(DESIRED_COUNTS) + place


def _last_known(pair: Column, values: Column, pairs: Column) -> Column:
    """For each pair in ``pairs`` (sorted): the pair's last value that is not nan, else nan."""
    found = np.full(len(pairs), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    last = known[np.lexsort((known, pair[known]))]
    last = last[last_of_each(pair[last])]
    found[np.searchsorted(pairs, pair[last])] = values[last]
    return found


def _decoded[Row](decoder: msgspec.json.Decoder[Row], shard: RawShard, key: str) -> list[Row]:
    try:
        return decoder.decode_lines(shard.lines)
    except msgspec.ValidationError as error:
        raise ShardRefusedError(key, "bad_row", str(error)) from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise ShardRefusedError(key, "not_json", "row") from error


def _check_one_region(rows: Sequence[_PriceRow] | Sequence[_EvictionRow], region: str, key: str) -> None:
    """Rows of the shard's own region. Each size occurs once, whatever its spelling."""
    others = {row.region for row in rows} - {region}
    if others:
        raise ShardRefusedError(key, "other_region", min(others))
    sizes = {_key_of(row.instance_type) for row in rows}
    _check_sizes(sizes, key)
    if len(sizes) < len(rows):
        raise ShardRefusedError(key, "duplicate_row", f"{len(rows) - len(sizes)} sizes stand twice")


def _check_sizes(sizes: set[str], key: str) -> None:
    odd = [size for size in sizes if "_" not in size]
    if odd:
        raise ShardRefusedError(key, "bad_row", min(odd))


_key_of = functools.lru_cache(_KEYS_KEPT)(join_key)
