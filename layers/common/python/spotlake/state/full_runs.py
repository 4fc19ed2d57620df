"""The document ``full_runs.json``: when a daily full run last began, and last succeeded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TypedDict

from spotlake import keys
from spotlake.models import from_iso, to_iso
from spotlake.state.kinds import Memory
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects


class FullRunsJson(TypedDict):
    """The document; times are ISO text in UTC."""

    begun_at: str | None
    done_at: str | None


@dataclass(frozen=True, kw_only=True)
class FullRuns:
    """The past of the daily full run.

    Attributes:
        begun_at: Slot of the last full run that began; None before the first one.
        done_at: Slot of the last full run that succeeded; None before the first one.
    """

    begun_at: datetime | None = None
    done_at: datetime | None = None

    def is_due(self, slot_at: datetime) -> bool:
        """Whether to begin a full run: none has succeeded today, and none has begun in this hour.

        So a full run that finds no machine is tried again in the next hour.
        """
        if self.done_at is not None and self.done_at.date() >= slot_at.date():
            return False
        return self.begun_at is None or _hour(self.begun_at) < _hour(slot_at)


def _parse(content: FullRunsJson) -> FullRuns:
    return FullRuns(
        begun_at=from_iso(content["begun_at"]) if content["begun_at"] else None,
        done_at=from_iso(content["done_at"]) if content["done_at"] else None,
    )


def _dump(past: FullRuns) -> FullRunsJson:
    return {
        "begun_at": to_iso(past.begun_at) if past.begun_at else None,
        "done_at": to_iso(past.done_at) if past.done_at else None,
    }


FULL_RUNS = Memory(key=keys.FULL_RUNS, schema=1, parse=_parse, dump=_dump, empty=FullRuns)


def read_full_runs(objects: ReadOnlyObjects) -> FullRuns:
    """Read the document; empty before the first full run."""
    return FULL_RUNS.read(objects)


def note_full_run(objects: ObjectStore, slot_at: datetime, *, done: bool) -> None:
    """Note that a slot's full run has begun, or is done. An older slot changes nothing."""

    def note(before: FullRuns) -> FullRuns:
        begun_at = max(slot_at, before.begun_at or slot_at)
        return FullRuns(begun_at=begun_at, done_at=max(slot_at, before.done_at or slot_at) if done else before.done_at)

    FULL_RUNS.change(objects, note)


def _hour(moment: datetime) -> tuple[date, int]:
    return moment.date(), moment.hour
