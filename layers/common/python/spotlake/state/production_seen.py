"""The document ``production_seen.json``: production's position in its rotation, and since when it stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from spotlake import keys
from spotlake.state.kinds import Advice


class SeenJson(TypedDict):
    """The document; see ``ProductionSeen``."""

    position: str
    since: str


@dataclass(frozen=True, kw_only=True)
class ProductionSeen:
    """Where production was when a run last looked.

    Attributes:
        position: Its day and index, as text; "" before the first look.
        since: Slot (ISO) in which a run first saw it there.
    """

    position: str = ""
    since: str = ""


def _parse(content: SeenJson) -> ProductionSeen:
    return ProductionSeen(position=content["position"], since=content["since"])


def _dump(seen: ProductionSeen) -> SeenJson:
    return {"position": seen.position, "since": seen.since}


PRODUCTION_SEEN = Advice(key=keys.PRODUCTION_SEEN, schema=1, parse=_parse, dump=_dump, empty=ProductionSeen)
