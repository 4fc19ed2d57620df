"""The document ``full_runs.json``: when the daily full run was last begun and last done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from spotlake import keys
from spotlake.models import from_iso, to_iso
from spotlake.stores.documents import change_json, read_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

SCHEMA = 1


class FullRunsJson(TypedDict):
    """The document; times are ISO text in UTC."""

    begun_at: str | None
    done_at: str | None


@dataclass(frozen=True, kw_only=True)
class FullRuns:
    """The daily full run's past.

    Attributes:
        begun_at: Slot of the last one that was begun; None before the first.
        done_at: Slot of the last one that collected what it was to collect; None before the first.
    """

    begun_at: datetime | None = None
    done_at: datetime | None = None

    def is_due(self, slot_at: datetime) -> bool:
        """Whether a full run is to be begun: none is done today, and none was begun in this hour.

        So one that finds no machine is tried again at the next full hour.
        """
        if self.done_at is not None and self.done_at.date() >= slot_at.date():
            return False
        return self.begun_at is None or _hour(self.begun_at) < _hour(slot_at)


def read_full_runs(objects: ReadOnlyObjects) -> FullRuns:
    """The document; empty before the first full run."""
    content, _ = read_json(objects, keys.FULL_RUNS, schema=SCHEMA)
    return FullRuns() if content is None else _full_runs(content)


def note_full_run(objects: ObjectStore, slot_at: datetime, *, done: bool) -> None:
    """Note that a slot's full run was begun, or is done; an older slot changes nothing."""

    def note(content: Any) -> FullRunsJson:
        before = FullRuns() if content is None else _full_runs(content)
        begun_at = max(slot_at, before.begun_at or slot_at)
        done_at = max(slot_at, before.done_at or slot_at) if done else before.done_at
        return {"begun_at": to_iso(begun_at), "done_at": to_iso(done_at) if done_at else None}

    change_json(objects, keys.FULL_RUNS, note, schema=SCHEMA)


def _full_runs(content: FullRunsJson) -> FullRuns:
    return FullRuns(
        begun_at=from_iso(content["begun_at"]) if content["begun_at"] else None,
        done_at=from_iso(content["done_at"]) if content["done_at"] else None,
    )


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
