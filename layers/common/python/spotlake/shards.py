"""A shard: what one collector of one region got in one run, as gzip JSON lines.

The first line is the header, every further line one row that can be read by itself::

    {"schema":1,"dataset":"sps","run_id":"20251215T1000Z","region":"koreacentral","source":"live",
     "collected_at":"...","report":{...}}
    {"run_id":...,"source":...,"observed_at":...,"region":...,"instance_type":..., ...}

Rows of each data set (absent or null = unknown):

``sps`` (file of the region whose collector asked; rows may be of any region of the run)
    region, instance_type (ARM casing), desired_count, zone ("1".."3" of the reference subscription,
    or "Single"), logical_zone ("1".."3" of the subscription asked, or null), physical_zone
    ("koreacentral-az2" or null), score (3, 2, 1 or null), score_text (as answered),
    is_quota_available, location (routing), subscription (digest), call_id.
``spot_price``
    region, region_name ("KR Central"), instance_type, spot_price_usd_per_hour,
    ondemand_price_usd_per_hour, spot_meter_id, spot_effective_start_at, ondemand_meter_id,
    ondemand_effective_start_at. A run that did not ask for on-demand prices has none in any row,
    and its header's ``report.counts.ondemand_asked`` is 0.
``spot_if``
    region, instance_type, eviction_band ("5-10"), interruption_frequency (3.0 .. 1.0 or null).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from spotlake.errors import ShardRefusedError
from spotlake.models import CollectorReport, Dataset
from spotlake.packing import unpack

SCHEMA = 1
_GZIP_MAGIC = b"\x1f\x8b"
_COMPRESS_LEVEL = 5  # 1 % larger than 6 and a third quicker on these rows


@dataclass(frozen=True, kw_only=True)
class ShardHeader:
    """The first line of a shard."""

    dataset: Dataset
    run_id: str
    region: str
    source: str
    collected_at: str
    report: CollectorReport


@dataclass(frozen=True)
class RawShard:
    """A shard whose wrapping is sound: its header, and its rows as JSON lines not yet parsed."""

    header: ShardHeader
    lines: bytes


def encode_shard(header: ShardHeader, rows: Iterable[dict[str, Any]]) -> bytes:
    """The shard's bytes; the same header and rows give the same bytes."""
    head = {
        "schema": SCHEMA,
        "dataset": header.dataset.value,
        "run_id": header.run_id,
        "region": header.region,
        "source": header.source,
        "collected_at": header.collected_at,
        "report": header.report.to_dict(),
    }
    packer = zlib.compressobj(_COMPRESS_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)  # gzip with no time
    parts = [packer.compress(orjson.dumps(head) + b"\n")]
    parts.extend(packer.compress(orjson.dumps(row) + b"\n") for row in rows)
    parts.append(packer.flush())
    return b"".join(parts)


def open_shard(body: bytes, *, key: str, dataset: Dataset, run_id: str, region: str) -> RawShard:
    """Unpack a shard and hold its header against what was expected; rows are left unparsed.

    Raises:
        ShardRefusedError: With the reason (see the class).
    """
    import msgspec  # collectors write shards only, and start cold

    if not body.startswith(_GZIP_MAGIC):
        raise ShardRefusedError(key, "not_gzip")
    try:
        text = unpack(body)
    except ValueError as error:
        raise ShardRefusedError(key, "truncated", type(error).__name__) from error
    first, _, lines = text.partition(b"\n")
    try:
        head = orjson.loads(first)
        if not isinstance(head, dict) or head.get("schema") != SCHEMA:
            raise ShardRefusedError(key, "wrong_schema", f"this code reads schema {SCHEMA}")
        header = msgspec.convert(head, ShardHeader)  # every field of its type: the manifest counts with them
    except ValueError as error:
        raise ShardRefusedError(key, "not_json", "header") from error
    for name, found, expected in (
        ("other_run", header.run_id, run_id),
        ("other_dataset", header.dataset, dataset),
        ("other_dataset", header.report.dataset, dataset),
        ("other_region", header.region, region),
        ("other_region", header.report.region, region),
    ):
        if found != expected:
            raise ShardRefusedError(key, name, f"{found}, expected {expected}")
    if lines.count(b"\n") != header.report.rows:
        raise ShardRefusedError(key, "row_count", f"{lines.count(b'\n')} lines, header says {header.report.rows}")
    return RawShard(header, lines)


def parse_rows(shard: RawShard, key: str) -> list[dict[str, Any]]:
    """The rows of an opened shard, parsed. Raises ShardRefusedError (not_json)."""
    try:
        return [orjson.loads(line) for line in shard.lines.splitlines()]
    except ValueError as error:
        raise ShardRefusedError(key, "not_json", "row") from error
