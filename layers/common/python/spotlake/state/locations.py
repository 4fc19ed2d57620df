"""The document ``locations.json.gz``: routing locations and zones, as Azure last reported them."""

from __future__ import annotations

from spotlake import keys
from spotlake.models import from_iso, to_iso
from spotlake.scores.geography import Locations
from spotlake.stores.documents import read_json, write_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

SCHEMA = 1


def read_locations(objects: ReadOnlyObjects) -> Locations | None:
    """Read the last known locations; None when there are none. Raises StoreError when the document is damaged."""
    content, _ = read_json(objects, keys.LOCATIONS, schema=SCHEMA)
    if content is None:
        return None
    return Locations(
        fetched_at=from_iso(content["fetched_at"]),
        routing=tuple(content["routing"]),
        zones=content["zones"],
        failed=content["failed"],
    )


def write_locations(objects: ObjectStore, locations: Locations) -> None:
    """Store the locations for the next runs."""
    content = {
        "fetched_at": to_iso(locations.fetched_at),
        "routing": list(locations.routing),
        "zones": locations.zones,
        "failed": locations.failed,
    }
    write_json(objects, keys.LOCATIONS, content, schema=SCHEMA)
