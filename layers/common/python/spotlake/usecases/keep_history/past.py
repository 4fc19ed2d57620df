"""Gives a new archive a past: Resource Graph's price history of a region, once, as rows from before the archive."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime

from spotlake import keys
from spotlake.azure.price_history import PriceHistory, read_history
from spotlake.clock import Deadline
from spotlake.errors import ConflictError, StoreError
from spotlake.history.before import PriceBefore, before_parquet
from spotlake.history.files import read_table
from spotlake.names import join_key
from spotlake.state.history_files import CONTENT_TYPE
from spotlake.state.price_histories import read_price_history
from spotlake.stores.objects import ObjectStore

_LOG = logging.getLogger("spotlake")
_REGION_SECONDS = 10.0  # kept for one region, which takes 0.2


def keep_past(objects: ObjectStore, regions: tuple[str, ...], slot_at: datetime, deadline: Deadline) -> list[str]:
    """Write the past of regions that have none yet and whose price history came with this slot.

    A region that is left, for want of time or because its history has no price that can be read, is tried again with
    its next history.

    Args:
        objects: The write bucket.
        regions: Regions that the change history has.
        slot_at: The slot that was merged.
        deadline: When the process ends.

    Returns:
        The regions that were written.

    Raises:
        StoreError: An object cannot be written, or the bucket cannot be listed.
    """
    there = {key.removeprefix(keys.BEFORE_PREFIX).removesuffix(".parquet") for key in objects.keys(keys.BEFORE_PREFIX)}
    wanted = set(regions) - there
    if not wanted:
        return []
    found = [keys.region_and_attempt(key) for key in objects.keys(keys.price_histories_of_slot(slot_at))]
    asked = {region: attempt for region, attempt in sorted(found) if region in wanted}
    names = _names(objects) if asked else {}
    written = []
    for region, attempt in asked.items():
        if deadline.seconds_left() < _REGION_SECONDS:
            break
        try:
            rows = read_price_history(objects, slot_at, region, attempt) or []
        except StoreError as error:
            _LOG.warning("the past of %s is not written: %s", region, error)
            continue
        prices = _prices_before(read_history(rows, region=region), region, slot_at, names)
        if not prices:
            continue  # the file is written once, and an empty one would be the region's past for ever
        try:
            objects.put(
                keys.history_before(region), before_parquet(region, prices), content_type=CONTENT_TYPE, if_absent=True
            )
        except ConflictError:  # another execution has written it
            continue
        written.append(region)
    return written


def _prices_before(
    history: PriceHistory, region: str, slot_at: datetime, names: Mapping[tuple[str, str], str]
) -> list[PriceBefore]:
    return [
        PriceBefore(names.get((region, size), size), past.effective_at, past.usd_per_hour)
        for (system, size), told in history.prices.items()
        for past in told
        if system == "linux" and past.effective_at <= slot_at
    ]


def _names(objects: ObjectStore) -> dict[tuple[str, str], str]:
    """ARM names in the archive's casing, by region and ``join_key``: Resource Graph tells sizes in lower case."""
    return {(region, join_key(size)): size for region, size in _pairs(objects)}


def _pairs(objects: ObjectStore) -> Iterator[tuple[str, str]]:
    stored = objects.get(keys.LATEST_TABLE)
    if stored is not None:
        table, _ = read_table(stored.body, keys.LATEST_TABLE)
        yield from zip(table["region"].to_pylist(), table["instance_type"].to_pylist(), strict=True)
