"""Asks for the history of a region's spot prices, after its eviction rates. A failure affects nothing else.

A few regions are asked per slot, each once a day. One query waits at a time, so the rates of other regions lose at most
one turn per query (``stores/turns.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from spotlake.azure.resource_graph import API, GraphPages
from spotlake.errors import UntrustedAnswerError
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
        pages: Reader with the query of the history.
        objects: The write bucket.
        source: "live" or "simulated".
        collected_at: Time of the request.

    Returns:
        Whether the history is stored; the log says why not.
    """
    try:
        rows = _all_rows(pages, region)
        write_price_history(objects, run, region, rows, source=source, collected_at=collected_at)
    except Exception as error:  # noqa: BLE001 - whatever it is, the rates are stored, and a side input stops no run
        _LOG.warning("no price history of %s: %s: %s", region, type(error).__name__, error)
        return False
    return True


def _all_rows(pages: GraphPages, region: str) -> list[Mapping[str, Any]]:
    """The rows, if all that Azure announced came: a region's first history becomes its past, which is written once."""
    rows: list[Mapping[str, Any]] = list(pages.rows(region))
    if len(rows) < (pages.total or 0):
        raise UntrustedAnswerError(API, f"{len(rows)} rows came of {pages.total}")
    return rows
