"""The document ``price_memory.json.gz``: what price listings have taught (``planning/price_memory.py``)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from spotlake import keys
from spotlake.planning.price_memory import Compared, PriceMemory, Told, Unsold
from spotlake.state.kinds import Advice


def _parse(content: Any) -> PriceMemory:
    return PriceMemory(
        unsold={region: Unsold(**one) for region, one in content["unsold"].items()},
        absent=content["absent"],
        told={kind: {name: Told(**one) for name, one in names.items()} for kind, names in content["told"].items()},
        witnessed={region: Compared(**one) for region, one in content["witnessed"].items()},
    )


PRICE_MEMORY = Advice(key=keys.PRICE_MEMORY, schema=1, parse=_parse, dump=asdict, empty=PriceMemory)
