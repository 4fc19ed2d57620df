"""A shard: the data of one collector, region and attempt, as gzip JSON lines. It is never overwritten.

The first line is the header. Every further line is one row that can be read alone::

    {"schema":2,"dataset":"sps","run_id":"20251215T1000Z","attempt":1765792800123,"region":"koreacentral",
     "source":"live","collected_at":"...","report":{...}}
    {"run_id":...,"source":...,"observed_at":...,"region":...,"instance_type":..., ...}

``shard_rows`` has the fields of the rows. A price or eviction shard holds rows of its own region. A score shard holds
rows of any region of the attempt: its key names the region whose collector sent the calls, and ``report.accounts`` in
its header names the scored regions. If an attempt did not ask for on-demand prices, no row of its price shard has one,
and ``report.counts.ondemand_asked`` is 0. Shards of schema 1 have no attempt and are read as attempt 0.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from spotlake.checked import converted
from spotlake.errors import ShardRefusedError
from spotlake.models import Dataset, to_iso
from spotlake.packing import TooLargeError, unpack
from spotlake.reports import CollectorReport
from spotlake.shard_rows import ShardRow

SCHEMA = 2
_FIRST_SCHEMA = 1  # before attempts had numbers
MOST_BYTES = 64 * 1024**2  # unpacked; a shard of a full run has some 5 MB, and the merge 1 GB of memory
_NEWLINE = ord(b"\n")
_GZIP_MAGIC = b"\x1f\x8b"
_COMPRESS_LEVEL = 5  # 1 % larger than 6 and a third quicker on these rows


@dataclass(frozen=True, kw_only=True)
class ShardHeader:
    """The first line of a shard."""

    dataset: Dataset
    run_id: str
    region: str
    source: str
    collected_at: datetime
    report: CollectorReport
    attempt: int = 0


@dataclass(frozen=True)
class RawShard:
    """An unpacked shard with a valid header. Its rows are JSON lines that are not parsed yet."""

    header: ShardHeader
    lines: memoryview


def encode_shard(header: ShardHeader, rows: Iterable[ShardRow]) -> bytes:
    """The shard's bytes; the same header and rows give the same bytes."""
    head = {
        "schema": SCHEMA,
        "dataset": header.dataset.value,
        "run_id": header.run_id,
        "attempt": header.attempt,
        "region": header.region,
        "source": header.source,
        "collected_at": to_iso(header.collected_at),
        "report": header.report,
    }
    packer = zlib.compressobj(_COMPRESS_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)  # gzip with no time
    parts = [packer.compress(orjson.dumps(head) + b"\n")]
    parts.extend(packer.compress(orjson.dumps(row) + b"\n") for row in rows)
    parts.append(packer.flush())
    return b"".join(parts)


def open_shard(body: bytes, *, key: str, dataset: Dataset, run_id: str, region: str, attempt: int) -> RawShard:
    """Unpack a shard and compare its header with the expected values. Rows are not parsed.

    Raises:
        ShardRefusedError: The shard cannot be used; see the class for reasons.
    """
    import numpy as np  # collectors only write shards, and must start quickly

    if not body.startswith(_GZIP_MAGIC):
        raise ShardRefusedError(key, "not_gzip")
    try:
        text = unpack(body, MOST_BYTES)
    except TooLargeError as error:
        raise ShardRefusedError(key, "too_large", str(error)) from error
    except ValueError as error:
        raise ShardRefusedError(key, "truncated", type(error).__name__) from error
    end = text.find(b"\n")
    end = end if end >= 0 else len(text)
    try:
        head = orjson.loads(text[:end])
        if not isinstance(head, dict) or head.get("schema") not in (SCHEMA, _FIRST_SCHEMA):
            raise ShardRefusedError(key, "wrong_schema", f"this code reads schemas {_FIRST_SCHEMA} and {SCHEMA}")
        if head["schema"] == _FIRST_SCHEMA:
            head = _of_first_schema(head)
        header = converted(head, ShardHeader)  # checks every type: the manifest adds the numbers up
    except (ValueError, KeyError, AttributeError) as error:
        raise ShardRefusedError(key, "not_json", "header") from error
    for name, found, expected in (
        ("other_run", header.run_id, run_id),
        ("other_attempt", header.attempt, attempt),
        ("other_dataset", header.dataset, dataset),
        ("other_dataset", header.report.dataset, dataset),
        ("other_region", header.region, region),
        ("other_region", header.report.region, region),
    ):
        if found != expected:
            raise ShardRefusedError(key, name, f"{found}, expected {expected}")
    rows = int(np.count_nonzero(np.frombuffer(text, np.uint8)[end + 1 :] == _NEWLINE))  # twice as quick as ``count``
    if rows != header.report.rows:
        raise ShardRefusedError(key, "row_count", f"{rows} lines, header says {header.report.rows}")
    return RawShard(header, memoryview(text)[end + 1 :])


def report_of(body: bytes, *, key: str, dataset: Dataset, run_id: str, region: str, attempt: int) -> CollectorReport:
    """The report in the header of a stored shard. Raises ShardRefusedError as ``open_shard``."""
    return open_shard(body, key=key, dataset=dataset, run_id=run_id, region=region, attempt=attempt).header.report


def parse_rows[Row: ShardRow](shard: RawShard, key: str, kind: type[Row]) -> list[Row]:
    """The rows of an opened shard. Raises ShardRefusedError (not_json) when a line is no row of this kind."""
    try:
        return [kind(**orjson.loads(line)) for line in bytes(shard.lines).splitlines()]
    except (ValueError, TypeError) as error:
        raise ShardRefusedError(key, "not_json", "row") from error


def _of_first_schema(head: Any) -> Any:
    """A header of schema 1 in today's form. It has no attempt and no accounts."""
    report = {name: value for name, value in head["report"].items() if name != "found"}
    return {**head, "attempt": 0, "report": report}
