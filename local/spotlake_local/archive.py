"""Reading an archive from the command line: local runs' files, or a deployed stack's bucket."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from spotlake.errors import InvalidInputError
from spotlake.keys import MANIFEST_PREFIX, manifest
from spotlake.models import slot_of_run_id
from spotlake.stores.objects import ReadOnlyObjects, S3Objects
from spotlake_local.files import FileObjects
from spotlake_local.workspace import Workspace, default_folder


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--state-dir`` and ``--bucket``."""
    parser.add_argument(
        "--state-dir", type=Path, default=default_folder(), metavar="DIR", help="local runs' folder (default: .local)"
    )
    parser.add_argument("--bucket", metavar="NAME", help="read a deployed stack's write bucket instead (AWS sign-in)")


def open_archive(arguments: argparse.Namespace) -> ReadOnlyObjects:
    """The objects to read from."""
    if arguments.bucket:
        import boto3

        return S3Objects(boto3.client("s3"), arguments.bucket)
    return FileObjects(Workspace(arguments.state_dir).outputs)


def manifests(objects: ReadOnlyObjects, *, last: int) -> Iterator[dict[str, Any]]:
    """Manifests of the newest finished runs, newest first."""
    found = [key for key in objects.keys(MANIFEST_PREFIX) if key.endswith(".json")]
    for key in sorted(found, reverse=True)[:last]:
        stored = objects.get(key)
        if stored is not None:
            yield orjson.loads(stored.body)


def read_manifest(objects: ReadOnlyObjects, run_id: str) -> dict[str, Any]:
    """The manifest of one run. Raises InvalidInputError when there is none, or the id has a wrong form."""
    try:
        stored = objects.get(manifest(slot_of_run_id(run_id)))
    except ValueError:
        raise InvalidInputError("RUN", run_id, "a run id such as 20251215T1000Z") from None
    if stored is None:
        known = [one["run_id"] for one in manifests(objects, last=3)]
        raise InvalidInputError(
            "RUN", run_id, f"a finished run, such as {', '.join(known)}" if known else "a run first"
        )
    content: dict[str, Any] = orjson.loads(stored.body)
    return content
