"""Results: rows of an archive, as an Arrow table that turns into what a notebook uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl


@dataclass(frozen=True)
class Result:
    """Rows of an archive.

    Attributes:
        table: The rows. docs/history.md names the columns, their units, and what null means.
        slot_at: The slot whose values the rows show; of changes, the last slot that was looked at.
    """

    table: pa.Table
    slot_at: datetime

    def __len__(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows as dictionaries, one after the other."""
        for batch in self.table.to_batches(max_chunksize=1024):
            yield from batch.to_pylist()

    def to_pandas(self) -> pd.DataFrame:
        """A pandas data frame (``pip install pandas``)."""
        frame: pd.DataFrame = self.table.to_pandas()
        return frame

    def to_polars(self) -> pl.DataFrame:
        """A Polars data frame (``pip install polars``)."""
        import polars

        return polars.DataFrame(self.table)

    def to_duckdb(self) -> duckdb.DuckDBPyRelation:
        """A DuckDB relation (``pip install duckdb``)."""
        import duckdb

        return duckdb.from_arrow(self.table)
