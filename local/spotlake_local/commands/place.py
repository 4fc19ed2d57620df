"""``spotlake place``: where so many vCPUs can be had, ranked."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from typing import Any

from spotlake_local.answering import add_filters, add_place_arguments, archive_of, say, show, where_of
from spotlake_local.arguments import add_command, whole_number

COLUMNS = (
    "region", "instance_type", "zone", "machines", "vcpus", "usd_per_hour", "expected_usd_per_hour", "t3", "why",
)  # fmt: skip
_EPILOG = """\
A place counts if so many machines as are needed recently scored 3 (T3) there. expected_usd_per_hour is the price with
the work that evictions repeat: price x (1 + the middle of the eviction band). The cheapest by it come first.
--spread K takes K places of different sizes and zones that cost at most 10 % more a vCPU than the cheapest.

examples:
  spotlake place 200 --geography Europe
  spotlake place 200 --geography Europe --memory 4- --spread 3
  spotlake place 64 --architecture Arm64 --max-age 6h"""


def add_parser(subparsers: Any) -> None:
    """Add ``place`` to the command line."""
    parser = add_command(
        subparsers,
        "place",
        summary="where so many vCPUs can be had, the best first",
        description="Ranks the places that can hold so many vCPUs of spot machines.",
        epilog=_EPILOG,
    )
    parser.add_argument("needed", metavar="VCPUS", help="vCPUs that are needed in all")
    parser.add_argument("--spread", metavar="K", help="K places of different sizes and zones, each with its share")
    parser.add_argument("--limit", default="10", metavar="N", help="most places (default: 10)")
    add_filters(parser)
    add_place_arguments(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the places. Exit code 1 when there is none."""
    from spotlake.archive.placing import COLUMNS as READ
    from spotlake.archive.placing import rank, spread

    needed = whole_number("VCPUS", arguments.needed, 1, 1_000_000)
    parts = whole_number("--spread", arguments.spread, 2, 20) if arguments.spread else 1
    limit = whole_number("--limit", arguments.limit, 1, 10**6)
    where = where_of(arguments)
    result = archive_of(arguments).latest(replace(where, min_t3=max(where.min_t3 or 0, 1)))
    ranked = rank(replace(result, table=result.table.select(READ)), -(-needed // parts))
    chosen = spread(ranked, parts) if parts > 1 else ranked[:limit]
    show([asdict(one) for one in chosen], COLUMNS, arguments)
    if not chosen or len(chosen) < parts:
        say(f"{len(chosen)} of {parts} places: spread over more, ask for fewer vCPUs, or take away a condition")
        return 1
    say(f"{len(chosen):,} of {len(ranked):,} places; slot {result.slot_at:%Y-%m-%d %H:%M} UTC")
    return 0
