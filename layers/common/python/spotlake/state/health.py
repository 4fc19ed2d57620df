"""The document ``health.json``: reported failures of each kind of run, and when."""

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
REPORTED_AGAIN_AFTER = timedelta(days=1)
_MOST_FAILURES = 20  # of a kind of run between two runs that end well


class HealthJson(TypedDict):
    """The document: kind of run -> failure -> when the failure was reported (ISO).

    A kind that succeeds has no failure.
    """

    kinds: Mapping[str, Mapping[str, str]]


type Reported = Mapping[str, Mapping[str, str]]  # kind of run -> failure -> when it was reported (ISO)


def _parse(content: Any) -> Reported:
    if content["schema"] == SCHEMA:
        return {kind: dict(reported) for kind, reported in content["kinds"].items()}
    older = content["kinds"] if content["schema"] == _BY_KIND else {"incremental": content}
    return {kind: {reported["error"]: _LONG_AGO} for kind, reported in older.items() if reported["error"]}


def _dump(reported: Reported) -> HealthJson:
    return {"kinds": reported}


HEALTH: Memory[Reported] = Memory(
    key=keys.HEALTH, schema=SCHEMA, older=_OLDER_SCHEMAS, parse=_parse, dump=_dump, empty=dict
)


def is_news(objects: ReadOnlyObjects, kind: str, failure: str | None, now_at: datetime) -> bool:
    """Whether to report: a failure that was not reported in the last day, or a success after a failure.

    Args:
        objects: The write bucket.
        kind: Kind of run, "incremental" or "full". A full run that fails every hour is one failure, even if the
            ten-minute runs beside it succeed.
        failure: Text that distinguishes this failure from others; None for a run that succeeded.
        now_at: Present time of the wall clock.
    """
    reported = HEALTH.read(objects).get(kind, {})
    if failure is None:
        return bool(reported)
    return failure not in reported or now_at - from_iso(reported[failure]) >= REPORTED_AGAIN_AFTER


def note_reported(objects: ObjectStore, kind: str, failure: str | None, now_at: datetime) -> None:
    """Store that a failure was reported, or (None) that the recovery was."""

    def note(before: Reported) -> Reported:
        reported = {**before.get(kind, {}), failure: to_iso(now_at)} if failure is not None else {}
        newest = sorted(reported.items(), key=lambda one: one[1])[-_MOST_FAILURES:]
        return {**before, kind: dict(newest)}

    HEALTH.change(objects, note)
