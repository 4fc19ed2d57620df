"""Reads and checks the rows of shards, and keeps them in columns (pure).

A shard with one impossible row is refused as a whole, because its other rows may be wrong too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import compress
from operator import attrgetter
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np

from spotlake.errors import ShardRefusedError
from spotlake.merge.growing_columns import Column, GrowingColumns, distinct, first_of_each, last_known, last_of_each
from spotlake.merge.pair_numbers import Known, Numbers, PairNumbers
from spotlake.models import DESIRED_COUNTS, REGIONAL_ZONE, ZONE_NUMBERS, Dataset
from spotlake.names import join_key
from spotlake.shards import RawShard

ZONES: Final = (*ZONE_NUMBERS, REGIONAL_ZONE)  # a zone's index is its code
_PLACES = {count: place for place, count in enumerate(DESIRED_COUNTS)}
_CACHED_ROWS = 2048
_UNKNOWN, _NONE = -1, -2  # codes of a zone that is none of ``ZONES``, and of no zone
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


_FREQUENCIES: dict[float | None, float] = {one: one for one in (3.0, 2.5, 2.0, 1.5, 1.0)}  # one a band (docs/data.md)
_FREQUENCIES[None] = np.nan


class _ScoreRow(msgspec.Struct, gc=False):
    region: str
    instance_type: str
    desired_count: Literal[1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50]
    zone: str | None = None
    physical_zone: str | None = None
    score: Literal[1, 2, 3] | None = None


type _Row = _PriceRow | _EvictionRow | _ScoreRow
_SCORE = {None: 0, 1: 1, 2: 2, 3: 3}
_PRICES = msgspec.json.Decoder(_PriceRow)
_EVICTIONS = msgspec.json.Decoder(_EvictionRow)
_SCORES = msgspec.json.Decoder(_ScoreRow)


class _CodesOfZones(dict[str | None, int]):
    def __missing__(self, key: str | None) -> int:
        return _UNKNOWN  # and not kept: anything may stand in a shard


_CODES_OF_ZONES = _CodesOfZones((zone, code) for code, zone in enumerate(ZONES))
_CODES_OF_ZONES[None] = _NONE


class Columns:
    """Rows of one run, in columns. Columns hold numbers in place of pairs and texts, in order of appearance.

    Attributes:
        regions: Region code -> billing name.
        pairs: Pairs, spelt as in the rows.
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
        self.pairs = PairNumbers()
        self.texts = texts = Numbers[str]()
        self.prices = GrowingColumns(pair="i4", spot="f8", ondemand="f8")
        self.evictions = GrowingColumns(pair="i4", band="i4", frequency="f4")
        self.scores = GrowingColumns(pair="i4", zone="i1", physical="i4", place="i1", score="i1")
        self.unknown_zone_rows = 0
        self._buildings: Known[str | None, int] = Known(lambda name: texts[name or ""])  # no cycle: memory is freed
        self._join_keys: Numbers[str] = Numbers()
        self._key_of_size = np.empty(0, np.int64)  # by number of a size: the number of its join key

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

    def spell_once(self) -> None:
        """Give rows of one pair one number, that of the spelling that came first, however sizes are spelt."""
        if len(self._join_keys) == len(self.pairs.sizes):
            return  # each size is spelt in one way
        number = self.pairs.first_spelt(self._key_of_size, len(self._join_keys))
        for rows in (self.prices, self.evictions, self.scores):
            rows.replace(**{**rows.columns(), "pair": number[rows["pair"]]})

    def settle(self) -> None:
        """Keep one row per pair or zone where several attempts have one.

        For prices and rates the last known value counts, because attempts are read in order. For scores the lowest
        known score counts; a row without a score counts only where no attempt has one. Of buildings the last known.
        """
        prices, rates, scores = self.prices, self.evictions, self.scores
        pairs = distinct(prices["pair"])
        prices.replace(
            pair=pairs, **{name: last_known(prices["pair"], prices[name], pairs) for name in ("spot", "ondemand")}
        )
        known = ~np.isnan(rates["frequency"])
        # Rows with a known frequency come after those without one, in order of the attempts: the last one counts.
        order = np.lexsort((np.arange(len(known)), known, rates["pair"]))
        rates.keep(order[last_of_each(rates["pair"][order])])
        value = np.where(scores["score"] > 0, scores["score"], np.iinfo(np.int8).max)
        order = np.lexsort((-np.arange(len(value)), value, scores["place"], scores["zone"], scores["pair"]))
        kept = order[first_of_each(self._score_things()[order])]
        if len(kept) < len(order):
            scores.spread_last("physical", _things(scores["pair"], scores["zone"], 0), unknown=self._buildings[None])
        scores.keep(kept)

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
        names, codes = list(self.pairs.regions), self.pairs.region
        sizes = np.array(list(self.pairs.sizes), object)
        order = numbers[np.argsort(codes[numbers], kind="stable")]
        places = np.searchsorted(codes[order], np.arange(len(names) + 1)).tolist()
        spans = zip(names, places, places[1:], strict=False)
        return {name: sizes[self.pairs.size[order[begin:end]]].tolist() for name, begin, end in spans if begin < end}

    def counts(self) -> dict[str, int]:
        """Known values, by data set. A score that several calls of one attempt brought counts once."""
        known = self.scores["score"] > 0
        return {
            "sps": len(distinct(self._score_things()[known])),
            "price": int(np.count_nonzero(~np.isnan(self.prices["spot"]))),
            "eviction": int(np.count_nonzero(~np.isnan(self.evictions["frequency"]))),
        }

    def _read_prices(self, shard: RawShard, key: str, wanted: Callable[[str], bool] | None) -> None:
        rows, pair = self._of_one_region(_PRICES, shard, key, wanted)
        names = ("spot_price_usd_per_hour", "ondemand_price_usd_per_hour")
        spot, ondemand = (np.fromiter(map(attrgetter(name), rows), "f8", len(rows)) for name in names)
        self.prices.add(pair=pair, spot=spot, ondemand=ondemand)
        name = next((row.region_name for row in reversed(rows) if row.region_name), "")
        if name:
            self.regions[shard.header.region] = name

    def _read_evictions(self, shard: RawShard, key: str, wanted: Callable[[str], bool] | None) -> None:
        rows, pair = self._of_one_region(_EVICTIONS, shard, key, wanted)
        try:
            (frequency,) = _columns(rows, ("interruption_frequency", _FREQUENCIES, "f4"))
        except KeyError as error:
            raise ShardRefusedError(key, "bad_row", f"interruption frequency {error}") from None
        (band,) = _columns(rows, ("eviction_band", self.texts, "i4"))
        self.evictions.add(pair=pair, band=band, frequency=frequency)

    def _read_scores(
        self, shard: RawShard, key: str, regions: frozenset[str] | None, wanted: Callable[[str], bool] | None
    ) -> None:
        """Drop rows without a zone, which describe no workload, and rows of an unknown zone, which are counted."""
        rows, known = _decoded(_SCORES, shard, key), len(self.pairs.sizes)
        region, size, zone, place, score = _columns(
            rows,
            ("region", self.pairs.regions, "i8"),
            ("instance_type", self.pairs.sizes, "i8"),
            ("zone", _CODES_OF_ZONES, "i1"),
            ("desired_count", _PLACES, "i1"),
            ("score", _SCORE, "i1"),
        )
        names = list(self.pairs.regions)
        others = set() if regions is None else {names[number] for number in distinct(region).tolist()} - regions
        self._check_sizes(known, key, others)
        unknown, kept = int(np.count_nonzero(zone == _UNKNOWN)), zone >= 0
        if wanted is not None:
            kept &= np.fromiter((wanted(row.instance_type) for row in rows), bool, len(rows))  # there may be no row
        if not kept.all():
            rows, region, size = list(compress(rows, kept.tolist())), region[kept], size[kept]
            zone, place, score = zone[kept], place[kept], score[kept]
        pair = self.pairs.of(region, size)
        twice = len(rows) - len(distinct(_things(pair, zone, place)))
        if twice:
            raise ShardRefusedError(key, "duplicate_row", f"{twice} scores stand twice")
        (physical,) = _columns(rows, ("physical_zone", self._buildings, "i4"))
        self.scores.add(pair=pair, zone=zone, place=place, physical=physical, score=score)
        self.unknown_zone_rows += unknown

    def _of_one_region[Row: (_PriceRow, _EvictionRow)](
        self, decoder: msgspec.json.Decoder[Row], shard: RawShard, key: str, wanted: Callable[[str], bool] | None
    ) -> tuple[list[Row], Column]:
        """Rows of the shard's own region, and their pairs. Each size occurs once, whatever its spelling."""
        rows = _decoded(decoder, shard, key)
        others = set(map(attrgetter("region"), rows)) - {shard.header.region}
        if others:
            raise ShardRefusedError(key, "other_region", min(others))
        known = len(self.pairs.sizes)
        (size,) = _columns(rows, ("instance_type", self.pairs.sizes, "i8"))
        self._check_sizes(known, key)
        twice = len(rows) - len(distinct(self._key_of_size[size]))
        if twice:
            raise ShardRefusedError(key, "duplicate_row", f"{twice} sizes stand twice")
        if wanted is not None:
            kept = [wanted(row.instance_type) for row in rows]
            rows, size = list(compress(rows, kept)), size[kept]
        return rows, self.pairs.of(np.full(len(rows), self.pairs.regions[shard.header.region]), size)

    def _check_sizes(self, known: int, key: str, other_regions: Collection[str] = ()) -> None:
        """Keep a shard's new sizes, or refuse the shard. What is no size's name gets no number: it is refused again."""
        sizes = self.pairs.sizes
        new = sizes.since(known)
        odd = [size for size in new if "_" not in size]
        if odd or other_regions:
            for size in new:
                del sizes[size]
            raise ShardRefusedError(key, "other_region" if other_regions else "bad_row", min(other_regions or odd))
        if new:
            keys = [self._join_keys[join_key(size)] for size in new]
            self._key_of_size = np.concatenate([self._key_of_size, keys])


def _columns(rows: Sequence[_Row], *wanted: tuple[str, Mapping[Any, float], str]) -> list[Column]:
    """What each mapping has for a field of each row, as a column of that kind. No Python code runs for a row.

    Some rows at a time are read for all columns, while they are in the processor's cache.
    """
    columns = [np.empty(len(rows), kind) for _, _, kind in wanted]
    for begin in range(0, len(rows), _CACHED_ROWS):
        part = rows[begin : begin + _CACHED_ROWS]
        for column, (name, values, kind) in zip(columns, wanted, strict=True):
            found = map(values.__getitem__, map(attrgetter(name), part))
            column[begin : begin + _CACHED_ROWS] = np.fromiter(found, kind, len(part))
    return columns


def _things(pair: Column, zone: Column, place: Column | int) -> Column:
    """A number for what each score row is about: pair, zone and desired count."""
    return (pair * len(ZONES) + zone) * len(DESIRED_COUNTS) + place


def _decoded[Row](decoder: msgspec.json.Decoder[Row], shard: RawShard, key: str) -> list[Row]:
    try:
        return decoder.decode_lines(shard.lines)
    except msgspec.ValidationError as error:
        raise ShardRefusedError(key, "bad_row", str(error)) from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise ShardRefusedError(key, "not_json", "row") from error
