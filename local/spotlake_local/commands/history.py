"""``spotlake history``: how the values of one size in one region moved."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from spotlake_local.answering import add_place_arguments, archive_of, moment_of, say, show
from spotlake_local.arguments import add_command

if TYPE_CHECKING:
    from spotlake.archive.result import Result

_BEFORE = (
    "zone", "changed_at", "spot_price_usd_per_hour", "ondemand_price_usd_per_hour", "interruption_frequency",
)  # fmt: skip
_EPILOG = """\
A row says what was true from changed_at on. The first row of a zone is what was true at --since; its time is "-" when
the value began before the files that were read. Spot prices from before the archive are Resource Graph's (source
resource_graph); they hold for all zones. live is false in the row that ends a workload.

examples:
  spotlake history Standard_D4s_v5 koreacentral 1 --since 30d
  spotlake history Standard_NC24ads_A100_v4 eastus --csv
  spotlake history Standard_D4s_v5 koreacentral --from https://example.org/spotlake"""


def add_parser(subparsers: Any) -> None:
    """Add ``history`` to the command line."""
    parser = add_command(
        subparsers,
        "history",
        summary="how price, eviction rate and scores of a size moved",
        description="Prints a row for each change of a size in a region, with all values from then on.",
        epilog=_EPILOG,
    )
    parser.add_argument("size", metavar="SIZE", help="ARM name: Standard_D4s_v5")
    parser.add_argument("region", metavar="REGION", help="ARM name: koreacentral")
    parser.add_argument("zone", metavar="ZONE", nargs="?", help="1, 2, 3, Single or N/A (default: all)")
    parser.add_argument("--since", metavar="TIME", help="from this moment on, such as 30d (default: all)")
    parser.add_argument("--until", metavar="TIME", help="up to this moment (default: the newest slot)")
    add_place_arguments(parser)
    parser.set_defaults(command=command)


def _scores_of(result: Result) -> list[str]:
    """Columns of the counts that have a score, and count 1."""
    from spotlake.history.fields import SCORES

    table = result.table
    return [name for name in SCORES if name == SCORES[0] or table[name].null_count < len(table)]


def command(arguments: argparse.Namespace) -> int:
    """Print the rows. Exit code 1 when the archive has no such workload."""
    archive = archive_of(arguments)
    since, until = (
        moment_of(flag, text, archive.last_slot_at) if text else None
        for flag, text in (("--since", arguments.since), ("--until", arguments.until))
    )
    result = archive.history(arguments.size, arguments.region, arguments.zone, since=since, until=until)
    if not len(result):
        say(f"the archive has no {arguments.size} in {arguments.region}: `spotlake latest --size GLOB --region GLOB`")
        return 1
    number = show(result, (*_BEFORE, *_scores_of(result), "t2", "t3", "source"), arguments)
    say(f"{number:,} rows; up to slot {result.slot_at:%Y-%m-%d %H:%M} UTC")
    return 0
