"""Reads some row groups of a Parquet file in few requests: its end, then each wanted run of bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spotlake.archive.places import Part, Place
from spotlake.errors import DamagedStateError

_TAIL_BYTES = 28 * 1024  # holds the footer of a region's month or of a day; a longer one is one request more


class _Ranged(io.RawIOBase):
    """A file whose bytes are fetched by range, each at most once."""

    def __init__(self, place: Place, key: str, tail: Part) -> None:
        self._place, self._key, self._parts, self._at = place, key, [tail], 0
        self.size = tail.size

    def fetch(self, begin: int, end: int) -> None:
        """Fetch a run of bytes, unless it is there."""
        if not any(part.begin <= begin and end <= part.begin + len(part.body) for part in self._parts):
            self._parts.append(self._place.part(self._key, begin, end - begin))

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self.size, self._at + size)
        self.fetch(self._at, end)
        having = (one for one in self._parts if one.begin <= self._at and end <= one.begin + len(one.body))
        part = next(having, None)
        if part is None:
            raise OSError(f"{self._key}: bytes {self._at} to {end} did not come whole")
        body = part.body[self._at - part.begin : end - part.begin]
        self._at = end
        return body

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at


def read_ranged(
    place: Place, key: str, wanted: Callable[[tuple[str, ...], tuple[str, ...]], bool], texts: Collection[str]
) -> pa.Table | None:
    """Read the row groups whose first and last keys are wanted.

    Args:
        place: The folder, bucket or web server that holds the file.
        key: Its key.
        wanted: Called with the smallest and the largest (region, instance type, zone) of a row group.
        texts: Columns to read as dictionaries.

    Returns:
        Their rows; None when there is no file.

    Raises:
        DamagedStateError: The file is damaged.
    """
    try:
        return _read_once(place, key, wanted, texts)
    except DamagedStateError:  # or it was replaced between two requests
        return _read_once(place, key, wanted, texts)


def _read_once(
    place: Place, key: str, wanted: Callable[[tuple[str, ...], tuple[str, ...]], bool], texts: Collection[str]
) -> pa.Table | None:
    tail = place.tail(key, _TAIL_BYTES)
    if tail is None:
        return None
    ranged = _Ranged(place, key, tail)
    try:
        file = pq.ParquetFile(pa.PythonFile(ranged, mode="r"), read_dictionary=list(texts), pre_buffer=False)
        groups = [number for number in range(file.metadata.num_row_groups) if wanted(*_bounds(file, number))]
        for number in groups:
            ranged.fetch(*_bytes(file, number))
        return file.read_row_groups(groups) if groups else file.schema_arrow.empty_table()
    except (pa.ArrowException, OSError) as error:
        raise DamagedStateError(f"{place.bucket}/{key}: damaged ({type(error).__name__})") from error


def _bounds(file: Any, number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The smallest and the largest value of each key column; "" where the file does not say."""
    group = file.metadata.row_group(number)
    statistics = [group.column(place).statistics for place in range(3)]
    least = tuple(str(one.min) if one is not None and one.has_min_max else "" for one in statistics)
    most = tuple(str(one.max) if one is not None and one.has_min_max else "\U0010ffff" for one in statistics)
    return least, most


def _bytes(file: Any, number: int) -> tuple[int, int]:
    """Where the bytes of a row group begin and end."""
    group = file.metadata.row_group(number)
    columns = [group.column(place) for place in range(group.num_columns)]
    begins = [min(one.data_page_offset, one.dictionary_page_offset or one.data_page_offset) for one in columns]
    ends = [begin + one.total_compressed_size for begin, one in zip(begins, columns, strict=True)]
    return min(begins), max(ends)
