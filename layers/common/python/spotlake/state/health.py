"""The document ``health.json``: what was last reported of each kind of run."""

from __future__ import annotations

from typing import Any, TypedDict

from spotlake import keys
from spotlake.stores.documents import change_json
from spotlake.stores.objects import ObjectStore

SCHEMA = 2
_FIRST_SCHEMA = 1  # one entry for all kinds of runs


class Reported(TypedDict):
    """What was last reported of one kind of run; ``error`` None: the run ended well."""

    error: str | None
    execution_id: str


class HealthJson(TypedDict):
    """The document: kind of run -> what was last reported of the kind."""

    kinds: dict[str, Reported]


def note_health(objects: ObjectStore, kind: str, *, error: str | None, execution_id: str) -> str | None:
    """Remember what is reported of a kind of run ("incremental", "full"); returns what was reported before.

    A full run that fails every hour is one failure, however well the ten-minute runs beside it go.
    """
    before: list[str | None] = [None]

    def note(content: Any) -> HealthJson | None:
        kinds = {} if content is None or content["schema"] == _FIRST_SCHEMA else content["kinds"]
        if content is not None and content["schema"] == _FIRST_SCHEMA:
            kinds = {"incremental": {"error": content["error"], "execution_id": content["execution_id"]}}
        before[0] = kinds[kind]["error"] if kind in kinds else None
        if before[0] == error:
            return None
        return {"kinds": {**kinds, kind: {"error": error, "execution_id": execution_id}}}

    change_json(objects, keys.HEALTH, note, schema=SCHEMA, older=_FIRST_SCHEMA)
    return before[0]
