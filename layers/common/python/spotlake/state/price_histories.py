"""Price histories: what Resource Graph told of a region's spot prices in one attempt, as it told it; never overwritten.

Gzip JSON lines like a shard: a header with ``rows``, then each row ``{"skuName", "osType", "location", "spotPrices"}``,
the last as JSON text. It is kept beside the shards as evidence, and so that 90 days of the past are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.models import Run, to_iso
from spotlake.packing import pack_parts, unpack
from spotlake.stores.documents import put_once
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

SCHEMA = 1


def write_price_history(
    objects: ObjectStore,
    run: Run,
    region: str,
    rows: Sequence[Mapping[str, object]],
    *,
    source: str,
    collected_at: datetime,
) -> None:
    """Store the rows of a region; what an earlier try of the same attempt has stored stays. Raises StoreError."""
    header = {
        "schema": SCHEMA,
        "run_id": run.run_id,
        "attempt": run.attempt,
        "region": region,
        "source": source,
        "collected_at": to_iso(collected_at),
        "rows": len(rows),
    }
    body = pack_parts(orjson.dumps(one) + b"\n" for one in (header, *rows))
    key = keys.price_history(run.slot_at, region, run.attempt)
    put_once(objects, key, body, content_type="application/gzip")


def read_price_history(
    objects: ReadOnlyObjects, slot_at: datetime, region: str, attempt: int
) -> list[dict[str, object]] | None:
    """The rows, or None when there are none. Raises StoreError when they cannot be read or are damaged."""
    key = keys.price_history(slot_at, region, attempt)
    stored = objects.get(key)
    if stored is None:
        return None
    try:
        header, *rows = map(orjson.loads, unpack(stored.body).splitlines())
        if header["schema"] != SCHEMA or header["rows"] != len(rows):
            raise StoreError(f"{key}: schema {header['schema']!r} and {len(rows)} rows, this code reads {SCHEMA}")
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{key}: damaged ({type(error).__name__})") from error
    return rows
