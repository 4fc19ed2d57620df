"""The change history as Parquet (pure). docs/history.md describes each file and column.

Texts are written as plain strings (``store_schema=False``), because pyarrow and Polars skip row groups only by the
statistics of plain strings. Files are sorted by workload and time: what stays the same then costs nearly nothing.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from spotlake.errors import DamagedStateError
from spotlake.history.blocks import Block, joined, ordered
from spotlake.history.fields import CHANGES, KEYS, KINDS, TEXT_COLUMNS, TIME_NOTES, TIMES, VALUES, ZONE_NAMES, is_known
from spotlake.merge.growing_columns import Column
from spotlake.models import SLOT_MINUTES

_SLOT_MS: Final = SLOT_MINUTES * 60 * 1000
_SMALL_GROUP, _LARGE_GROUP = 32_768, 131_072
_TIME = pa.timestamp("ms", tz="UTC")
_ARROW = {"|b1": pa.bool_(), "<f8": pa.float64(), "<f4": pa.float32(), "<i1": pa.int8()}
_DAMAGE = (pa.ArrowException, OSError, LookupError, TypeError, ValueError)  # what reading a damaged file ends with
_NAMES: Final = {"slot": "changed_at"}  # column of a block -> column of a file


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How one kind of file is written.

    Attributes:
        columns: Columns of the block.
        group_rows: Rows of a row group. Small groups suit look-ups of one workload over HTTP.
        delta: Whether times are written as differences. They are smaller so where a file spans more than a day.
    """

    columns: tuple[str, ...]
    group_rows: int = _SMALL_GROUP
    delta: bool = False


DAY = Layout(columns=CHANGES, group_rows=_SMALL_GROUP)
REGION = Layout(columns=CHANGES, delta=True)
STATE = Layout(columns=(*KEYS, *VALUES))
STATE_WITH_TIMES = Layout(columns=(*KEYS, *VALUES, *TIMES))
NOTES = Layout(columns=TIME_NOTES, group_rows=_LARGE_GROUP, delta=True)


def to_table(block: Block, layout: Layout) -> pa.Table:
    """The block's rows as a table of the layout's columns."""
    return pa.table({_NAMES.get(name, name): _arrow(block, name) for name in layout.columns})


def to_parquet(block: Block, layout: Layout, about: Mapping[str, object] | None = None) -> bytes:
    """A file of the block's rows, which must be in order. ``about`` is JSON in the file's footer (key ``spotlake``)."""
    table = to_table(block, layout)
    names = table.column_names
    times = [name for name in names if layout.delta and table.schema.field(name).type == _TIME]
    keys = [name for name in names if name in (*KEYS, "changed_at")]
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=6,
        use_dictionary=[name for name in names if name not in times],
        column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED") or None,
        write_statistics=keys,
        sorting_columns=pq.SortingColumn.from_ordering(table.schema, [(name, "ascending") for name in keys]),
        store_schema=False,
    ) as writer:
        writer.write_table(table, row_group_size=layout.group_rows)
        if about is not None:
            writer.add_key_value_metadata({"spotlake": orjson.dumps(about, option=orjson.OPT_SORT_KEYS).decode()})
    return sink.getvalue()


def from_parquet(body: bytes, names: Collection[str], key: str) -> tuple[Block, Any]:
    """The rows of a file, and what its footer says about it.

    Args:
        body: The file.
        names: Columns of the block.
        key: The file's key, for the error.

    Raises:
        DamagedStateError: The file is damaged, or lacks a column.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(body), read_dictionary=[_NAMES.get(n, n) for n in names if _is_text(n)])
        block = block_of(file.read([_NAMES.get(name, name) for name in names]), names)
        return block, _told_about(file)
    except _DAMAGE as error:
        raise DamagedStateError(f"{key}: damaged ({type(error).__name__})") from error


def read_table(body: bytes, key: str) -> tuple[pa.Table, Any]:
    """A file as a table, and what its footer says about it. Raises DamagedStateError for a damaged file."""
    try:
        file = pq.ParquetFile(io.BytesIO(body))
        return file.read(), _told_about(file)
    except _DAMAGE as error:
        raise DamagedStateError(f"{key}: damaged ({type(error).__name__})") from error


def _told_about(file: pq.ParquetFile) -> Any:
    about = (file.metadata.metadata or {}).get(b"spotlake")
    return orjson.loads(about) if about else None


def block_of(table: pa.Table, names: Collection[str]) -> Block:
    """The block of a table as ``to_parquet`` writes it."""
    texts: list[str] = [""]
    columns: dict[str, Column] = {}
    for name in names:
        column = table.column(_NAMES.get(name, name))
        if name in TEXT_COLUMNS:
            columns[name] = _places(column, texts)
        elif name in ("zone", "field"):
            columns[name] = _coded(column, ZONE_NAMES if name == "zone" else TIMES)
        else:
            columns[name] = _numbers(column, name)
    return Block.of(texts, columns)


def replaced(before: Block, slots: Collection[int], rows: Block) -> Block:
    """The rows of ``before`` with those of some slots replaced, in order."""
    others = before.take(~np.isin(before["slot"], list(slots)))
    return ordered(joined(others, rows), *(name for name in ("field", "slot") if name in rows.columns))


def _is_text(name: str) -> bool:
    return name in TEXT_COLUMNS or name in ("zone", "field")


def _arrow(block: Block, name: str) -> pa.Array:
    values = block[name]
    if name in TEXT_COLUMNS:
        return _dictionary(values, block.texts, values == 0)
    if name == "zone":
        return _dictionary(values, ZONE_NAMES, values < 0)
    if name == "field":
        return _dictionary(values, TIMES, None)
    if KINDS[name] == KINDS["at"]:
        return pa.array(values.astype(np.int64) * _SLOT_MS, mask=values == 0).cast(pa.timestamp("ms")).cast(_TIME)
    mask = None if name == "live" else ~is_known(name, values)
    return pa.array(values, _ARROW[KINDS[name][0]], mask=mask)


def _dictionary(codes: Column, texts: Sequence[str], mask: Column | None) -> pa.Array:
    """The column with the texts that it holds, and no other."""
    used = np.zeros(len(texts), bool)
    used[codes if mask is None else codes[~mask]] = True
    places = (np.cumsum(used, dtype=np.int32) - 1)[codes]
    held = [text for text, is_used in zip(texts, used.tolist(), strict=True) if is_used]
    return pa.DictionaryArray.from_arrays(pa.array(places, mask=mask), pa.array(held, pa.string()))


def _places(column: pa.ChunkedArray, texts: list[str]) -> Column:
    """Places of a column's texts in ``texts``, which grows; 0 for null."""
    parts = [np.empty(0, np.int32)]
    for chunk in _dictionaries(column):
        begin = len(texts)
        texts += chunk.dictionary.to_pylist()
        parts.append(_filled(chunk.indices, -begin) + begin)
    return np.concatenate(parts).astype(KINDS["region"][0])


def _coded(column: pa.ChunkedArray, names: tuple[str, ...]) -> Column:
    parts = [np.empty(0, np.int8)]
    for chunk in _dictionaries(column):
        codes = np.array([*(names.index(text) for text in chunk.dictionary.to_pylist()), -1], np.int8)
        parts.append(codes[_filled(chunk.indices, -1)])
    return np.concatenate(parts)


def _dictionaries(column: pa.ChunkedArray) -> list[Any]:
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return list(encoded.chunks)


def _filled(indices: pa.Array, null: int) -> Column:
    filled: Column = indices.fill_null(null).to_numpy()
    return filled


def _numbers(column: pa.ChunkedArray, name: str) -> Column:
    kind, unknown = KINDS[name]
    if KINDS[name] == KINDS["at"]:
        milliseconds: Column = column.cast(pa.int64()).fill_null(0).to_numpy()
        return (milliseconds // _SLOT_MS).astype(kind)
    if name == "live":
        flags: Column = column.to_numpy()
        return flags
    values: Column = column.fill_null(unknown).to_numpy()
    return values.astype(kind)
