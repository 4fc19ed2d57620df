"""Prices from before an archive beside its own rows."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spotlake.history.before import PriceBefore, before_parquet, with_before

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
A, B = "Standard_A", "Standard_B"


def before() -> pa.Table:
    prices = [PriceBefore(A, AT - hours * HOUR, 0.1 * hours) for hours in (1, 3, 2)] + [
        PriceBefore(B, AT - 9 * HOUR, 9.0)
    ]
    file = pq.ParquetFile(io.BytesIO(before_parquet("eastus", prices)))
    assert file.metadata.metadata is None  # no schema of Arrow's own
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    table = file.read()
    text, moment = pa.string(), pa.timestamp("ms", tz="UTC")
    assert table.schema.types == [text, text, moment, pa.float64(), text]
    return table


def own(*times: datetime | None) -> pa.Table:
    return pa.table(
        {
            "region": pa.array(["eastus"] * len(times), pa.string()),
            "instance_type": pa.array([A] * len(times), pa.string()),
            "zone": pa.array(["1"] * len(times), pa.string()),
            "changed_at": pa.array(times, pa.timestamp("ms", tz="UTC")),
            "live": pa.array([False] * len(times), pa.bool_()),
            "spot_price_usd_per_hour": pa.array([7.0] * len(times), pa.float64()),
        }
    )


def told(result: pa.Table) -> list[tuple[Any, ...]]:
    names = ("changed_at", "spot_price_usd_per_hour", "source", "zone", "live")
    return [
        (None if row["changed_at"] is None else (row["changed_at"] - AT) / HOUR, *(row[name] for name in names[1:]))
        for row in result.to_pylist()
    ]


PAST = [
    (-3.0, pytest.approx(0.3), "resource_graph", None, True),
    (-2.0, pytest.approx(0.2), "resource_graph", None, True),
    (-1.0, pytest.approx(0.1), "resource_graph", None, True),
]


def test_the_file_is_small_and_readable_by_many() -> None:
    file = pq.ParquetFile(io.BytesIO(before_parquet("eastus", [PriceBefore(A, AT, 0.1)])))
    column = file.metadata.row_group(0).column(0)
    assert (column.compression, file.metadata.format_version) == ("ZSTD", "2.6")
    assert b"ARROW:schema" not in (file.metadata.metadata or {})


def test_the_past_comes_first_and_ends_where_own_rows_begin() -> None:
    result = with_before(own(AT, AT + HOUR), before(), A, since=None, until=AT + HOUR)
    mine = [(0.0, 7.0, "spotlake", "1", False), (1.0, 7.0, "spotlake", "1", False)]
    assert told(result) == [*PAST, *mine]
    assert result.column_names == [*own().column_names, "source"]
    assert result["region"].to_pylist() == ["eastus"] * 5
    begun = with_before(own(AT - HOUR), before(), A, since=None, until=AT)
    assert told(begun) == [*PAST[:2], (-1.0, 7.0, "spotlake", "1", False)]


def test_prices_that_held_at_the_beginning_are_among_them_and_later_ones_are_not() -> None:
    def times(*, since: float | None, until: float = 0, rows: pa.Table | None = None) -> list[float]:
        result = with_before(
            own() if rows is None else rows, before(), A, since=None if since is None else AT + since * HOUR,
            until=AT + until * HOUR,
        )  # fmt: skip
        return [row[0] for row in told(result)]

    assert times(since=None, until=-2) == [-3.0, -2.0]
    assert times(since=None, until=-2.1) == [-3.0]
    assert times(since=-2) == [-2.0, -1.0]
    assert times(since=-1.5) == [-2.0, -1.0]
    assert times(since=-5) == [-3.0, -2.0, -1.0]
    assert times(since=0, rows=own(AT)) == [0.0]  # own rows cover it
    assert times(since=-0.5, rows=own(AT)) == [-1.0, 0.0]
    assert told(with_before(own(None), before(), A, since=None, until=AT)) == [(None, 7.0, "spotlake", "1", False)]
    assert told(with_before(own(AT), None, A, since=None, until=AT)) == [(0.0, 7.0, "spotlake", "1", False)]
