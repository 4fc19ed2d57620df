"""The records of a slot's Batch jobs, in which each says what ended it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.models import Mode, slot_of_run_id
from spotlake.state.checkpoints import SCHEMA
from spotlake.stores.documents import read_json
from spotlake.stores.objects import ReadOnlyObjects


def job_record_keys(manifest: Mapping[str, Any]) -> dict[int, str]:
    """Attempt -> key of its job's record, for the full runs among a slot's attempts."""
    slot_at = slot_of_run_id(manifest["run_id"])
    full = (one["attempt"] for one in manifest.get("attempts", ()) if one["mode"] == Mode.FULL.value)
    return {attempt: keys.checkpoint(slot_at, attempt, "job") for attempt in full}


def job_records(objects: ReadOnlyObjects, manifest: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """Attempt -> its job's record, where the newest attempt has failed and there is one.

    A record that cannot be read is as none: the manifest says the same in fewer words.
    """
    attempts = manifest.get("attempts", ())
    if not attempts or not attempts[-1]["error"]:
        return {}
    found = {}
    for attempt, key in job_record_keys(manifest).items():
        try:
            content, _ = read_json(objects, key, schema=SCHEMA)
        except StoreError:
            continue
        if content is not None:
            found[attempt] = content
    return found
