"""Reads the first form of a slot's record, as attempt 0. It is from before attempts had numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from spotlake import keys
from spotlake.models import Dataset, Run, WorkItem
from spotlake.planning.attempt import FIRST_FORM
from spotlake.planning.scope import Scope
from spotlake.stores.documents import read_json
from spotlake.stores.objects import ReadOnlyObjects

SCHEMA = 1


def read_first_form(objects: ReadOnlyObjects, slot_at: datetime) -> tuple[Run, Scope, Mapping[str, WorkItem]] | None:
    """Attempt 0 of a slot: the run, its scope, and the data sets that each region should have written.

    This form does not say what the calls asked, so the scores have rows and no account.
    """
    content, _ = read_json(objects, keys.first_form_record(slot_at), schema=SCHEMA)
    if content is None:
        return None
    run = Run.from_dict(content["run"] | {"attempt": FIRST_FORM})
    shards = content.get("shards", {})
    items = {
        region: WorkItem(region=region, datasets=_datasets(shards, region)) for region in content.get("regions", [])
    }
    return run, Scope.from_dict(content["asked"]), items


def _datasets(shards: Mapping[str, Sequence[str]], region: str) -> tuple[Dataset, ...]:
    return tuple(dataset for dataset in Dataset if region in shards.get(dataset.value, ()))
