"""The merged state: all that is known of every pair and every workload, in columns (pure).

A pair is (region, size) and has prices and an eviction rate. A workload is (pair, zone) and has scores. Pairs and
workloads are only ever appended. Times are slot numbers: ten-minute slots since the epoch, 0 = never. In S3 the state
is gzip: one line of JSON (schema number, slot, names), then the columns in the order below, little-endian. As JSON the
columns would take twice the memory and a fifth of a merge's time.
"""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import BinaryIO, cast

import numpy as np
import orjson

from spotlake.errors import DamagedStateError
from spotlake.merge.columns import ZONES
from spotlake.merge.growing_columns import Column
from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES
from spotlake.packing import MOST_BYTES, pack_parts, unpacked

SCHEMA = 3
_BEFORE_EVIDENCE = 2  # the schema without the columns of ``_EVIDENCE``
COUNTS = len(DESIRED_COUNTS)
_SLOT_SECONDS = SLOT_MINUTES * 60
_READ_BYTES = 1024**2  # unpacking a whole column at once takes half as long again
type _Specs = dict[str, tuple[str, tuple[int, ...], float]]

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
# When each value was last confirmed, when a look first missed it since (0: none did), and how many looks did.
_EVIDENCE: dict[str, tuple[str, tuple[int, ...], float]] = {
    f"{part}_{name}": (kind, (), 0)
    for part in ("spot", "ondemand", "frequency")
    for name, kind in (("confirmed", "<u4"), ("missed", "<u4"), ("looks", "<u1"))
}
# Days on which it was looked for and not there since it was last there, and the last of them (days since the epoch).
_UNSEEN: dict[str, tuple[str, tuple[int, ...], float]] = {"unseen_days": ("<u2", (), 0), "unseen_day": ("<u4", (), 0)}
PAIR_COLUMNS |= _EVIDENCE | _UNSEEN
WORKLOAD_COLUMNS: dict[str, tuple[str, tuple[int, ...], float]] = {
    "pair": ("<u4", (), 0),
    "zone": ("<i1", (), 0),  # index into ``ZONES``
    "physical": ("<u4", (), 0),
    "answered": ("<u4", (), 0),  # last slot in which an answer held the workload
    "seen": ("<u4", (COUNTS, 3), 0),  # last slot of each score by count; index 0 = score 1
    "score": ("<i1", (COUNTS,), 0),  # last known score by count, 0 = never
    "score_began": ("<u4", (COUNTS,), 0),
    **_UNSEEN,
}

_SINCE_EVIDENCE = {*_EVIDENCE, *_UNSEEN}


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
        with unpacked(body) as file:
            head = orjson.loads(file.readline(MOST_BYTES))
            known = head["schema"] in (SCHEMA, _BEFORE_EVIDENCE)
            if not known or (tuple(head["desired_counts"]), tuple(head["zones"])) != (DESIRED_COUNTS, ZONES):
                raise DamagedStateError(
                    f"{key}: schema {head['schema']!r}, this code reads {_BEFORE_EVIDENCE} to {SCHEMA}"
                )
            state = MergedState(slot=head["slot"], regions=head["regions"], texts=head["texts"])
            lacking = _SINCE_EVIDENCE if head["schema"] == _BEFORE_EVIDENCE else frozenset[str]()
            state.pair = _read_columns(file, PAIR_COLUMNS, head["pairs"], lacking)
            state.workloads = _read_columns(file, WORKLOAD_COLUMNS, head["rows"], lacking)
            is_longer = bool(file.read(1))
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedStateError(f"{key}: damaged ({type(error).__name__})") from error
    if is_longer:
        raise DamagedStateError(f"{key}: damaged (length)")
    if head["schema"] == _BEFORE_EVIDENCE:
        for part in ("spot", "ondemand", "frequency"):  # all that is known of a value is that it began
            state.pair[f"{part}_confirmed"] = state.pair[f"{part}_began"].copy()
    return state


def _read_columns(file: BinaryIO, specs: _Specs, rows: int, lacking: Collection[str]) -> dict[str, Column]:
    """Read columns straight into their places; a lacking one is unknown."""
    sizes = {name: rows * math.prod(shape) * np.dtype(kind).itemsize for name, (kind, shape, _) in specs.items()}
    if sum(sizes.values()) > MOST_BYTES:
        raise ValueError("too large")
    columns = {}
    for name, spec in specs.items():
        if name in lacking:
            columns[name] = _empty(spec, rows)
            continue
        kind, shape, _ = spec
        columns[name] = np.empty((rows, *shape), kind)
        place = columns[name].reshape(-1).view(np.uint8)
        for begin in range(0, len(place), _READ_BYTES):
            part = place[begin : begin + _READ_BYTES]
            if cast("io.BufferedIOBase", file).readinto(part.data) < len(part):
                raise ValueError("cut off")
    return columns


def _longer(
    columns: dict[str, Column], specs: dict[str, tuple[str, tuple[int, ...], float]], **given: Column
) -> dict[str, Column]:
    """Columns with appended entries; a value that is not given is unknown."""
    (rows,) = {len(one) for one in given.values()}
    return {
        name: np.concatenate([columns[name], given[name].astype(spec[0]) if name in given else _empty(spec, rows)])
        for name, spec in specs.items()
    }
