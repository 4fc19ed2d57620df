"""``spotlake diff``: which workloads differ between two moments, and in what."""

from __future__ import annotations

import argparse
from typing import Any

from spotlake_local.answering import add_place_arguments, archive_of, moment_of, say, show
from spotlake_local.arguments import add_command

COLUMNS = ("region", "instance_type", "zone", "value", "before", "after")
_EPILOG = """\
examples:
  spotlake diff 20260303T1000Z 20260303T1010Z
  spotlake diff 1d 0m --json"""


def add_parser(subparsers: Any) -> None:
    """Add ``diff`` to the command line."""
    parser = add_command(
        subparsers,
        "diff",
        summary="what differs between two runs",
        description="Prints each value that differs between two moments. The value 'live' tells what came and went.",
        epilog=_EPILOG,
    )
    parser.add_argument("one", metavar="RUN", help="run id, or any moment")
    parser.add_argument("other", metavar="RUN", help="a later one")
    add_place_arguments(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the differences; exit code 0 also when there are none."""
    archive = archive_of(arguments)
    one, other = (moment_of("RUN", text, archive.last_slot_at) for text in (arguments.one, arguments.other))
    result = archive.differences(one, other)
    number = show(result, COLUMNS, arguments)
    say(f"{number:,} values differ at {result.slot_at:%Y-%m-%d %H:%M} UTC")
    return 0
