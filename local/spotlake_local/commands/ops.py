"""``spotlake ops``: operations on a deployed stack."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import date
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

from spotlake.clock import WallClock
from spotlake.errors import ConfigurationError, InvalidInputError
from spotlake.planning.run_input import TIMESTAMP_FORMS, parse_input
from spotlake_local.arguments import KeepEpilog, add_command

if TYPE_CHECKING:
    from spotlake_local.operations import Operations

_EPILOG = """\
examples:
  spotlake ops pause
  spotlake ops resume
  spotlake ops rerun "2026-11-23 10:40"
  spotlake ops replace-secret              (asks for it; or from a pipe, never as an argument)

Runs that are going on end by themselves after a pause. A later deployment sets the schedule to what its own
settings say when these have changed, so put the same into them. resume undoes a pause: it does not switch on
what was deployed with schedule_enabled=false."""


def add_parser(subparsers: Any) -> None:
    """Add ``ops`` to the command line."""
    parser = add_command(
        subparsers,
        "ops",
        summary="pause and resume a deployed stack, run a slot again, replace the secret",
        description="Acts on the stack in the AWS account that this shell is signed in to.",
        epilog=_EPILOG,
    )
    parser.add_argument("--stage", default="test", help="of the stack (default: test)")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, words, action in (
        ("pause", "no run begins by itself from now on", _pause),
        ("resume", "runs begin by themselves again", _resume),
        ("rerun", "collect what a slot lacks", _rerun),
        ("replace-secret", "put a new client secret, after it has signed in", _replace_secret),
    ):
        one = actions.add_parser(name, help=words, description=words, formatter_class=KeepEpilog, allow_abbrev=False)
        one.set_defaults(command=command, action=action)
        if name == "rerun":
            one.add_argument("slot", metavar="SLOT", help=f"of the last hour: {TIMESTAMP_FORMS}")
            one.add_argument("--past", action="store_true", help="an older one, though Azure answers for the present")
        if name == "replace-secret":
            one.add_argument("--expires", metavar="DATE", default="", help="the day on which it ends, for the alarm")


def command(arguments: argparse.Namespace) -> int:
    """Run the operation. Returns 0 on success."""
    import boto3

    from spotlake_local.operations import Operations

    try:
        return int(arguments.action(Operations(boto3.Session(), arguments.stage), arguments))
    except BotoCoreError as error:
        way_out = "sign in with `aws configure sso`, set a region"
        raise ConfigurationError(f"AWS could not be asked ({type(error).__name__}): {way_out}") from None


def _pause(operations: Operations, _: argparse.Namespace) -> int:
    changed = operations.switch_schedule(on=False)
    if not changed and not operations.is_schedule_deployed():
        _say("off already: this stack was deployed with schedule_enabled=false, so no run begins by itself")
        return 0
    _say(f"{'paused' if changed else 'paused already'}: no run begins by itself until `spotlake ops resume`")
    return 0


def _resume(operations: Operations, _: argparse.Namespace) -> int:
    changed = operations.switch_schedule(on=True)
    _say(f"{'resumed' if changed else 'on already'}: the next run begins at the next ten minutes")
    return 0


def _rerun(operations: Operations, arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from spotlake_local.waiting import waiting

    given = {"timestamp": arguments.slot, "resume": True, "past": arguments.past}
    slot_at = parse_input(given, now_at=WallClock().now()).slot_at
    if slot_at is None:
        raise InvalidInputError("SLOT", arguments.slot, TIMESTAMP_FORMS)
    arn = operations.start_again(slot_at, past=arguments.past)
    _say(f"started {arn}")
    with waiting(Console(stderr=True), f"collecting what {slot_at:%Y-%m-%d %H:%M} lacks (it goes on without you)"):
        ended = operations.ended(arn)
    if ended["status"] != "SUCCEEDED":
        raise ConfigurationError(f"{ended['status']}: {ended.get('error')}: {ended.get('cause')}")
    _say(f"done: `spotlake show {slot_at:%Y%m%dT%H%MZ} --bucket {operations.bucket()}` tells what came of it")
    return 0


def _replace_secret(operations: Operations, arguments: argparse.Namespace) -> int:
    # By standard input, because everybody on the machine can read arguments, and the shell keeps them.
    secret = (getpass.getpass("new client secret: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not secret:
        raise InvalidInputError("client secret", "", "the new secret's value (not its id), on standard input")
    if arguments.expires:
        try:
            date.fromisoformat(arguments.expires)
        except ValueError:
            raise InvalidInputError("--expires", arguments.expires, "a day such as 2027-11-23") from None
    after = operations.replace_secret(secret, arguments.expires)
    subscriptions = len(after.subscriptions)
    _say(f"Azure takes it; it counts from the next run on (tenant {after.tenant_id}, {subscriptions} subscriptions)")
    return 0


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201
