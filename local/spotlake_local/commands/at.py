"""``spotlake at``: what was true at a past moment; or the snapshot of that slot, byte for byte."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from spotlake_local.answering import add_filters, add_place_arguments, archive_of, moment_of, say, where_of
from spotlake_local.arguments import add_command
from spotlake_local.commands.latest import add_order, answer

_EPILOG = """\
TIME: 2026-03-03T10:00Z, "2026-03-03 10:00" (UTC), a run id, or a time ago such as 6h

examples:
  spotlake at "2026-03-03 10:00" --region eastus --limit 0 --csv
  spotlake at 6h --size Standard_D4s_v5
  spotlake at 20260303T1000Z --snapshot march.csv.gz"""


def add_parser(subparsers: Any) -> None:
    """Add ``at`` to the command line."""
    parser = add_command(
        subparsers,
        "at",
        summary="the same at a past moment; or its snapshot again",
        description="Prints the values that were known at a moment, as the last slot until then has them.",
        epilog=_EPILOG,
    )
    parser.add_argument("time", metavar="TIME", help="the moment")
    parser.add_argument(
        "--snapshot", type=Path, metavar="FILE", help="write that slot's snapshot (csv.gz) again; - is stdout"
    )
    add_filters(parser)
    add_order(parser)
    add_place_arguments(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the rows, or write the snapshot."""
    archive = archive_of(arguments)
    moment = moment_of("TIME", arguments.time, archive.last_slot_at)
    if arguments.snapshot is None:
        return answer(archive.at(moment, where_of(arguments)), arguments)
    body = archive.snapshot(moment)
    if str(arguments.snapshot) == "-":
        sys.stdout.buffer.write(body)
    else:
        arguments.snapshot.write_bytes(body)
        say(f"{arguments.snapshot}: {len(body):,} bytes")
    return 0
