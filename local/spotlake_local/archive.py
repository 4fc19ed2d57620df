"""Reads an archive for the command line: files of local runs, or the bucket of a deployed stack."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from spotlake.errors import InvalidInputError
from spotlake.keys import MANIFEST_PREFIX, execution, manifest
from spotlake.models import slot_of_run_id
from spotlake.reporting.jobs import job_ends
from spotlake.reporting.verdict import JudgedManifest, judge
from spotlake.run_files import Execution, parse_execution, parse_manifest
from spotlake.stores.objects import ReadOnlyObjects, S3Objects
from spotlake_local.arguments import add_state_dir, workspace_of
from spotlake_local.files import FileObjects


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--state-dir`` and ``--bucket``."""
    add_state_dir(parser)
    parser.add_argument("--bucket", metavar="NAME", help="read a deployed stack's write bucket instead (AWS sign-in)")


def open_archive(arguments: argparse.Namespace) -> ReadOnlyObjects:
    """The archive that the arguments name."""
    if arguments.bucket:
        import boto3

        return S3Objects(boto3.client("s3"), arguments.bucket)
    return FileObjects(workspace_of(arguments).outputs)


def no_runs_yet(arguments: argparse.Namespace) -> str:
    """The message for an archive without a finished run."""
    if arguments.bucket:
        return f"no finished runs in s3://{arguments.bucket} yet"
    return f"no finished runs in {workspace_of(arguments).outputs} yet: `make run` collects one"


def manifests(objects: ReadOnlyObjects, *, last: int) -> Iterator[JudgedManifest]:
    """Manifests of the newest finished runs, each with its verdict, newest first."""
    found = [key for key in objects.keys(MANIFEST_PREFIX) if key.endswith(".json")]
    for key in sorted(found, reverse=True)[:last]:
        found_manifest = judged(objects, key)
        if found_manifest is not None:
            yield found_manifest


def judged(objects: ReadOnlyObjects, key: str) -> JudgedManifest | None:
    """The manifest under a key, with its verdict; None when there is none. StoreError when it is damaged."""
    stored = objects.get(key)
    if stored is None:
        return None
    content = parse_manifest(stored.body, f"{objects.bucket}/{key}")
    return judge(content, job_ends(objects, content["run_id"], content["attempts"]))


def statistics(objects: ReadOnlyObjects, run_id: str) -> Execution | None:
    """A run's execution statistics; None when they were not written."""
    key = execution(slot_of_run_id(run_id))
    stored = objects.get(key)
    return parse_execution(stored.body, f"{objects.bucket}/{key}") if stored else None


def slot_text(run_id: str) -> str:
    """A run's slot for people.

    >>> slot_text("20251215T1000Z")
    '2025-12-15 10:00'
    """
    return f"{slot_of_run_id(run_id):%Y-%m-%d %H:%M}"


def cost_text(usd: float) -> str:
    """A run's cost for people.

    >>> cost_text(0.00581)
    '0.0058 USD on AWS at list price'
    """
    return f"{usd:.4f} USD on AWS at list price"


def scores_waiting(run: Mapping[str, Any]) -> str:
    """Scores of a run that wait for quota, from the run's manifest or summary.

    >>> scores_waiting({"calls_waiting": 0, "oldest_waiting_minutes": 0.0, "waits": False})
    'none'
    >>> scores_waiting({"calls_waiting": 0, "oldest_waiting_minutes": None, "waits": True})
    'all: none was asked'
    >>> scores_waiting({"calls_waiting": 1445, "oldest_waiting_minutes": 230.0, "waits": True})
    'of 1,445 calls, for quota; the oldest is 230 minutes old'
    """
    if not run["calls_waiting"]:
        return "all: none was asked" if run["waits"] else "none"
    age = run["oldest_waiting_minutes"]
    oldest = "some were never asked" if age is None else f"the oldest is {age:.0f} minutes old"
    return f"of {run['calls_waiting']:,} calls, for quota; {oldest}"


def score_ages(run: Mapping[str, Any]) -> str:
    """Ages of the newest scores, over all counts.

    >>> score_ages({"score_age_median_minutes": 10, "score_age_p95_minutes": 80, "oldest_score_age_minutes": 2900})
    'median 10, 95 % within 80, oldest 2,900 minutes'
    """
    if run["score_age_median_minutes"] is None:
        return "not known"
    median, p95, oldest = (run[f"{name}_minutes"] for name in ("score_age_median", "score_age_p95", "oldest_score_age"))
    return f"median {median:,}, 95 % within {p95:,}, oldest {oldest:,} minutes"


def confirmed_text(ages: Mapping[str, Any], name: str) -> str:
    """How many values of a data set were last confirmed how long ago; a class without values is left out.

    >>> confirmed_text({"limits_minutes": [60, 360, 1440, 10080], "price": [900, 0, 7, 0, 2]}, "price")
    '900 within 1 hour, 7 within 1 day, 2 before'
    """
    limits = [f"within {_duration(minutes)}" for minutes in ages["limits_minutes"]]
    counted = zip(ages[name], [*limits, "before"], strict=True)
    return ", ".join(f"{number:,} {limit}" for number, limit in counted if number) or "no value is known"


def _duration(minutes: int) -> str:
    hours = minutes // 60
    number, unit = (hours // 24, "day") if hours >= 24 else (hours, "hour")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def overtaken_text(number: int) -> str:
    """What to think of items that the table already had in a newer version.

    >>> overtaken_text(1200)
    '1,200: the table has newer ones that this archive did not write (does another archive write the same table?)'
    """
    why = "the table has newer ones that this archive did not write (does another archive write the same table?)"
    return f"{number:,}: {why}"


def coverage_text(run: Mapping[str, Any], name: str) -> str:
    """A data set's coverage, or the reason why there is none.

    >>> coverage_text({"coverage": {"sps": None}, "coverage_reasons": {"sps": "no quota"}}, "sps")
    'none (no quota)'
    """
    percent = run["coverage"][name]
    return f"none ({run['coverage_reasons'].get(name, 'not asked')})" if percent is None else f"{percent:.1f} %"


def read_manifest(objects: ReadOnlyObjects, run_id: str) -> JudgedManifest:
    """One run's manifest with its verdict. Raises InvalidInputError for a wrong or unknown id."""
    try:
        key = manifest(slot_of_run_id(run_id))
    except ValueError:
        raise InvalidInputError("RUN", run_id, "a run id such as 20251215T1000Z (`spotlake runs` lists them)") from None
    content = judged(objects, key)
    if content is None:
        known = [one["run_id"] for one in manifests(objects, last=3)]
        allowed = f"a finished run, such as {', '.join(known)}" if known else "a finished run: there is none here yet"
        raise InvalidInputError("RUN", run_id, allowed)
    return content
