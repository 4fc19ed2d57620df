"""``spotlake run``: one slot, end to end, on this machine."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from spotlake.clock import WallClock
from spotlake.errors import InvalidInputError
from spotlake.models import to_iso
from spotlake.usecases.request import parse_request, require_known_regions
from spotlake_local.workspace import Workspace, default_folder

DEFAULT_SUBSCRIPTIONS = 48  # enough for every pair in every run at half the quota
MOST_SUBSCRIPTIONS = 400
_SOURCES = ("simulated", "live")


def add_parser(subparsers: Any) -> None:
    """Add ``run`` to the command line."""
    parser = subparsers.add_parser(
        "run",
        help="collect one slot, end to end, on this machine",
        description="Starts an emulated AWS with IAM enforced and a simulated Azure with the real catalogue, deploys "
        "the stack, runs the state machine once and says what came of it. The state stays in the state folder, so "
        "the next run is the next ten-minute slot.",
    )
    parser.add_argument("--timestamp", metavar="TIME", help='the slot, "2025-12-15 10:00" (default: the next one)')
    parser.add_argument("--mode", metavar="MODE", default="auto", help="auto, incremental or full (default: auto)")
    parser.add_argument("--regions", metavar="LIST", default="", help="ARM codes, comma separated (default: all)")
    parser.add_argument(
        "--instance-types", metavar="LIST", default="", help="globs of ARM sizes, comma separated (default: all)"
    )
    parser.add_argument("--desired-count", metavar="N", help="1, 5, 10, ..., 50; several only with --mode full")
    parser.add_argument("--resume", action="store_true", help="leave alone what this slot has stored already")
    parser.add_argument(
        "--subscriptions",
        metavar="N",
        default=str(DEFAULT_SUBSCRIPTIONS),
        help=f"of the simulated Azure, 1 to {MOST_SUBSCRIPTIONS} (default: {DEFAULT_SUBSCRIPTIONS})",
    )
    parser.add_argument("--azure", metavar="SOURCE", default="simulated", help="simulated or live (default: simulated)")
    parser.add_argument("--state-dir", type=Path, default=default_folder(), metavar="DIR", help="default: .local")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Check everything first, then run; exit code 0 only if the execution succeeded."""
    if arguments.azure not in _SOURCES:
        raise InvalidInputError("azure", arguments.azure, "simulated or live")
    live = arguments.azure == "live"
    wanted = execution_input(arguments)
    request = parse_request(wanted, now_at=WallClock().now() if live else None)
    if not live:
        require_known_regions(request.regions, _regions_with_prices())
    subscriptions = whole_number("subscriptions", arguments.subscriptions, 1, MOST_SUBSCRIPTIONS)
    # What follows takes a second to import; a refused value is told before.
    from spotlake_local.local_run import LocalRun

    workspace = Workspace(arguments.state_dir.resolve())
    if request.slot_at is not None:
        wanted["timestamp"] = to_iso(request.slot_at)
    return LocalRun(workspace, wanted=wanted, floored=request.floored, subscriptions=subscriptions, live=live).run()


def execution_input(arguments: argparse.Namespace) -> dict[str, Any]:
    """The state machine's input for the flags given (those not given are left out)."""
    wanted: dict[str, Any] = {"mode": arguments.mode}
    if arguments.timestamp is not None:
        wanted["timestamp"] = arguments.timestamp
    for name, text in (("regions", arguments.regions), ("instance_types", arguments.instance_types)):
        names = [part for part in re.split(r"[,\s]+", text) if part]
        if names:
            wanted[name] = names
    if arguments.desired_count is not None:
        parts = re.split(r"[,\s]+", arguments.desired_count.strip())
        counts = [int(part) if part.isdigit() else part for part in parts]
        wanted["desired_count"] = counts if len(counts) > 1 else counts[0]
    if arguments.resume:
        wanted["resume"] = True
    return wanted


def whole_number(field: str, text: str, low: int, high: int) -> int:
    """The number in a flag. Raises InvalidInputError naming the flag."""
    if not text.isdigit() or not low <= int(text) <= high:
        raise InvalidInputError(field, text, f"a whole number from {low} to {high}")
    return int(text)


def _regions_with_prices() -> set[str]:
    from spotlake_local.azure.world import World

    return set(World().ondemand)
