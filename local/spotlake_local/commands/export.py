"""``spotlake export``: rows as a file of another program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from spotlake.errors import InvalidInputError
from spotlake_local.answering import add_filters, add_place_arguments, archive_of, moment_of, say, where_of
from spotlake_local.arguments import add_command

_EPILOG = """\
The ending of FILE says the form: .parquet, .csv, .sqlite, .duckdb. SQLite and DuckDB files hold one table,
workloads; with --since also changes. DuckDB needs `pip install duckdb`.

examples:
  spotlake export eastus.parquet --region eastus
  spotlake export march.duckdb --at "2026-03-03 10:00"
  spotlake export week.sqlite --since 7d"""
FORMS = (".parquet", ".csv", ".sqlite", ".duckdb")


def add_parser(subparsers: Any) -> None:
    """Add ``export`` to the command line."""
    parser = add_command(
        subparsers,
        "export",
        summary="write Parquet, CSV, SQLite or DuckDB",
        description="Writes the workloads that the flags choose, and changes, as a file for another program.",
        epilog=_EPILOG,
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="file to write")
    parser.add_argument("--at", metavar="TIME", help="the values at this moment (default: now)")
    parser.add_argument("--since", metavar="TIME", help="also all changes since this moment (SQLite and DuckDB)")
    add_filters(parser)
    add_place_arguments(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Write the file."""
    from spotlake_local.exporting import write

    if arguments.file.suffix not in FORMS:
        raise InvalidInputError("FILE", str(arguments.file), f"a name that ends in {', '.join(FORMS)}")
    if not arguments.file.absolute().parent.is_dir():
        raise InvalidInputError("FILE", str(arguments.file), "a name in a folder that is there")
    if arguments.since and arguments.file.suffix not in (".sqlite", ".duckdb"):
        raise InvalidInputError(
            "--since", arguments.since, "only with .sqlite or .duckdb; `spotlake changes --csv` else"
        )
    archive, where = archive_of(arguments), where_of(arguments)
    at = (
        archive.at(moment_of("--at", arguments.at, archive.last_slot_at), where)
        if arguments.at
        else archive.latest(where)
    )
    tables = {"workloads": at.table}
    if arguments.since:
        since = max(moment_of("--since", arguments.since, archive.last_slot_at), archive.first_slot_at)
        tables["changes"] = archive.changes(since).table
    write(arguments.file, tables)
    told = ", ".join(f"{len(table):,} {name}" for name, table in tables.items())
    say(f"{arguments.file}: {told}; slot {at.slot_at:%Y-%m-%d %H:%M} UTC")
    return 0
