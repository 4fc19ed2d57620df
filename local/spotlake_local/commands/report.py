"""``spotlake report [RUN ...]``: makes the page of one run, or of several runs side by side."""

from __future__ import annotations

import argparse
import webbrowser
from pathlib import Path
from typing import Any

from spotlake.errors import InvalidInputError
from spotlake.models import slot_of_run_id
from spotlake_local.archive import add_source_arguments, manifests, no_runs_yet, open_archive, read_manifest
from spotlake_local.arguments import add_command, workspace_of
from spotlake_local.browser import take_picture

MOST_RUNS = 6  # more do not fit beside each other

_EPILOG = """\
examples:
  spotlake report --open
  spotlake report 20251215T1000Z 20251215T1010Z --out before-and-after.html
  spotlake report --bucket spotlake-test --out today.html"""


def add_parser(subparsers: Any) -> None:
    """Add ``report`` to the command line."""
    parser = add_command(
        subparsers,
        "report",
        summary="make the page to look at: of the last run, or of several beside each other",
        description="Makes one self-contained HTML page of finished runs from what they have written, and says "
        "where it is. The first run is what the others are compared with.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "run_ids", nargs="*", metavar="RUN", help=f"run ids, at most {MOST_RUNS} (default: the last finished run)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: report.html in the local runs' folder")
    parser.add_argument("--open", action="store_true", help="open it in the browser too")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="take a picture of it too (needs Chromium)")
    add_source_arguments(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Write the page; exit code 0 also when there is no run yet (and says how to make one)."""
    from rich.console import Console

    from spotlake.reporting.facts import gather
    from spotlake.reporting.page import render

    console = Console(soft_wrap=True)
    archive = open_archive(arguments)
    if len(arguments.run_ids) > MOST_RUNS:
        raise InvalidInputError("RUN", f"{len(arguments.run_ids)} runs", f"at most {MOST_RUNS}")
    wanted = arguments.run_ids or [one["run_id"] for one in manifests(archive, last=1)]
    if not wanted:
        console.print(no_runs_yet(arguments), markup=False)
        return 0
    for run_id in wanted:
        read_manifest(archive, run_id)  # an unknown run raises an error that lists known runs
    page = render([gather(archive, slot_of_run_id(run_id)) for run_id in wanted])
    path = arguments.out or workspace_of(arguments).folder / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(page)
    console.print(f"{', '.join(wanted)}: {path.resolve().as_uri()} ({len(page) / 1e6:.2f} MB)")
    if arguments.open:
        webbrowser.open(path.resolve().as_uri())
    if arguments.picture:
        take_picture(path, arguments.picture)
        console.print(f"picture: {arguments.picture}")
    return 0
