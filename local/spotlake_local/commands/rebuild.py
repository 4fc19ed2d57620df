"""``spotlake rebuild``: makes lost or damaged merged states again from raw shards."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spotlake.errors import ConfigurationError, InvalidInputError
from spotlake.planning.run_input import TIMESTAMP_FORMS, parse_input
from spotlake_local.arguments import add_command, add_state_dir, workspace_of

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from spotlake.settings import Settings
    from spotlake.stores.objects import ObjectStore
    from spotlake.usecases.rebuild.rebuild import OnProgress, Rebuilt
    from spotlake_local.workspace import Workspace

QUIET_SECONDS = 15.0  # seconds between lines in a log, at most

_EPILOG = """\
examples:
  spotlake rebuild                               of the local runs
  spotlake rebuild --stage test                  of a deployed stack: its bucket, with its settings
  spotlake rebuild --since "2026-11-23 10:40"    folds everything since then once more
  spotlake rebuild --stage test --table          the table was emptied, or restored from a backup

Runs may continue meanwhile. A fold takes some two seconds a slot; `spotlake ops pause` first when it is about many."""


def add_parser(subparsers: Any) -> None:
    """Add ``rebuild`` to the command line."""
    parser = add_command(
        subparsers,
        "rebuild",
        summary="make a lost or damaged merged state again from raw shards",
        description="Checks the merged states that the chain names. Makes the first missing or damaged one, and "
        "all after it, again from raw shards. If the chain itself is damaged, the whole archive is folded again. "
        "The result equals what was lost. The next run brings the table up to date, and writes the snapshots that "
        "differ.",
        epilog=_EPILOG,
    )
    add_state_dir(parser)
    parser.add_argument("--stage", metavar="STAGE", help="of a deployed stack (AWS sign-in) instead of the local runs")
    parser.add_argument(
        "--since",
        metavar="SLOT",
        help=f"the first slot to fold again, damaged or not: {TIMESTAMP_FORMS}. Without a readable state before it "
        "the archive begins there, and what was last seen before it is lost",
    )
    parser.add_argument(
        "--table",
        action="store_true",
        help="let the next run write every item: a table that was emptied or restored from a backup does not show what "
        "the chain says it shows, and runs write only what changes",
    )
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Rebuild, and print what was done. Returns 0 on success."""
    from rich.console import Console

    since, table = _slot(arguments.since), arguments.table
    console = Console(stderr=True, highlight=False)
    if arguments.stage:
        rebuilt = _rebuild_deployed(arguments.stage, since, console, table=table)
    else:
        rebuilt = _rebuild_local(workspace_of(arguments), arguments.state_dir, since, console, table=table)
    Console(soft_wrap=True, highlight=False, markup=False).print(told(rebuilt))
    return 0


def told(rebuilt: Rebuilt) -> str:
    """What was done, in a few sentences, with what is left to do."""
    if not rebuilt.newest_run:
        return "nothing to rebuild: there is no raw shard yet"
    if not rebuilt.folded:
        text = "nothing to rebuild: every merged state that the chain names is whole (--since folds slots all the same)"
    else:
        onto = f"the state of {rebuilt.base_run}" if rebuilt.base_run else "nothing"
        text = (
            f"folded {len(rebuilt.folded):,} slots, {rebuilt.folded[0]} to {rebuilt.folded[-1]}, onto {onto}: "
            f"{rebuilt.pairs:,} pairs, {rebuilt.workloads:,} workloads. "
            f"Lost or different: {len(rebuilt.differing):,} merged states; the next run writes their snapshots."
        )
    whole = " It is not known what the table shows: the next run writes every item." if rebuilt.is_table_whole else ""
    if not rebuilt.may_leave_items:
        return text + whole
    left = (
        f" Nothing older than {rebuilt.folded[0]} is known: items of workloads that were not seen since then stay in "
        "the table as they are. Ways out: empty the table, then `spotlake rebuild --table`; or rebuild with --table "
        "and --since the first slot of the archive."
    )
    return text + whole + left


def _slot(text: str | None) -> datetime | None:
    if text is None:
        return None
    from spotlake.clock import WallClock

    slot_at = parse_input({"timestamp": text, "past": True}, now_at=WallClock().now()).slot_at
    if slot_at is None:
        raise InvalidInputError("--since", text, TIMESTAMP_FORMS)
    return slot_at


def _rebuild_deployed(stage: str, since: datetime | None, console: Console, *, table: bool) -> Rebuilt:
    import boto3
    from botocore.exceptions import BotoCoreError

    from spotlake.stores.objects import S3Objects
    from spotlake_local.operations import Operations

    session = boto3.Session()
    try:
        settings = Operations(session, stage).settings()
        objects = S3Objects(session.client("s3"), settings.write_bucket)
    except BotoCoreError as error:
        way_out = "sign in with `aws configure sso`, set a region"
        raise ConfigurationError(f"AWS could not be asked ({type(error).__name__}): {way_out}") from None
    return _rebuild(objects, settings, since, console, table=table)


def _rebuild_local(
    workspace: Workspace, state_dir: object, since: datetime | None, console: Console, *, table: bool
) -> Rebuilt:
    if not workspace.aws.exists():
        raise InvalidInputError("--state-dir", str(state_dir), "a folder that `make run` has made, or give --stage")
    # These imports take half a second, and no other command needs them.
    from contextlib import ExitStack
    from typing import cast

    from spotlake import keys
    from spotlake.stores.objects import S3Objects
    from spotlake_local.aws.interpreter import lambda_python
    from spotlake_local.aws.launcher import EmulatedAws
    from spotlake_local.files import copy_objects
    from spotlake_local.operations import Operations
    from spotlake_local.waiting import waiting
    from spotlake_local.workspace import ROOT

    with workspace.alone() as lock, ExitStack() as stack:
        with waiting(console, "starting the emulated AWS on the saved state"):
            started = EmulatedAws.start(workspace.aws, lambda_python=lambda_python(ROOT), lock=lock)
            aws = stack.enter_context(started)
        settings = Operations(aws, "test").settings()
        objects = S3Objects(cast("Any", aws.client("s3")), settings.write_bucket)
        rebuilt = _rebuild(objects, settings, since, console, table=table)
        copy_objects(objects, [*keys.NEWEST_FILES], workspace.outputs)
        with waiting(console, "stopping the emulated AWS"):
            stack.close()
    return rebuilt


def _rebuild(
    objects: ObjectStore, settings: Settings, since: datetime | None, console: Console, *, table: bool
) -> Rebuilt:
    from spotlake.clock import WallClock
    from spotlake.usecases.rebuild.rebuild import RebuildDeps, rebuild

    with _progress(console) as on_progress:
        deps = RebuildDeps(objects=objects, clock=WallClock(), settings=settings, on_progress=on_progress)
        return rebuild(deps, since, table=table)


@contextmanager
def _progress(console: Console) -> Iterator[OnProgress]:
    """A bar on a terminal, a line from time to time in a log."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    last = time.monotonic() - QUIET_SECONDS
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading the chain", total=None)

        def show(words: str, done: int, total: int) -> None:
            nonlocal last
            bar.update(task, description=words, completed=done, total=total)
            if not console.is_terminal and time.monotonic() - last >= QUIET_SECONDS:
                last = time.monotonic()
                console.print(f"{words}: {done:,} of {total:,}")

        yield show
