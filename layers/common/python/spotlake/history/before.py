"""Spot prices from before an archive began, as another source tells them: a Parquet file a region (pure)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

RESOURCE_GRAPH, OWN = "resource_graph", "spotlake"
_TIME = pa.timestamp("ms", tz="UTC")
SCHEMA: Final = pa.schema(
    {
        "region": pa.string(),
        "instance_type": pa.string(),
        "changed_at": _TIME,
        "spot_price_usd_per_hour": pa.float64(),
        "source": pa.string(),
    }
)


@dataclass(frozen=True, order=True)
class PriceBefore:
    """A Linux spot price of a size in a region, and the time from which on it held."""

    instance_type: str
    changed_at: datetime
    usd_per_hour: float


def before_parquet(region: str, prices: Iterable[PriceBefore]) -> bytes:
    """The file of a region, in order of size and time."""
    ordered = sorted(prices)
    columns: Mapping[str, list[object]] = {
        "region": [region] * len(ordered),
        "instance_type": [one.instance_type for one in ordered],
        "changed_at": [one.changed_at for one in ordered],
        "spot_price_usd_per_hour": [one.usd_per_hour for one in ordered],
        "source": [RESOURCE_GRAPH] * len(ordered),
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns, SCHEMA), sink, compression="zstd", store_schema=False)
    return sink.getvalue()


def with_before(
    own: pa.Table, before: pa.Table | None, instance_type: str, *, since: datetime | None, until: datetime
) -> pa.Table:
    """A workload's own history with the prices before it, and a column ``source``.

    A price from before holds for all zones, so its ``zone`` is null. Where own rows begin, they alone count.

    Args:
        own: Rows of one size and region.
        before: The file of the region; None for none.
        instance_type: The size.
        since: Prices from here on, and the last one before. None: all.
        until: Prices up to here.
    """
    result = own.append_column("source", pa.array([OWN] * len(own), pa.string()))
    times = own["changed_at"]
    begins = pc.min(times).as_py()  # None for no rows
    if before is None or times.null_count or (since is not None and begins is not None and begins <= since):
        return result
    rows = before.filter(pc.equal(before["instance_type"], instance_type)).sort_by("changed_at")
    rows = rows.filter(pc.less_equal(rows["changed_at"], until))
    if begins is not None:
        rows = rows.filter(pc.less(rows["changed_at"], begins))
    if since is not None:
        held = sum(1 for at in rows["changed_at"].to_pylist() if at <= since)
        rows = rows.slice(max(0, held - 1))
    rows = rows.append_column("live", pa.array([True] * len(rows)))
    columns = {
        field.name: rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(len(rows), field.type)
        for field in result.schema
    }
    return pa.concat_tables([pa.table(columns), result])
