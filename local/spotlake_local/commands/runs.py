"""``spotlake runs``: the last runs, a line each."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from spotlake_local.archive import add_source_arguments, manifests, open_archive


def add_parser(subparsers: Any) -> None:
    """Add ``runs`` to the command line."""
    parser = subparsers.add_parser(
        "runs",
        help="list the last runs: status, coverage, rows, changes, seconds",
        description="Lists the last runs of a write bucket, newest first: those of local runs, or with --bucket "
        "those of a deployed stack.",
    )
    parser.add_argument("--last", type=int, default=10, metavar="N", help="how many runs (default: 10)")
    add_source_arguments(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the table; exit code 0 also when there is no run yet (and says how to make one)."""
    console = Console()
    listed = list(manifests(open_archive(arguments), last=arguments.last))
    if not listed:
        console.print("no runs yet: `make run` collects one")
        return 0
    console.print(runs_table(listed))
    return 0


def runs_table(listed: list[dict[str, Any]]) -> Table:
    """A table of manifests, newest first; it fits a terminal of 80 columns."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in ("run", "mode", "status", "cover %", "rows", "changed", "calls", "merge s", "stale"):
        table.add_column(name, no_wrap=True, justify="left" if name in ("run", "mode", "status") else "right")
    for one in listed:
        table.add_row(
            one["run_id"],
            one["mode"],
            one["status"],
            f"{one['coverage_percent']:.1f}",
            f"{one['rows']['merged']:,}",
            f"{one['changed_rows']:,}",
            f"{one['sps_calls']:,}",
            f"{one['seconds']['total']:.1f}",
            str(len(one["stale"])),
        )
    return table
