"""The command line: ``spotlake COMMAND``; one module a command under ``commands/``."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from spotlake.errors import InvalidInputError, Recovery, SpotlakeError

_COMMANDS = ("run", "exec", "runs", "show", "report", "plan_calls", "image")
_EXIT_INPUT = 2
_EXIT_FAILED = 1
_EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="spotlake",
        description="Collects Azure Spot VM placement scores, prices and eviction rates, and keeps them.",
        epilog="`spotlake run` collects one slot on this machine, with emulated AWS and simulated Azure.",
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in _COMMANDS:
        importlib.import_module(f"spotlake_local.commands.{name}").add_parser(subparsers)
    parsed = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    # A terminated command must stop what it started, as an interrupted one does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return command(parsed)
    except InvalidInputError as error:
        return _fail(error, _EXIT_INPUT)
    except SpotlakeError as error:
        return _fail(error, _EXIT_FAILED)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: everything that was started has been stopped\n")
        return _EXIT_INTERRUPTED


def _fail(error: SpotlakeError, code: int) -> int:
    hint = "" if error.recovery is Recovery.FIX_INPUT else f"\n  what to do: {error.recovery.value}"
    sys.stderr.write(f"{type(error).__name__}: {error}{hint}\n")
    return code


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
