"""The records of a slot's Batch jobs, in which each job says what ended it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from spotlake import keys
from spotlake.checked import checked
from spotlake.errors import StoreError
from spotlake.models import Mode, slot_of_run_id
from spotlake.run_files import AttemptEntry
from spotlake.state.checkpoints import SCHEMA
from spotlake.stores.documents import read_json
from spotlake.stores.objects import ReadOnlyObjects


class JobEnd(TypedDict):
    """What ended a Batch job: the class name of the error, and the job's own sentence; both None after success."""

    error: str | None
    cause: str | None


def job_record_keys(run_id: str, attempts: Sequence[AttemptEntry]) -> dict[int, str]:
    """Attempt -> key of the record of its Batch job, for the full runs among a slot's attempts."""
    slot_at = slot_of_run_id(run_id)
    full = (one["attempt"] for one in attempts if one["mode"] == Mode.FULL.value)
    return {attempt: keys.checkpoint(slot_at, attempt, "job") for attempt in full}


def job_ends(objects: ReadOnlyObjects, run_id: str, attempts: Sequence[AttemptEntry]) -> dict[int, JobEnd]:
    """Attempt -> what ended its Batch job, where the newest attempt has failed.

    A record that is missing or damaged is left out: the manifest names the failure in fewer words.
    """
    if not attempts or not attempts[-1]["error"]:
        return {}
    ends = {}
    for attempt, key in job_record_keys(run_id, attempts).items():
        try:
            content, _ = read_json(objects, key, schema=SCHEMA)
            if content is not None:
                ends[attempt] = checked({"error": None, "cause": None, **content}, JobEnd, key=key)
        except StoreError:
            continue
    return ends
