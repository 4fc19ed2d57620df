"""``spotlake runs``: the last runs, a line each."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from spotlake_local.archive import add_source_arguments, manifests, no_runs_yet, open_archive, total_seconds
from spotlake_local.arguments import add_command, whole_number

if TYPE_CHECKING:
    from rich.table import Table

DEFAULT_RUNS = 10
TABLE_WIDTH = 80
MOST_RUNS = 1000  # a week of slots; each is two requests to S3

_EPILOG = """\
status: complete, or partial when a region or data set kept its old values (stale says how many)

examples:
  spotlake runs --last 144
  spotlake runs --bucket spotlake-test"""


def add_parser(subparsers: Any) -> None:
    """Add ``runs`` to the command line."""
    parser = add_command(
        subparsers,
        "runs",
        summary="list the last runs: status, coverage, rows, changes, seconds",
        description="Lists the last finished runs, newest first: those of this machine, or with --bucket those of a "
        "deployed stack.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--last", default=str(DEFAULT_RUNS), metavar="N", help=f"how many, 1 to {MOST_RUNS} (default: {DEFAULT_RUNS})"
    )
    add_source_arguments(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the table; exit code 0 also when there is no run yet (and says how to make one)."""
    from rich.console import Console

    last = whole_number("--last", arguments.last, 1, MOST_RUNS)
    archive = open_archive(arguments)
    listed = [(one, total_seconds(archive, one["run_id"])) for one in manifests(archive, last=last)]
    if listed:
        # Run ids are there to be copied: a narrow terminal breaks lines, it does not cut them.
        Console(width=max(Console().width, TABLE_WIDTH)).print(runs_table(listed))
    else:
        Console(soft_wrap=True).print(no_runs_yet(arguments), markup=False)
    return 0


def runs_table(listed: list[tuple[dict[str, Any], float | None]]) -> Table:
    """A table of manifests with the whole run's seconds, newest first; it fits a terminal of 80 columns."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in ("run", "mode", "status", "cover %", "rows", "changed", "calls", "seconds", "stale"):
        table.add_column(name, no_wrap=True, justify="left" if name in ("run", "mode", "status") else "right")
    for one, seconds in listed:
        table.add_row(
            one["run_id"],
            one["mode"],
            one["status"],
            f"{one['coverage_percent']:.1f}",
            f"{one['rows']['merged']:,}",
            f"{one['changed_rows']:,}",
            f"{one['sps_calls']:,}",
            "-" if seconds is None else f"{seconds:.0f}",
            str(len(one["stale"])),
        )
    return table
