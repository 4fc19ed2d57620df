"""The document ``price_memory.json.gz``: what price listings have taught (``planning/price_memory.py``).

It is advice: a run does without one that cannot be read, and never replaces one that it does not understand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.planning.price_memory import Compared, PriceMemory, Told, Unsold
from spotlake.stores.documents import change_json, read_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

SCHEMA = 1
_LOG = logging.getLogger(__name__)


def read_price_memory(objects: ReadOnlyObjects) -> PriceMemory:
    """The state; empty before the first run, and when it cannot be read."""
    try:
        content, _ = read_json(objects, keys.PRICE_MEMORY, schema=SCHEMA)
        return PriceMemory() if content is None else _memory(content)
    except (StoreError, KeyError, TypeError, AttributeError) as error:
        _LOG.warning("no memory of prices: %s: %s", type(error).__name__, error)
        return PriceMemory()


def change_price_memory(objects: ObjectStore, change: Callable[[PriceMemory], PriceMemory]) -> PriceMemory:
    """Change the state, and return it as it is then; no other writer's change is lost.

    What cannot be read or written stays as it is, and the change is made to an empty one that nobody keeps.
    """
    after = [PriceMemory()]

    def changed(content: Any) -> Mapping[str, Any] | None:
        before = PriceMemory() if content is None else _memory(content)
        after[0] = change(before)
        return None if after[0] == before else asdict(after[0])

    try:
        change_json(objects, keys.PRICE_MEMORY, changed, schema=SCHEMA)
    except (StoreError, KeyError, TypeError, AttributeError) as error:
        _LOG.warning("what prices taught is lost: %s: %s", type(error).__name__, error)
        return change(PriceMemory())
    return after[0]


def _memory(content: Mapping[str, Any]) -> PriceMemory:
    return PriceMemory(
        unsold={region: Unsold(**one) for region, one in content["unsold"].items()},
        absent=content["absent"],
        told={kind: {name: Told(**one) for name, one in names.items()} for kind, names in content["told"].items()},
        witnessed={region: Compared(**one) for region, one in content["witnessed"].items()},
    )
