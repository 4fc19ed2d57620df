"""``spotlake runs``: the last runs, a line each."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from spotlake_local.archive import add_source_arguments, manifests, no_runs_yet, open_archive, slot_text, statistics
from spotlake_local.arguments import add_command, whole_number

if TYPE_CHECKING:
    from rich.table import Table

    from spotlake.reporting.verdict import JudgedManifest
    from spotlake.run_files import Execution

DEFAULT_RUNS = 10
TABLE_WIDTH = 150
MOST_CAUSES = 3
MOST_COUNTS = 3
COLUMNS = (
    "run", "slot (UTC)", "mode", "status", "cover %", "regions", "counts", "rows", "changed", "calls", "waiting",
    "stale", "attempts", "source", "seconds",
)  # fmt: skip
_TEXTS = ("run", "slot (UTC)", "mode", "status", "source")
MOST_RUNS = 1000  # a week of slots; each is two requests to S3

_EPILOG = """\
status: complete; partial (something kept its old values: stale); starved (no score could be asked); failed
waiting: calls that did not fit into the quota; seconds: of the execution, without starting and stopping AWS

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
    listed = [(one, statistics(archive, one["run_id"])) for one in manifests(archive, last=last)]
    plain = Console(soft_wrap=True, highlight=False, markup=False)  # causes whole, as they are
    if not listed:
        plain.print(no_runs_yet(arguments))
        return 0
    # Run ids are there to be copied: a narrow terminal breaks lines, it does not cut them.
    Console(width=max(Console().width, TABLE_WIDTH)).print(runs_table(listed))
    for one in [one for one, _ in listed if one["error"]][:MOST_CAUSES]:
        plain.print(f"{one['run_id']}: {one['error']}: {one['cause']}")
    return 0


def runs_table(listed: list[tuple[JudgedManifest, Execution | None]]) -> Table:
    """A table of what runs say, each with its execution statistics, newest first."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, no_wrap=True, justify="left" if name in _TEXTS else "right")
    for one, measured in listed:
        table.add_row(
            one["run_id"],
            slot_text(one["run_id"]),
            one["mode"],
            one["verdict"],
            f"{one['coverage_percent']:.1f}",
            f"{one['regions_complete']}/{one['regions_requested']}",
            _counts(one["desired_counts"]),
            f"{one['rows']['merged']:,}",
            f"{one['changed_rows']:,}",
            f"{one['sps_calls']:,}",
            f"{one['calls_waiting']:,}",
            str(len(one["stale"])),
            str(len(one["attempts"]) or 1),
            measured["azure"] if measured else "-",
            f"{measured['total_seconds']:.0f}" if measured else "-",
        )
    return table


def _counts(counts: list[int]) -> str:
    """Desired counts in few signs.

    >>> _counts([1, 5]), _counts([1, 5, 10, 15])
    ('1,5', '1..15')
    """
    return ",".join(map(str, counts)) if len(counts) <= MOST_COUNTS else f"{min(counts)}..{max(counts)}"
