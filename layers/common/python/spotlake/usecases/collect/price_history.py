"""Ask the second witness of a region's prices, after its eviction rates; whatever goes wrong costs only itself.

It is asked of a few regions a slot, once a day each: that needs no claim of its own, and one query waits at a time,
so that the rates of all other regions lose one turn a query at most (``stores/turns.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from spotlake.azure.resource_graph import GraphPages
from spotlake.models import Run
from spotlake.state.price_histories import write_price_history
from spotlake.stores.objects import ObjectStore

_LOG = logging.getLogger(__name__)


def collect_price_history(
    run: Run, region: str, pages: GraphPages, objects: ObjectStore, *, source: str, collected_at: datetime
) -> bool:
    """Read the history and store it.

    Args:
        run: The attempt.
        region: ARM code.
        pages: With the query of the history.
        objects: The write bucket.
        source: "live" or "simulated".
        collected_at: When it is asked.

    Returns:
        Whether it is stored; the log says why it is not.
    """
    try:
        rows: list[Mapping[str, Any]] = list(pages.rows(region))
        write_price_history(objects, run, region, rows, source=source, collected_at=collected_at)
    except Exception as error:  # noqa: BLE001 - whatever it is, the rates are stored, and a side input stops no run
        _LOG.warning("no price history of %s: %s: %s", region, type(error).__name__, error)
        return False
    return True
