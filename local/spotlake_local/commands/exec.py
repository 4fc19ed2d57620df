"""``spotlake exec -- COMMAND``: runs a command against the emulated AWS on the saved state."""

from __future__ import annotations

import argparse
import os
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from spotlake.errors import InvalidInputError
from spotlake_local.arguments import add_command, add_state_dir, workspace_of
from spotlake_local.workspace import ROOT

if TYPE_CHECKING:
    from spotlake_local.aws.launcher import EmulatedAws

_EPILOG = """\
examples:
  spotlake exec -- aws s3 ls s3://spotlake-test/ --recursive
  spotlake exec -- aws dynamodb scan --table-name azure-test --select COUNT
  spotlake exec --role sps -- aws s3 cp README.md s3://spotlake/   (refused: AccessDenied)

The exit code is COMMAND's own."""


def add_parser(subparsers: Any) -> None:
    """Add ``exec`` to the command line."""
    parser = add_command(
        subparsers,
        "exec",
        summary="run a command against the emulated AWS of the local runs",
        description="Starts the emulated AWS on what local runs have kept, runs COMMAND with its endpoint and "
        "credentials in the environment (AWS_ENDPOINT_URL, ...), and stops it again. The credentials are the root "
        "user's, or with --role those of a function's role: try what it may do, and what not.",
        epilog=_EPILOG,
    )
    add_state_dir(parser)
    parser.add_argument(
        "--role",
        metavar="FUNCTION",
        help="have the rights of this Lambda function: plan, sps, price, eviction, merge, report or notify",
    )
    parser.add_argument("words", nargs="+", metavar="COMMAND", help="the command and its arguments, after --")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Run the command. The exit code is that of the command."""
    workspace = workspace_of(arguments)
    if not workspace.aws.exists():
        raise InvalidInputError("--state-dir", str(arguments.state_dir), "a folder that `make run` has made")
    # These imports take half a second, and no other command needs them.
    from rich.console import Console

    from spotlake_local.aws.interpreter import lambda_python
    from spotlake_local.aws.launcher import EmulatedAws
    from spotlake_local.waiting import waiting

    console = Console(stderr=True)  # standard output belongs to the command
    with workspace.alone() as lock, ExitStack() as stack:
        with waiting(console, "starting the emulated AWS on the saved state"):
            started = EmulatedAws.start(workspace.aws, lambda_python=lambda_python(ROOT), lock=lock)
            aws = stack.enter_context(started)
            environment = _environment(aws, arguments.role)
        try:
            code = subprocess.run(arguments.words, env=environment, check=False).returncode
        except FileNotFoundError:
            raise InvalidInputError("COMMAND", arguments.words[0], "a program that is on the PATH") from None
        with waiting(console, "stopping the emulated AWS"):
            stack.close()
    return code


def _environment(aws: EmulatedAws, role: str | None) -> dict[str, str]:
    """The command's environment: that of this shell, with the emulator's endpoint and credentials.

    Nothing of the caller's own AWS or Azure accounts goes along, and no proxy stands between.
    """
    from spotlake_local.aws.roles import credentials_of_role, role_of_function

    # The project's own tools (the AWS CLI, cdk) come first.
    path = os.pathsep.join([str(ROOT / ".venv/bin"), str(ROOT / "node_modules/.bin"), os.environ.get("PATH", "")])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AZURE_"))}
    direct = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    environment = {**kept, **direct, **aws.environment(), "PATH": path, "AWS_PAGER": ""}
    return environment if role is None else environment | credentials_of_role(aws, role_of_function(aws, role))
