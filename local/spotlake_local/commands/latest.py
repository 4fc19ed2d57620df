"""``spotlake latest``: what is true now, for the workloads that the flags choose."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from spotlake.errors import InvalidInputError
from spotlake_local.answering import add_filters, add_place_arguments, archive_of, say, show, where_of
from spotlake_local.arguments import add_command, whole_number

if TYPE_CHECKING:
    from spotlake.archive.result import Result

COLUMNS = (
    "region", "instance_type", "zone", "vcpus", "spot_price_usd_per_hour", "savings_percent", "interruption_frequency",
    "score_1", "t2", "t3",
)  # fmt: skip
DEFAULT_LIMIT = 20
_EPILOG = """\
sort: any column; a minus before it turns the order: --sort spot_price_usd_per_vcpu_hour, --sort -t3
unknown: "-" in a table, null in JSON, empty in CSV

examples:
  spotlake latest --region koreacentral --size 'D*s_v5' --sort spot_price_usd_per_hour
  spotlake latest --geography Europe --vcpu 8- --min-t3 10 --sort spot_price_usd_per_vcpu_hour
  spotlake latest --gpu 1- --max-price 2 --limit 0 --csv"""


def add_parser(subparsers: Any) -> None:
    """Add ``latest`` to the command line."""
    parser = add_command(
        subparsers,
        "latest",
        summary="prices, eviction rates and scores now",
        description="Prints the last known values of the workloads that the flags choose.",
        epilog=_EPILOG,
    )
    add_filters(parser)
    add_order(parser)
    add_place_arguments(parser)
    parser.set_defaults(command=command)


def add_order(parser: argparse.ArgumentParser) -> None:
    """Add ``--sort``, ``--limit`` and ``--columns``."""
    parser.add_argument("--sort", metavar="COLUMN", help="column to sort by (default: region, size, zone)")
    parser.add_argument(
        "--limit", default=str(DEFAULT_LIMIT), metavar="N", help=f"most rows, 0 for all (default: {DEFAULT_LIMIT})"
    )
    parser.add_argument("--columns", metavar="NAME,...", help="columns of the table")


def command(arguments: argparse.Namespace) -> int:
    """Print the rows; exit code 0 also when there are none."""
    return answer(archive_of(arguments).latest(where_of(arguments)), arguments)


def answer(result: Result, arguments: argparse.Namespace) -> int:
    """Print the rows of a result in the wanted order."""
    limit = whole_number("--limit", arguments.limit, 0, 10**9)
    names = tuple(result.table.column_names)
    columns = tuple(arguments.columns.split(",")) if arguments.columns else COLUMNS
    for flag, name in (("--sort", (arguments.sort or "region").lstrip("-")), *(("--columns", one) for one in columns)):
        if name not in names:
            raise InvalidInputError(flag, name, ", ".join(names))
    table = sorted_by(result.table, arguments.sort) if arguments.sort else result.table
    chosen = table.slice(0, limit) if limit else table
    number = show(_rows(chosen), columns, arguments)
    left = f" of {len(result):,}; --limit 0 shows all" if number < len(result) else ""
    say(f"{number:,} workloads{left}; slot {result.slot_at:%Y-%m-%d %H:%M} UTC")
    return 0


def sorted_by(table: Any, column: str) -> Any:
    """The table by one column, unknown values last."""
    import pyarrow.compute as pc

    name = column.removeprefix("-")
    known = pc.is_valid(table[name])
    order = "descending" if column.startswith("-") else "ascending"
    return (
        table.append_column("_unknown", pc.invert(known))
        .sort_by([("_unknown", "ascending"), (name, order)])
        .drop_columns("_unknown")
    )


def _rows(table: Any) -> Iterable[Mapping[str, Any]]:
    for batch in table.to_batches(max_chunksize=1024):
        yield from batch.to_pylist()
