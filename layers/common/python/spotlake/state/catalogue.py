"""The document ``catalogue.json.gz``: pairs that can be spot, with the day of their last listing."""

from __future__ import annotations

from spotlake import keys
from spotlake.planning.catalogue import Catalogue
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects, read_json, write_json

SCHEMA = 1


def read_catalogue(objects: ReadOnlyObjects) -> Catalogue | None:
    """The catalogue, or None before the first full run. Raises StoreError when it is damaged."""
    content, _ = read_json(objects, keys.CATALOGUE, schema=SCHEMA)
    if content is None:
        return None
    return Catalogue(
        pairs=content["pairs"],
        names=content["names"],
        listed=content["listed"],
        whole_on=content.get("whole_on", ""),  # not in older files: one full run more
    )


def write_catalogue(objects: ObjectStore, catalogue: Catalogue) -> None:
    """Write it (the execution that holds the claim is the only writer)."""
    content = {
        "pairs": catalogue.pairs,
        "names": catalogue.names,
        "listed": catalogue.listed,
        "whole_on": catalogue.whole_on,
    }
    write_json(objects, keys.CATALOGUE, content, schema=SCHEMA)
