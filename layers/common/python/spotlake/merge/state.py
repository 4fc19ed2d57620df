"""The merged state: all that is known of every pair and every workload, in columns (pure).

A pair is (region, size) and has prices and an eviction rate. A workload is (pair, zone) and has scores. Pairs and
workloads are only ever appended. Times are slot numbers: ten-minute slots since the epoch, 0 = never. In S3 the state
is gzip: one line of JSON (schema number, slot, names), then the columns in the order below, little-endian. As JSON the
columns would take twice the memory and a fifth of a merge's time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import orjson

from spotlake.errors import StoreError
from spotlake.merge.columns import ZONES
from spotlake.merge.growing_columns import Column
from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES
from spotlake.packing import pack_parts, unpack

SCHEMA = 2
COUNTS = len(DESIRED_COUNTS)
_SLOT_SECONDS = SLOT_MINUTES * 60

# name -> (type, shape of one row, value of "unknown")
PAIR_COLUMNS: dict[str, tuple[str, tuple[int, ...], float]] = {
    "region": ("<u4", (), 0),  # index into ``texts``, as are the size, the band and the physical zone
    "size": ("<u4", (), 0),
    "spot": ("<f8", (), np.nan),
    "spot_began": ("<u4", (), 0),
    "ondemand": ("<f8", (), np.nan),
    "ondemand_began": ("<u4", (), 0),
    "frequency": ("<f4", (), np.nan),
    "band": ("<u4", (), 0),
    "frequency_began": ("<u4", (), 0),
    "listed": ("<u4", (), 0),  # last slot in which any value of the pair was seen
}
WORKLOAD_COLUMNS: dict[str, tuple[str, tuple[int, ...], float]] = {
    "pair": ("<u4", (), 0),
    "zone": ("<i1", (), 0),  # index into ``ZONES``
    "physical": ("<u4", (), 0),
    "answered": ("<u4", (), 0),  # last slot in which an answer held the workload
    "seen": ("<u4", (COUNTS, 3), 0),  # last slot of each score by count; index 0 = score 1
    "score": ("<i1", (COUNTS,), 0),  # last known score by count, 0 = never
    "score_began": ("<u4", (COUNTS,), 0),
}


def slot_number(moment: datetime) -> int:
    """Number of ten-minute slots since the epoch."""
    return int(moment.timestamp()) // _SLOT_SECONDS


def slot_time(number: int) -> datetime:
    """The inverse of ``slot_number``."""
    return datetime.fromtimestamp(number * _SLOT_SECONDS, UTC)


def _empty(spec: tuple[str, tuple[int, ...], float], rows: int = 0) -> Column:
    kind, shape, unknown = spec
    return np.full((rows, *shape), unknown, dtype=kind)


@dataclass
class MergedState:
    """Everything that is known of pairs and workloads.

    Attributes:
        slot: The newest slot merged (0 = none).
        regions: Region code -> billing name.
        texts: Regions, sizes in ARM casing, eviction bands and physical zones, each name once. The first is "".
        pair, workloads: The columns (``PAIR_COLUMNS``, ``WORKLOAD_COLUMNS``).
    """

    slot: int = 0
    regions: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=lambda: [""])
    pair: dict[str, Column] = field(default_factory=lambda: {n: _empty(spec) for n, spec in PAIR_COLUMNS.items()})
    workloads: dict[str, Column] = field(
        default_factory=lambda: {n: _empty(spec) for n, spec in WORKLOAD_COLUMNS.items()}
    )

    def pairs(self) -> list[tuple[str, str]]:
        """(region, size in ARM casing) of each pair, in order of appearance."""
        texts = self.texts
        regions, sizes = (self.pair[name].tolist() for name in ("region", "size"))
        return [(texts[region], texts[size]) for region, size in zip(regions, sizes, strict=True)]

    def text_numbers(self, texts: Iterable[str]) -> Column:
        """Numbers of the given texts. New texts are appended."""
        known = {text: number for number, text in enumerate(self.texts)}
        numbers = [known.setdefault(text, len(known)) for text in texts]
        self.texts = list(known)
        return np.array(numbers, np.int64)

    def add_pairs(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Append pairs without any known value."""
        named = list(pairs)
        self.pair = _longer(
            self.pair,
            PAIR_COLUMNS,
            region=self.text_numbers(region for region, _ in named),
            size=self.text_numbers(size for _, size in named),
        )

    def add_workloads(self, pairs: Column, zones: Column) -> None:
        """Append workloads without any known value, given the numbers of their pairs and the codes of their zones."""
        self.workloads = _longer(self.workloads, WORKLOAD_COLUMNS, pair=pairs, zone=zones)

    def copy(self, *, without: str = "") -> MergedState:
        """A copy that can be changed on its own. One column of the workloads may be left out."""
        return replace(
            self,
            regions=dict(self.regions),
            pair={name: column.copy() for name, column in self.pair.items()},
            workloads={name: column.copy() for name, column in self.workloads.items() if name != without},
        )

    def encode(self) -> bytes:
        """The state's bytes; the same state gives the same bytes."""
        head = {
            "schema": SCHEMA,
            "slot": self.slot,
            "desired_counts": DESIRED_COUNTS,
            "zones": ZONES,
            "pairs": len(self.pair["region"]),
            "rows": len(self.workloads["pair"]),
            "regions": self.regions,
            "texts": self.texts,
        }
        columns = (*(self.pair[name] for name in PAIR_COLUMNS), *(self.workloads[name] for name in WORKLOAD_COLUMNS))
        return pack_parts((orjson.dumps(head), b"\n", *(one.reshape(-1).view(np.uint8).data for one in columns)))


def decode(body: bytes, key: str) -> MergedState:
    """Read a state from bytes. Raises StoreError when the bytes are damaged or have another schema."""
    try:
        content = unpack(body)
        end = content.index(b"\n")
        head = orjson.loads(memoryview(content)[:end])
        if (head["schema"], tuple(head["desired_counts"]), tuple(head["zones"])) != (SCHEMA, DESIRED_COUNTS, ZONES):
            raise StoreError(f"{key}: schema {head['schema']!r}, this code reads {SCHEMA}")
        state = MergedState(slot=head["slot"], regions=head["regions"], texts=head["texts"])
        end += 1
        for columns, specs, rows in (
            (state.pair, PAIR_COLUMNS, head["pairs"]),
            (state.workloads, WORKLOAD_COLUMNS, head["rows"]),
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


def _longer(
    columns: dict[str, Column], specs: dict[str, tuple[str, tuple[int, ...], float]], **given: Column
) -> dict[str, Column]:
    """Columns with appended entries; a value that is not given is unknown."""
    (rows,) = {len(one) for one in given.values()}
    return {
        name: np.concatenate([columns[name], given[name].astype(spec[0]) if name in given else _empty(spec, rows)])
        for name, spec in specs.items()
    }
