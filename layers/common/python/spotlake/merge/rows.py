"""Rows of shards, read and checked, in columns (pure).

A shard with one row that cannot be is refused as a whole: what else is wrong with it nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

import msgspec
import numpy as np

from spotlake.errors import ShardRefusedError
from spotlake.models import DESIRED_COUNTS
from spotlake.names import join_key
from spotlake.shards import RawShard

ZONES: Final = ("1", "2", "3", "Single")  # the place of a zone is its code
_PLACES = {count: place for place, count in enumerate(DESIRED_COUNTS)}
_ZONE_CODES: dict[str | None, int] = {zone: code for code, zone in enumerate(ZONES)}
type _Usd = Annotated[float, msgspec.Meta(ge=0)]


class _PriceRow(msgspec.Struct, gc=False):
    region: str
    instance_type: str
    region_name: str = ""
    spot_price_usd_per_hour: _Usd | None = None
    ondemand_price_usd_per_hour: _Usd | None = None


class _EvictionRow(msgspec.Struct, gc=False):
    region: str
    instance_type: str
    eviction_band: str = ""
    interruption_frequency: _Usd | None = None


class _ScoreRow(msgspec.Struct, gc=False):
    region: str
    instance_type: str
    desired_count: Literal[1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50]
    zone: Literal["1", "2", "3", "Single"] | None = None
    physical_zone: str | None = None
    score: Literal[1, 2, 3] | None = None


_PRICES = msgspec.json.Decoder(_PriceRow)
_EVICTIONS = msgspec.json.Decoder(_EvictionRow)
_SCORES = msgspec.json.Decoder(_ScoreRow)


class _Numbers[Key](dict[Key, int]):
    """Numbers its keys in order of appearance."""

    def __missing__(self, key: Key) -> int:
        number = self[key] = len(self)
        return number


@dataclass
class Columns:
    """Rows of one run, in columns; a pair is its number in ``pairs``, in order of appearance.

    Attributes:
        regions: Region code -> billing name.
        pairs: (region, size) as spelt in the rows -> number.
        price_pairs, spot, ondemand: One entry a price row; None is unknown.
        eviction_pairs, bands, frequency: One entry an eviction row; None is unknown.
        score_pairs, zones, physical, places, scores: One entry a score row: code of the zone, physical zone or
            "", place of the desired count, score or 0 for unknown.
    """

    regions: dict[str, str] = field(default_factory=dict)
    pairs: _Numbers[tuple[str, str]] = field(default_factory=_Numbers)
    price_pairs: list[int] = field(default_factory=list)
    spot: list[float | None] = field(default_factory=list)
    ondemand: list[float | None] = field(default_factory=list)
    eviction_pairs: list[int] = field(default_factory=list)
    bands: list[str] = field(default_factory=list)
    frequency: list[float | None] = field(default_factory=list)
    score_pairs: list[int] = field(default_factory=list)
    zones: list[int] = field(default_factory=list)
    physical: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    scores: list[int] = field(default_factory=list)
    _texts: dict[str, str] = field(default_factory=dict)  # one copy of each text that repeats

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Leave only rows of wanted sizes (a run that was asked for some)."""
        kept = [wanted(size) for _, size in self.pairs]
        for names in (
            ("price_pairs", "spot", "ondemand"),
            ("eviction_pairs", "bands", "frequency"),
            ("score_pairs", "zones", "physical", "places", "scores"),
        ):
            chosen = [kept[pair] for pair in getattr(self, names[0])]
            for name in names:
                column = getattr(self, name)
                setattr(self, name, [value for value, keep in zip(column, chosen, strict=True) if keep])

    def counts(self) -> dict[str, int]:
        """Rows with a known value, by data set."""
        return {
            "sps": sum(1 for score in self.scores if score),
            "price": sum(1 for price in self.spot if price is not None),
            "eviction": sum(1 for one in self.frequency if one is not None),
        }

    def read_prices(self, shard: RawShard, key: str) -> None:
        """Append the rows of a price shard. Raises ShardRefusedError."""
        rows = _decoded(_PRICES, shard, key)
        _check_one_region(rows, shard.header.region, key)
        pairs = self.pairs
        self.price_pairs += [pairs[row.region, row.instance_type] for row in rows]
        self.spot += [row.spot_price_usd_per_hour for row in rows]
        self.ondemand += [row.ondemand_price_usd_per_hour for row in rows]
        name = next((row.region_name for row in reversed(rows) if row.region_name), "")
        if name:
            self.regions[shard.header.region] = name

    def read_evictions(self, shard: RawShard, key: str) -> None:
        """Append the rows of an eviction shard. Raises ShardRefusedError."""
        rows = _decoded(_EVICTIONS, shard, key)
        _check_one_region(rows, shard.header.region, key)
        pairs, one_copy = self.pairs, self._texts.setdefault
        self.eviction_pairs += [pairs[row.region, row.instance_type] for row in rows]
        self.bands += [one_copy(row.eviction_band, row.eviction_band) for row in rows]
        self.frequency += [row.interruption_frequency for row in rows]

    def read_scores(self, shard: RawShard, key: str, *, regions: frozenset[str]) -> None:
        """Append the rows of a score shard; rows without a zone say nothing of any workload.

        Rows of regions that the run did not ask for are refused, like any other row that cannot be.

        Raises:
            ShardRefusedError: With the reason.
        """
        rows = _decoded(_SCORES, shard, key)
        others = {row.region for row in rows} - regions
        if others:
            raise ShardRefusedError(key, "other_region", min(others))
        _check_sizes({row.instance_type for row in rows}, key)
        rows = [row for row in rows if row.zone is not None]
        pairs, one_copy = self.pairs, self._texts.setdefault
        numbers = [pairs[row.region, row.instance_type] for row in rows]
        zones = [_ZONE_CODES[row.zone] for row in rows]
        places = [_PLACES[row.desired_count] for row in rows]
        _check_distinct(numbers, zones, places, key)
        self.score_pairs += numbers
        self.zones += zones
        self.places += places
        self.physical += [one_copy(row.physical_zone or "", row.physical_zone or "") for row in rows]
        self.scores += [row.score or 0 for row in rows]


def _decoded[Row](decoder: msgspec.json.Decoder[Row], shard: RawShard, key: str) -> list[Row]:
    try:
        return decoder.decode_lines(shard.lines)
    except msgspec.ValidationError as error:
        raise ShardRefusedError(key, "bad_row", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ShardRefusedError(key, "not_json", "row") from error


def _check_one_region(rows: Sequence[_PriceRow] | Sequence[_EvictionRow], region: str, key: str) -> None:
    """Rows of the shard's own region, each size once however it is spelt."""
    others = {row.region for row in rows} - {region}
    if others:
        raise ShardRefusedError(key, "other_region", min(others))
    sizes = {join_key(row.instance_type) for row in rows}
    _check_sizes(sizes, key)
    if len(sizes) < len(rows):
        raise ShardRefusedError(key, "duplicate_row", f"{len(rows) - len(sizes)} sizes stand twice")


def _check_sizes(sizes: set[str], key: str) -> None:
    odd = [size for size in sizes if "_" not in size]
    if odd:
        raise ShardRefusedError(key, "bad_row", min(odd))


def _check_distinct(pairs: list[int], zones: list[int], places: list[int], key: str) -> None:
    """Each workload and count once."""
    codes = (np.array(pairs, np.int64) * len(ZONES) + np.array(zones, np.int64)) * len(DESIRED_COUNTS)
    twice = len(codes) - len(np.unique(codes + np.array(places, np.int64)))
    if twice:
        raise ShardRefusedError(key, "duplicate_row", f"{twice} scores stand twice")
