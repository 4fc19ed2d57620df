"""``spotlake changes``: what changed since a moment."""

from __future__ import annotations

import argparse
from typing import Any

from spotlake_local.answering import add_place_arguments, archive_of, moment_of, say, show
from spotlake_local.arguments import add_command

COLUMNS = (
    "changed_at", "region", "instance_type", "zone", "live", "spot_price_usd_per_hour", "interruption_frequency",
    "score_1", "t2", "t3",
)  # fmt: skip
_EPILOG = """\
examples:
  spotlake changes --since 1d --csv > changes.csv
  spotlake changes --since 20260303T1000Z --until 20260303T1200Z --json"""


def add_parser(subparsers: Any) -> None:
    """Add ``changes`` to the command line."""
    parser = add_command(
        subparsers,
        "changes",
        summary="all changes since a moment",
        description="Prints each change after a moment: a row with all values of the workload from then on.",
        epilog=_EPILOG,
    )
    parser.add_argument("--since", required=True, metavar="TIME", help="a moment, or a time ago such as 1d")
    parser.add_argument("--until", metavar="TIME", help="up to this moment (default: the newest slot)")
    add_place_arguments(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the rows; exit code 0 also when there are none."""
    archive = archive_of(arguments)
    since = max(moment_of("--since", arguments.since, archive.last_slot_at), archive.first_slot_at)
    until = moment_of("--until", arguments.until, archive.last_slot_at) if arguments.until else None
    result = archive.changes(since, until)
    number = show(result, COLUMNS, arguments)
    say(f"{number:,} changes after {since:%Y-%m-%d %H:%M} UTC, up to {result.slot_at:%Y-%m-%d %H:%M}")
    return 0
