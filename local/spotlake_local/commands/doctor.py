"""``spotlake doctor``: what a deployment needs and has, a line each; reads only."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from spotlake_local.arguments import add_command
from spotlake_local.aws_doctor.account import Verdict

_EPILOG = """\
It asks AWS with this shell's sign-in, and Azure with the stored one. It changes nothing, spends one call of the
placement-score quota, and ends with 1 when there is something to do. What waits for something else is "later".

examples:
  spotlake doctor
  spotlake doctor --aws --stage blue --bucket my-spot-history
  spotlake doctor --azure --json
  spotlake doctor --live        (Azure alone, with the variables of `AZURE=live make run`)"""


def add_parser(subparsers: Any) -> None:
    """Add ``doctor`` to the command line."""
    parser = add_command(
        subparsers,
        "doctor",
        summary="check the AWS account, the sign-in to Azure and the APIs",
        description="Says of each thing that a deployment needs whether it is there, and if not what to do.",
        epilog=_EPILOG,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--aws", action="store_true", help="the AWS account that this shell is signed in to, alone")
    which.add_argument("--azure", action="store_true", help="Azure, with the stack's stored sign-in, alone")
    which.add_argument("--live", action="store_true", help="Azure without AWS, with the sign-in of the environment")
    parser.add_argument("--json", action="store_true", help="print one JSON list, for scripts")
    parser.add_argument("--stage", default="test", help="of the stack (default: test)")
    parser.add_argument(
        "--bucket", default="", metavar="NAME", help="the write bucket (default: the stack's, else spotlake-STAGE)"
    )
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print a line for each check; 0 when nothing is to be done."""
    failed, listed = 0, []
    for name, verdict in _checks(arguments):
        failed += not verdict.passed and not verdict.later
        if arguments.json:
            listed.append({"check": name, "verdict": word_of(verdict), "said": verdict.said})
        else:
            print(line(name, verdict), flush=True)  # noqa: T201
    if arguments.json:
        import orjson

        print(orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
    return 1 if failed else 0


def _checks(arguments: argparse.Namespace) -> Iterator[tuple[str, Verdict]]:
    from spotlake_local.azure_doctor import check_azure
    from spotlake_local.azure_doctor.target import Target

    if arguments.live:
        yield from check_azure(Target.of_environment())
        return
    import boto3

    from spotlake_local.aws_doctor import check_all

    session = boto3.Session()
    is_signed_in = True
    if not arguments.azure:
        for name, verdict in check_all(session, stage=arguments.stage, bucket=arguments.bucket):
            is_signed_in = is_signed_in and (verdict.passed or name != "identity, region")
            yield name, verdict
    if not arguments.aws and is_signed_in:
        yield from check_azure(Target.of_stack(session, arguments.stage))


def word_of(verdict: Verdict) -> str:
    """The first word of a line."""
    return "passed" if verdict.passed else "later" if verdict.later else "TO DO"


def line(name: str, verdict: Verdict) -> str:
    """``passed  region        us-west-2``, or ``TO DO`` and what to do."""
    return f"{word_of(verdict):6}  {name:18}  {verdict.said}"
