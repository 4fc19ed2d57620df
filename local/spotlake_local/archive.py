"""Reading an archive from the command line: local runs' files, or a deployed stack's bucket."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from spotlake.errors import InvalidInputError, StoreError
from spotlake.keys import MANIFEST_PREFIX, execution, manifest
from spotlake.models import slot_of_run_id
from spotlake.stores.objects import ReadOnlyObjects, S3Objects
from spotlake_local.arguments import add_state_dir, workspace_of
from spotlake_local.files import FileObjects


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--state-dir`` and ``--bucket``."""
    add_state_dir(parser)
    parser.add_argument("--bucket", metavar="NAME", help="read a deployed stack's write bucket instead (AWS sign-in)")


def open_archive(arguments: argparse.Namespace) -> ReadOnlyObjects:
    """The objects to read from."""
    if arguments.bucket:
        import boto3

        return S3Objects(boto3.client("s3"), arguments.bucket)
    return FileObjects(workspace_of(arguments).outputs)


def no_runs_yet(arguments: argparse.Namespace) -> str:
    """What is said where an archive holds no finished run."""
    if arguments.bucket:
        return f"no finished runs in s3://{arguments.bucket} yet"
    return f"no finished runs in {workspace_of(arguments).outputs} yet: `make run` collects one"


def manifests(objects: ReadOnlyObjects, *, last: int) -> Iterator[dict[str, Any]]:
    """Manifests of the newest finished runs, newest first."""
    found = [key for key in objects.keys(MANIFEST_PREFIX) if key.endswith(".json")]
    for key in sorted(found, reverse=True)[:last]:
        content = read_document(objects, key)
        if content is not None:
            yield content


def total_seconds(objects: ReadOnlyObjects, run_id: str) -> float | None:
    """How long a run took from its plan to its end; None when its statistics were not written."""
    content = read_document(objects, execution(slot_of_run_id(run_id)))
    return content["total_seconds"] if content else None


def scores_waiting(run: Mapping[str, Any]) -> str:
    """What the quota made wait in a run, by its manifest or summary.

    >>> scores_waiting({"calls_waiting": 0, "oldest_score_age_minutes": 0.0})
    'none'
    >>> scores_waiting({"calls_waiting": 1445, "oldest_score_age_minutes": 230.0})
    'of 1,445 calls, for quota; the oldest is 230 minutes old'
    """
    if not run["calls_waiting"]:
        return "none"
    age = run["oldest_score_age_minutes"]
    oldest = "some were never asked" if age is None else f"the oldest is {age:.0f} minutes old"
    return f"of {run['calls_waiting']:,} calls, for quota; {oldest}"


def read_manifest(objects: ReadOnlyObjects, run_id: str) -> dict[str, Any]:
    """The manifest of one run. Raises InvalidInputError when there is none, or the id has a wrong form."""
    try:
        content = read_document(objects, manifest(slot_of_run_id(run_id)))
    except ValueError:
        raise InvalidInputError("RUN", run_id, "a run id such as 20251215T1000Z (`spotlake runs` lists them)") from None
    if content is None:
        known = [one["run_id"] for one in manifests(objects, last=3)]
        allowed = f"a finished run, such as {', '.join(known)}" if known else "a finished run: there is none here yet"
        raise InvalidInputError("RUN", run_id, allowed)
    return content


def read_document(objects: ReadOnlyObjects, key: str) -> dict[str, Any] | None:
    """A JSON object that is stored plain (manifest, execution statistics), or None. StoreError when it is damaged."""
    stored = objects.get(key)
    try:
        content: dict[str, Any] | None = orjson.loads(stored.body) if stored else None
    except ValueError as error:
        raise StoreError(f"{objects.bucket}/{key} is damaged: {error}") from None
    return content
