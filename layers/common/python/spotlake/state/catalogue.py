"""The document ``catalogue.json.gz``: pairs that can be spot, with the day of their last listing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypedDict

from spotlake import keys
from spotlake.planning.catalogue import Catalogue
from spotlake.state.kinds import Memory
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects


class CatalogueJson(TypedDict):
    """The document; see ``Catalogue``."""

    pairs: Mapping[str, Mapping[str, str]]
    names: Mapping[str, str]
    listed: Mapping[str, str]


def _parse(content: CatalogueJson) -> Catalogue:
    return Catalogue(pairs=content["pairs"], names=content["names"], listed=content["listed"])


def _dump(catalogue: Catalogue) -> CatalogueJson:
    return {"pairs": catalogue.pairs, "names": catalogue.names, "listed": catalogue.listed}


CATALOGUE = Memory(key=keys.CATALOGUE, schema=1, parse=_parse, dump=_dump, empty=Catalogue)


def read_catalogue(objects: ReadOnlyObjects) -> Catalogue:
    """The catalogue; empty before the first listing."""
    return CATALOGUE.read(objects)


def change_catalogue(objects: ObjectStore, change: Callable[[Catalogue], Catalogue]) -> None:
    """Replace the catalogue by a changed one."""
    CATALOGUE.change(objects, change)
