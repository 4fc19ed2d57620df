"""``spotlake run``: collects one slot, end to end, on this machine."""

from __future__ import annotations

import argparse
import re
from typing import Any

from spotlake.clock import WallClock
from spotlake.errors import InvalidInputError
from spotlake.models import to_iso
from spotlake.planning.run_input import (
    RunInput,
    parse_input,
    parse_timestamp,
    require_known_regions,
    require_known_sizes,
)
from spotlake_local.arguments import add_command, add_state_dir, whole_number, workspace_of
from spotlake_local.live_azure import VARIABLES, live_credentials
from spotlake_local.slots import newest_allowed_at

DEFAULT_SUBSCRIPTIONS = 48  # enough for every pair in every run at half the quota
MOST_SUBSCRIPTIONS = 400
_SOURCES = ("simulated", "live")

_EPILOG = f"""\
examples:
  spotlake run
  spotlake run --regions koreacentral,eastus,westus --instance-types 'Standard_D*' --desired-count 5
  spotlake run --timestamp "2025-12-15 10:00" --mode full
  spotlake run --azure live --regions koreacentral

`make run` is the same after the set-up: its variables are these flags in capitals (REGIONS=eastus MODE=full).
--azure live reads {", ".join(VARIABLES)}
(comma separated) from the environment.

exit codes: 0 the execution succeeded, 1 it failed, 2 a value that is not allowed, 130 interrupted"""


def add_parser(subparsers: Any) -> None:
    """Add ``run`` to the command line."""
    parser = add_command(
        subparsers,
        "run",
        summary="collect one slot, end to end, on this machine",
        description="Starts an emulated AWS with IAM enforced and a simulated Azure with the real catalogue, deploys "
        "the stack, runs the state machine once and says what came of it. The state stays in the state folder, so "
        "the next run is the next ten-minute slot. A slot that is named again gets one more attempt.",
        epilog=_EPILOG,
    )
    _add_slot_arguments(parser)
    _add_azure_arguments(parser)
    add_state_dir(parser)
    parser.set_defaults(command=command)


def _add_slot_arguments(parser: argparse.ArgumentParser) -> None:
    """Which slot is collected, and how much of it."""
    parser.add_argument(
        "--timestamp",
        metavar="TIME",
        help='the slot, "2025-12-15 10:00" or 2025-12-15T19:00+09:00; UTC without an offset (default: the first '
        "slot from the present one on that has not been collected)",
    )
    parser.add_argument(
        "--mode",
        metavar="MODE",
        default="auto",
        help="auto, incremental or full; auto is full while the catalogue lacks a region, else incremental "
        "(default: auto)",
    )
    parser.add_argument("--regions", metavar="LIST", help="ARM codes, separated by commas or blanks (default: all)")
    parser.add_argument(
        "--instance-types",
        metavar="LIST",
        help="globs of ARM sizes, separated by commas or blanks (default: all that can be spot)",
    )
    parser.add_argument(
        "--desired-count",
        metavar="N",
        help="1, 5, 10, ..., 50; several, comma separated, only with --mode full (default: rotates; full: 1)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave alone what the slot has stored already (default slot: the one begun last)",
    )


def _add_azure_arguments(parser: argparse.ArgumentParser) -> None:
    """Which Azure answers."""
    parser.add_argument(
        "--past",
        action="store_true",
        help="with --azure live: take a slot more than an hour old, though Azure answers for the present alone",
    )
    parser.add_argument(
        "--subscriptions",
        metavar="N",
        default=str(DEFAULT_SUBSCRIPTIONS),
        help=f"of the simulated Azure, 1 to {MOST_SUBSCRIPTIONS} (default: {DEFAULT_SUBSCRIPTIONS}: every pair in "
        "every run)",
    )
    parser.add_argument("--azure", metavar="SOURCE", default="simulated", help="simulated or live (default: simulated)")


def command(arguments: argparse.Namespace) -> int:
    """Check everything first, then run; exit code 0 only if the execution succeeded."""
    if arguments.azure not in _SOURCES:
        raise InvalidInputError("azure", arguments.azure, "simulated or live")
    live = arguments.azure == "live"
    wanted = execution_input(arguments)
    workspace = workspace_of(arguments)
    request = parse_input(wanted, now_at=WallClock().now() if live else None)
    if request.slot_at is not None and not live:
        parse_timestamp(arguments.timestamp, now_at=newest_allowed_at(workspace, WallClock().now()))
    subscriptions = whole_number("subscriptions", arguments.subscriptions, 1, MOST_SUBSCRIPTIONS)
    credentials = live_credentials() if live else None
    if not live:
        _require_known_pairs(request)
    if live:
        from spotlake_local.first_contact import first_contact

        first_contact(request, lambda words: print(words, flush=True))  # noqa: T201
    # These imports take a second, so values are checked before.
    from spotlake_local.local_run import LocalRun

    if request.slot_at is not None:
        wanted["timestamp"] = to_iso(request.slot_at)
    with workspace.alone() as lock:
        return LocalRun(
            workspace,
            wanted=wanted,
            floored=request.floored,
            subscriptions=subscriptions,
            live_credentials=credentials,
            lock=lock,
        ).run()


def execution_input(arguments: argparse.Namespace) -> dict[str, Any]:
    """The state machine's input for the given flags."""
    wanted: dict[str, Any] = {"mode": arguments.mode}
    if arguments.timestamp is not None:
        wanted["timestamp"] = arguments.timestamp
    for name, text in (("regions", arguments.regions), ("instance_types", arguments.instance_types)):
        if text is None:
            continue
        names = [part for part in re.split(r"[,\s]+", text) if part]
        if not names:
            raise InvalidInputError(name, text, "at least one name, or leave the flag out for all")
        wanted[name] = [one.lower() for one in names] if name == "regions" else names
    if arguments.desired_count is not None:
        parts = re.split(r"[,\s]+", arguments.desired_count.strip())
        counts = [int(part) if part.isdecimal() else part for part in parts]
        wanted["desired_count"] = counts if len(counts) > 1 else counts[0]
    for name in ("resume", "past"):
        if getattr(arguments, name):
            wanted[name] = True
    return wanted


def _require_known_pairs(request: RunInput) -> None:
    """Refuse regions that the simulated Azure does not have, and globs that fit no size there."""
    from spotlake_local.azure.world import World

    world = World()
    require_known_regions(request.regions, world.ondemand)
    sizes = (size for region in request.regions or world.ondemand for size in world.spot_sizes(region))
    require_known_sizes(request.instance_types, sizes)
