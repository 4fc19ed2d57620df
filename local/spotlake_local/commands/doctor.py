"""``spotlake doctor --aws``: what a deployment needs and has, a line each; reads only."""

from __future__ import annotations

import argparse
from typing import Any

from spotlake_local.arguments import add_command
from spotlake_local.aws_doctor import check_all
from spotlake_local.aws_doctor.account import Verdict

_EPILOG = """\
It asks AWS with this shell's sign-in, changes nothing, and ends with 1 when there is something to do. What
only waits for the deployment is told as "later".

examples:
  spotlake doctor --aws
  spotlake doctor --aws --stage blue --bucket my-spot-history"""


def add_parser(subparsers: Any) -> None:
    """Add ``doctor`` to the command line."""
    parser = add_command(
        subparsers,
        "doctor",
        summary="check the AWS account before and after a deployment",
        description="Says of each thing that a deployment needs whether it is there, and if not what to do.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--aws", action="store_true", required=True, help="check the AWS account that this shell is signed in to"
    )
    parser.add_argument("--stage", default="test", help="of the stack (default: test)")
    parser.add_argument(
        "--bucket", default="", metavar="NAME", help="the write bucket (default: the stack's, else spotlake-STAGE)"
    )
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print a line for each check; 0 when nothing is to be done."""
    import boto3

    failed = 0
    for name, verdict in check_all(boto3.Session(), stage=arguments.stage, bucket=arguments.bucket):
        failed += not verdict.passed and not verdict.later
        print(line(name, verdict), flush=True)  # noqa: T201
    return 1 if failed else 0


def line(name: str, verdict: Verdict) -> str:
    """``passed  region        us-west-2``, or ``TO DO`` and what to do."""
    word = "passed" if verdict.passed else "later" if verdict.later else "TO DO"
    return f"{word:6}  {name:18}  {verdict.said}"
