"""Shared parts of the commands: help format, flags, and the check of a number."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from spotlake.errors import InvalidInputError
from spotlake_local.workspace import ROOT, Workspace


def add_command(subparsers: Any, name: str, *, summary: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """Add a command. The lines of ``epilog`` stay as written."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=KeepEpilog,
        allow_abbrev=False,  # flags must not be abbreviated, as for `make run`
    )
    return parser


def add_state_dir(parser: argparse.ArgumentParser) -> None:
    """Add ``--state-dir``: the folder of local runs."""
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=default_folder(),
        metavar="DIR",
        help="the local runs' folder (default: STATE_DIR of the environment, else .local in the checkout)",
    )


def default_folder() -> Path:
    """``STATE_DIR`` of the environment, as `make run` takes it; else ``.local`` in the checkout.

    A command that `pip install` put elsewhere has no checkout: there it is ``.local`` in the working directory.
    """
    checkout = ROOT if (ROOT / "pyproject.toml").is_file() else Path()
    return Path(os.environ.get("STATE_DIR") or checkout / ".local")


def workspace_of(arguments: argparse.Namespace) -> Workspace:
    """The workspace that ``--state-dir`` names."""
    return Workspace(arguments.state_dir.resolve())


def whole_number(field: str, text: str, low: int, high: int) -> int:
    """The number in a flag. Raises InvalidInputError that names the flag."""
    if not text.isdecimal() or not low <= int(text) <= high:
        raise InvalidInputError(field, text, f"a whole number from {low} to {high}")
    return int(text)


class KeepEpilog(argparse.HelpFormatter):
    """Fills paragraphs to the terminal's width. Lines with manual breaks (examples) stay as written."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "\n".join(indent + line for line in text.splitlines())
        return super()._fill_text(text, width, indent)
