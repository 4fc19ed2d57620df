"""The merged state: what is known of every pair and every workload, in columns (pure).

A pair is (region, size) and carries prices and eviction rate; a workload is (pair, zone) and carries
scores. Rows are only ever appended. Times are slot numbers: ten-minute slots since the epoch, 0 = never.
In S3 it is gzip JSON: names as lists, columns as base64 of little-endian arrays, with a schema number.
"""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from spotlake.errors import StoreError
from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES
from spotlake.names import join_key

SCHEMA = 1
COUNTS = len(DESIRED_COUNTS)
_SLOT_SECONDS = SLOT_MINUTES * 60
type Column = npt.NDArray[Any]

# name -> (type, shape of one row, value of "unknown")
PAIR_COLUMNS: dict[str, tuple[str, tuple[int, ...], float]] = {
    "spot": ("<f8", (), np.nan),
    "spot_began": ("<u4", (), 0),
    "ondemand": ("<f8", (), np.nan),
    "ondemand_began": ("<u4", (), 0),
    "frequency": ("<f4", (), np.nan),
    "band": ("<i2", (), -1),  # index into ``bands``
    "frequency_began": ("<u4", (), 0),
    "listed": ("<u4", (), 0),  # last slot in which any part of the pair was seen
}
ROW_COLUMNS: dict[str, tuple[str, tuple[int, ...], float]] = {
    "pair": ("<u4", (), 0),
    "answered": ("<u4", (), 0),  # last slot in which the workload stood in an answer
    "seen": ("<u4", (COUNTS, 3), 0),  # last slot of each score by count; index 0 = score 1
    "score": ("<i1", (COUNTS,), 0),  # last known score by count, 0 = never
    "score_began": ("<u4", (COUNTS,), 0),
}


def slot_number(moment: datetime) -> int:
    """Ten-minute slots since the epoch."""
    return int(moment.timestamp()) // _SLOT_SECONDS


def slot_time(number: int) -> datetime:
    """The inverse of ``slot_number``."""
    return datetime.fromtimestamp(number * _SLOT_SECONDS, UTC)


def _empty(spec: tuple[str, tuple[int, ...], float], rows: int = 0) -> Column:
    kind, shape, unknown = spec
    return np.full((rows, *shape), unknown, dtype=kind)


@dataclass
class MergedState:
    """Everything that is known.

    Attributes:
        slot: The newest slot merged (0 = none).
        regions: Region code -> billing name.
        pairs: (region, size in ARM casing), in order of appearance.
        zones: Zone of each workload ("1".."3" or "Single"); its pair is ``rows["pair"]``.
        physical: Physical zone of each workload, "" where unknown.
        bands: Eviction bands met so far.
        pair, rows: The columns (``PAIR_COLUMNS``, ``ROW_COLUMNS``).
    """

    slot: int = 0
    regions: dict[str, str] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    zones: list[str] = field(default_factory=list)
    physical: list[str] = field(default_factory=list)
    bands: list[str] = field(default_factory=list)
    pair: dict[str, Column] = field(default_factory=lambda: {n: _empty(spec) for n, spec in PAIR_COLUMNS.items()})
    rows: dict[str, Column] = field(default_factory=lambda: {n: _empty(spec) for n, spec in ROW_COLUMNS.items()})

    def pair_index(self) -> dict[tuple[str, str], int]:
        """(region, ``join_key`` of the size) -> number of the pair."""
        return {(region, join_key(size)): number for number, (region, size) in enumerate(self.pairs)}

    def row_index(self) -> dict[tuple[int, str], int]:
        """(number of the pair, zone) -> number of the workload."""
        return {key: number for number, key in enumerate(zip(self.rows["pair"].tolist(), self.zones, strict=True))}

    def grow(self) -> None:
        """Lengthen the columns to the names that were appended."""
        for columns, specs, wanted in (
            (self.pair, PAIR_COLUMNS, len(self.pairs)),
            (self.rows, ROW_COLUMNS, len(self.zones)),
        ):
            for name, spec in specs.items():
                missing = wanted - len(columns[name])
                if missing:
                    columns[name] = np.concatenate([columns[name], _empty(spec, missing)])

    def encode(self) -> bytes:
        """The state's bytes; the same state gives the same bytes."""
        content = {
            "schema": SCHEMA,
            "slot": self.slot,
            "desired_counts": DESIRED_COUNTS,
            "regions": self.regions,
            "pairs": [f"{region}/{size}" for region, size in self.pairs],
            "zones": self.zones,
            "physical": self.physical,
            "bands": self.bands,
            "pair": {name: _packed(column) for name, column in self.pair.items()},
            "rows": {name: _packed(column) for name, column in self.rows.items()},
        }
        return gzip.compress(orjson.dumps(content), compresslevel=1, mtime=0)


def decode(body: bytes, key: str) -> MergedState:
    """A state from its bytes. Raises StoreError when they are damaged or of another schema."""
    try:
        content = orjson.loads(gzip.decompress(body))
        if content["schema"] != SCHEMA or tuple(content["desired_counts"]) != DESIRED_COUNTS:
            raise StoreError(f"{key}: schema {content['schema']!r}, this code reads {SCHEMA}")
        state = MergedState(
            slot=content["slot"],
            regions=content["regions"],
            pairs=[_split(text) for text in content["pairs"]],
            zones=content["zones"],
            physical=content["physical"],
            bands=content["bands"],
        )
        state.pair = {name: _unpacked(content["pair"][name], spec) for name, spec in PAIR_COLUMNS.items()}
        state.rows = {name: _unpacked(content["rows"][name], spec) for name, spec in ROW_COLUMNS.items()}
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{key}: damaged ({type(error).__name__})") from error
    return state


def _split(text: str) -> tuple[str, str]:
    region, _, size = text.partition("/")
    return region, size


def _packed(column: Column) -> str:
    return base64.b64encode(np.ascontiguousarray(column).tobytes()).decode("ascii")


def _unpacked(text: str, spec: tuple[str, tuple[int, ...], float]) -> Column:
    kind, shape, _ = spec
    return np.frombuffer(base64.b64decode(text), dtype=kind).reshape((-1, *shape)).copy()
