"""The document ``catalogue.json.gz``: pairs that can be spot, with the day of their last listing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from spotlake import keys
from spotlake.planning.catalogue import Catalogue
from spotlake.stores.documents import change_json, read_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

SCHEMA = 1


class CatalogueJson(TypedDict):
    """The document; see ``Catalogue``."""

    pairs: Mapping[str, Mapping[str, str]]
    names: Mapping[str, str]
    listed: Mapping[str, str]


def read_catalogue(objects: ReadOnlyObjects) -> Catalogue | None:
    """The catalogue, or None before the first full run. Raises StoreError when it is damaged."""
    content, _ = read_json(objects, keys.CATALOGUE, schema=SCHEMA)
    return None if content is None else _catalogue(content)


def change_catalogue(objects: ObjectStore, change: Callable[[Catalogue], Catalogue]) -> None:
    """Replace the catalogue by a changed one; no other writer's change is lost."""

    def changed(content: Any) -> CatalogueJson | None:
        before = Catalogue() if content is None else _catalogue(content)
        after = change(before)
        return None if after == before else {"pairs": after.pairs, "names": after.names, "listed": after.listed}

    change_json(objects, keys.CATALOGUE, changed, schema=SCHEMA)


def _catalogue(content: CatalogueJson) -> Catalogue:
    return Catalogue(pairs=content["pairs"], names=content["names"], listed=content["listed"])
