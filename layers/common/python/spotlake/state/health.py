"""The document ``health.json``: of which failures of each kind of run somebody was told, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict

from spotlake import keys
from spotlake.models import from_iso, to_iso
from spotlake.state.kinds import Memory
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

SCHEMA = 3
_BY_KIND = 2  # one error class a kind of run; before, in schema 1, one for all kinds
_OLDER_SCHEMAS = (1, _BY_KIND)
_LONG_AGO = "1970-01-01T00:00:00Z"
TOLD_AGAIN_AFTER = timedelta(days=1)
_MOST_FAILURES = 20  # of a kind of run between two runs that end well


class HealthJson(TypedDict):
    """The document: kind of run -> failure -> when somebody was told (ISO). A kind that is well has none."""

    kinds: Mapping[str, Mapping[str, str]]


type Told = Mapping[str, Mapping[str, str]]  # kind of run -> failure -> when somebody was told (ISO)


def _parse(content: Any) -> Told:
    if content["schema"] == SCHEMA:
        kinds: Told = content["kinds"]
        return kinds
    older = content["kinds"] if content["schema"] == _BY_KIND else {"incremental": content}
    return {kind: {told["error"]: _LONG_AGO} for kind, told in older.items() if told["error"]}


def _dump(told: Told) -> HealthJson:
    return {"kinds": told}


HEALTH: Memory[Told] = Memory(
    key=keys.HEALTH, schema=SCHEMA, older=_OLDER_SCHEMAS, parse=_parse, dump=_dump, empty=dict
)


def is_news(objects: ReadOnlyObjects, kind: str, failure: str | None, now_at: datetime) -> bool:
    """Whether nobody was told yet of a failure, or not for a day; of a run that ended well: after a failure.

    Args:
        objects: The write bucket.
        kind: Of run, "incremental" or "full": a full run that fails every hour is one failure, however well the
            ten-minute runs beside it go.
        failure: What tells this failure from others; None for a run that ended well.
        now_at: The wall's time.
    """
    told = HEALTH.read(objects).get(kind, {})
    if failure is None:
        return bool(told)
    return failure not in told or now_at - from_iso(told[failure]) >= TOLD_AGAIN_AFTER


def note_told(objects: ObjectStore, kind: str, failure: str | None, now_at: datetime) -> None:
    """Remember that somebody was told of a failure, or (None) that all is well again."""

    def note(before: Told) -> Told:
        told = {**before.get(kind, {}), failure: to_iso(now_at)} if failure is not None else {}
        newest = sorted(told.items(), key=lambda one: one[1])[-_MOST_FAILURES:]
        return {**before, kind: dict(newest)}

    HEALTH.change(objects, note)
