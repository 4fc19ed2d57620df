"""The command line: ``spotlake COMMAND``, with one module per command in ``commands/``."""

from __future__ import annotations

import argparse
import errno
import importlib
import importlib.metadata
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from spotlake.errors import ConfigurationError, InvalidInputError, Recovery, SpotlakeError, StoreError

_COMMANDS = (
    "run", "runs", "show", "report", "latest", "history", "at", "changes", "diff", "place", "export",
    "exec", "plan_calls", "image", "doctor", "ops", "rebuild",
)  # fmt: skip
_EXIT_INPUT = 2
_EXIT_FAILED = 1
_EXIT_INTERRUPTED = 130
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_EPILOG = """\
first steps:
  spotlake run                    collect one slot: emulated AWS, simulated Azure, no account
  spotlake run --regions eastus   the same of one region, in less than a minute
  spotlake runs                   what has been collected so far
  spotlake report --open          look at the last run

exit codes: 0 done, 1 failed, 2 a value that is not allowed, 130 interrupted; `exec` ends with its command's own"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    try:
        parser = _parser()
        if not (sys.argv[1:] if arguments is None else arguments):
            parser.print_help()
            return 0
        parsed = parser.parse_args(arguments)
        command: Callable[[argparse.Namespace], int] = parsed.command
        # A terminated command must stop the processes that it started, as an interrupted one does.
        signal.signal(signal.SIGTERM, _interrupt)
        return _without_traceback(command, parsed)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: everything that was started has been stopped\n")
        return _EXIT_INTERRUPTED
    except ModuleNotFoundError as error:
        missing = (error.name or "spotlake").partition(".")[0]
        if missing.startswith("spotlake"):
            raise  # our own fault
        # `pip install .` installs what reading takes, and no more.
        way_out = f"`make setup` in the checkout, then .venv/bin/spotlake; or `pip install {missing}`"
        return _fail(error, way_out, _EXIT_FAILED)


def _parser() -> argparse.ArgumentParser:
    from spotlake_local.arguments import KeepEpilog

    parser = argparse.ArgumentParser(
        prog="spotlake",
        description="Collects Azure Spot VM placement scores, prices and eviction rates, and keeps them.",
        epilog=_EPILOG,
        formatter_class=KeepEpilog,
        allow_abbrev=False,
    )
    version = importlib.metadata.version("spotlake-azure-collector")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in _COMMANDS:
        importlib.import_module(f"spotlake_local.commands.{name}").add_parser(subparsers)
    return parser


def _without_traceback(command: Callable[[argparse.Namespace], int], parsed: argparse.Namespace) -> int:
    """Run a command. An error is printed in a sentence or two, without a traceback."""
    try:
        return command(parsed)
    except InvalidInputError as error:
        return _fail(error, "", _EXIT_INPUT)
    except StoreError as error:
        bucket = getattr(parsed, "bucket", None)
        return _fail(error, "check the bucket's name and this shell's AWS sign-in" if bucket else "", _EXIT_FAILED)
    except SpotlakeError as error:
        # An error about this machine has its own advice, because no general advice fits a disk and a role.
        has_advice = isinstance(error, ConfigurationError) or error.recovery is Recovery.TRY_LATER
        return _fail(error, "" if has_advice else error.recovery.value, _EXIT_FAILED)
    except BrokenPipeError:  # the reader of a pipe has seen enough: `spotlake latest | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None and error.errno not in _FULL_DISK:
            raise  # not about a file: our own fault
        way_out = "make room, or choose another place" if error.errno in _FULL_DISK else "choose another place"
        return _fail(error, way_out, _EXIT_FAILED)


def _fail(error: Exception, way_out: str, code: int) -> int:
    hint = f"\n  what to do: {way_out}" if way_out else ""
    sys.stderr.write(f"spotlake: {error}{hint}\n")
    return code


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
