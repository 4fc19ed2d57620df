"""Reads the first form of a slot's record, as attempt 0. It is from before attempts had numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from spotlake import keys
from spotlake.errors import DamagedStateError
from spotlake.models import Dataset, Run, WorkItem
from spotlake.planning.attempt import FIRST_FORM
from spotlake.planning.scope import Scope
from spotlake.stores.documents import read_json
from spotlake.stores.objects import ReadOnlyObjects

SCHEMA = 1


def read_first_form(objects: ReadOnlyObjects, slot_at: datetime) -> tuple[Run, Scope, Mapping[str, WorkItem]] | None:
    """Attempt 0 of a slot: the run, its scope, and the data sets that each region should have written.

    This form does not say what the calls asked, so the scores have rows and no account. Raises DamagedStateError that
    names the key.
    """
    key = keys.first_form_record(slot_at)
    content, _ = read_json(objects, key, schema=SCHEMA)
    if content is None:
        return None
    try:
        shards = content.get("shards", {})
        items = {
            region: WorkItem(region=region, datasets=_datasets(shards, region)) for region in content.get("regions", ())
        }
        return Run.from_dict(content["run"] | {"attempt": FIRST_FORM}), Scope.from_dict(content["asked"]), items
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DamagedStateError(f"{key}: damaged ({type(error).__name__}: {error})") from error


def _datasets(shards: Mapping[str, Sequence[str]], region: str) -> tuple[Dataset, ...]:
    return tuple(dataset for dataset in Dataset if region in shards.get(dataset.value, ()))
