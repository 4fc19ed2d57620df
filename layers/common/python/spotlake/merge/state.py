"""The merged state: what is known of every pair and every workload, in columns (pure).

A pair is (region, size) and carries prices and eviction rate; a workload is (pair, zone) and carries
scores. Rows are only ever appended. Times are slot numbers: ten-minute slots since the epoch, 0 = never.
In S3 it is gzip of one line of JSON (schema number, names, as lists) and after it the columns, little-endian, in
the order in which they stand below: as JSON they would take twice the memory and a fifth of a merge's time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from spotlake.errors import StoreError
from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES
from spotlake.packing import pack_parts, unpack

SCHEMA = 2
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

    def copy(self) -> MergedState:
        """The same, to be changed by itself."""
        return MergedState(
            slot=self.slot,
            regions=dict(self.regions),
            pairs=list(self.pairs),
            zones=list(self.zones),
            physical=list(self.physical),
            bands=list(self.bands),
            pair={name: column.copy() for name, column in self.pair.items()},
            rows={name: column.copy() for name, column in self.rows.items()},
        )

    def encode(self) -> bytes:
        """The state's bytes; the same state gives the same bytes."""
        head = {
            "schema": SCHEMA,
            "slot": self.slot,
            "desired_counts": DESIRED_COUNTS,
            "regions": self.regions,
            "pairs": [f"{region}/{size}" for region, size in self.pairs],
            "zones": self.zones,
            "physical": self.physical,
            "bands": self.bands,
        }
        columns = (*(self.pair[name] for name in PAIR_COLUMNS), *(self.rows[name] for name in ROW_COLUMNS))
        return pack_parts((orjson.dumps(head), b"\n", *(one.reshape(-1).view(np.uint8).data for one in columns)))


def decode(body: bytes, key: str) -> MergedState:
    """A state from its bytes. Raises StoreError when they are damaged or of another schema."""
    try:
        content = unpack(body)
        end = content.index(b"\n")
        head = orjson.loads(memoryview(content)[:end])
        if head["schema"] != SCHEMA or tuple(head["desired_counts"]) != DESIRED_COUNTS:
            raise StoreError(f"{key}: schema {head['schema']!r}, this code reads {SCHEMA}")
        state = MergedState(
            slot=head["slot"],
            regions=head["regions"],
            pairs=[_split(text) for text in head["pairs"]],
            zones=head["zones"],
            physical=head["physical"],
            bands=head["bands"],
        )
        end += 1
        for columns, specs, rows in (
            (state.pair, PAIR_COLUMNS, len(state.pairs)),
            (state.rows, ROW_COLUMNS, len(state.zones)),
        ):
            for name, (kind, shape, _) in specs.items():
                size = rows * math.prod(shape)
                columns[name] = np.frombuffer(content, kind, size, end).reshape((rows, *shape)).copy()
                end += columns[name].nbytes
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{key}: damaged ({type(error).__name__})") from error
    if end != len(content):
        raise StoreError(f"{key}: damaged (length)")
    return state


def _split(text: str) -> tuple[str, str]:
    region, _, size = text.partition("/")
    return region, size
