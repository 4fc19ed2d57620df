"""Writes tables as files of other programs."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from spotlake.errors import ConfigurationError
from spotlake.models import to_iso

_SQLITE = {"double": "REAL", "float": "REAL", "int8": "INTEGER", "int32": "INTEGER", "bool": "INTEGER"}
_BATCH_ROWS = 10_000


def write(file: Path, tables: Mapping[str, Any]) -> None:
    """Write Arrow tables; the file's ending says how. A file that is there is replaced when the new one is whole.

    Raises:
        ConfigurationError: DuckDB is wanted and not installed.
    """
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        if file.suffix == ".parquet":
            import pyarrow.parquet as pq

            pq.write_table(tables["workloads"], fresh, compression="zstd", store_schema=False)
        elif file.suffix == ".csv":
            import pyarrow.csv

            pyarrow.csv.write_csv(tables["workloads"], fresh)
        elif file.suffix == ".sqlite":
            _write_sqlite(fresh, tables)
        else:
            _write_duckdb(fresh, tables)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def _write_sqlite(file: Path, tables: Mapping[str, Any]) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        for name, table in tables.items():
            columns = ", ".join(f'"{field.name}" {_SQLITE.get(str(field.type), "TEXT")}' for field in table.schema)
            database.execute(f'CREATE TABLE "{name}" ({columns})')
            marks = ", ".join("?" * table.num_columns)
            for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
                rows = ([_plain(value) for value in row.values()] for row in batch.to_pylist())
                database.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)  # noqa: S608 - our own names


def _write_duckdb(file: Path, tables: Mapping[str, Any]) -> None:
    try:
        import duckdb
    except ImportError as error:
        raise ConfigurationError("DuckDB is not installed: `pip install duckdb`, or choose .parquet") from error
    with duckdb.connect(str(file)) as database:
        for name, table in tables.items():
            database.register("rows", table)
            database.execute(f'CREATE TABLE "{name}" AS SELECT * FROM rows')  # noqa: S608 - our own names


def _plain(value: object) -> object:
    return to_iso(value) if isinstance(value, datetime) else value
