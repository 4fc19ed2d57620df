"""The document ``locations.json.gz``: routing locations and zones, as Azure last reported them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from spotlake import keys
from spotlake.models import from_iso, to_iso
from spotlake.scores.geography import Locations, RegionZones
from spotlake.sizes.geography import Geography
from spotlake.state.kinds import Advice


class LocationsJson(TypedDict):
    """The document; see ``Locations``."""

    fetched_at: str
    routing: list[str]
    zones: Mapping[str, RegionZones]
    failed: Mapping[str, str]
    reference: NotRequired[str]  # since 0.2.0
    geographies: NotRequired[Mapping[str, tuple[str, str]]]  # region -> geography, group


def _parse(content: LocationsJson) -> Locations:
    return Locations(
        fetched_at=from_iso(content["fetched_at"]),
        routing=tuple(content["routing"]),
        zones=content["zones"],
        failed=content["failed"],
        reference=content.get("reference", ""),
        geographies={region: Geography(*told) for region, told in content.get("geographies", {}).items()},
    )


def _dump(locations: Locations | None) -> Mapping[str, object]:
    if locations is None:
        return {}
    content: LocationsJson = {
        "fetched_at": to_iso(locations.fetched_at),
        "routing": list(locations.routing),
        "zones": locations.zones,
        "failed": locations.failed,
        "reference": locations.reference,
        "geographies": {region: (told.geography, told.group) for region, told in locations.geographies.items()},
    }
    return content


LOCATIONS: Advice[Locations | None] = Advice(key=keys.LOCATIONS, schema=1, parse=_parse, dump=_dump, empty=lambda: None)
