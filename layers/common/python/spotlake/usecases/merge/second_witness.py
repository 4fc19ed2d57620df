"""Hold the price list of a slot against what Resource Graph told of the same slot, where it was asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import cast

from spotlake import keys
from spotlake.azure.price_history import Comparison, PriceHistory, compare_prices, read_history
from spotlake.errors import ShardRefusedError, StoreError
from spotlake.merge.slot import AttemptRead, SlotRead
from spotlake.models import Dataset, run_id_of, to_iso
from spotlake.planning.price_memory import Compared
from spotlake.price_files import WitnessEntry, WitnessSystem
from spotlake.shard_rows import PriceRow
from spotlake.shards import open_shard, parse_rows
from spotlake.state.price_histories import read_price_history
from spotlake.stores.objects import ReadOnlyObjects

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Witnesses:
    """A region whose second witness was asked.

    Attributes:
        region: ARM code.
        attempt: Which asked.
        systems: "linux" and "windows" -> the comparison; empty when either source gave no answer.
        odd_rows: Rows of the history that could not be used.
    """

    region: str
    attempt: int
    systems: Mapping[str, Comparison] = field(default_factory=dict)
    odd_rows: int = 0

    def compared(self, slot_at: datetime) -> Compared:
        """In short, both systems together."""
        found = self.systems.values()
        return Compared(
            at=to_iso(slot_at),
            agreeing=sum(one.agreeing for one in found) if found else None,
            disagreeing=sum(one.disagreeing for one in found) if found else None,
        )

    def to_dict(self) -> WitnessEntry:
        """For the manifest."""
        return {
            "region": self.region,
            "attempt": self.attempt,
            "answered": bool(self.systems),
            "odd_rows": self.odd_rows,
            "systems": {name: cast("WitnessSystem", asdict(one)) for name, one in self.systems.items()},
        }


def compare_witnesses(objects: ReadOnlyObjects, slot: SlotRead) -> list[Witnesses]:
    """Every region that an attempt of the slot was to ask; what cannot be read counts as no answer."""
    found = []
    for attempt in slot.attempts:
        for region, item in attempt.work.items.items() if attempt.work else ():
            if item.witness:
                found.append(_compare(objects, slot.slot_at, attempt, region))
    return found


def _compare(objects: ReadOnlyObjects, slot_at: datetime, attempt: AttemptRead, region: str) -> Witnesses:
    number = attempt.record.run.attempt
    try:
        rows = read_price_history(objects, slot_at, region, number)
        listed = None if rows is None else _listed(objects, slot_at, region, number)
    except (StoreError, ShardRefusedError) as error:
        _LOG.warning("the prices of %s have no second witness: %s", region, error)
        rows, listed = None, None
    if rows is None or listed is None:
        return Witnesses(region=region, attempt=number)
    history = read_history(rows, region=region)
    return Witnesses(
        region=region,
        attempt=number,
        systems=_by_system(listed, history, slot_at),
        odd_rows=sum(history.counts.values()),
    )


def _by_system(
    listed: Mapping[str, Mapping[str, float]], history: PriceHistory, slot_at: datetime
) -> dict[str, Comparison]:
    return {system: compare_prices(of, history, at=slot_at, system=system) for system, of in listed.items()}


def _listed(
    objects: ReadOnlyObjects, slot_at: datetime, region: str, attempt: int
) -> dict[str, Mapping[str, float]] | None:
    """System -> size -> spot price, from the price list's shard of the same attempt; None without one."""
    key = keys.shard(Dataset.PRICE, slot_at, region, attempt)
    stored = objects.get(key)
    if stored is None:
        return None
    shard = open_shard(
        stored.body, key=key, dataset=Dataset.PRICE, run_id=run_id_of(slot_at), region=region, attempt=attempt
    )
    if shard.header.report.status != "complete":
        return None
    prices = {row.instance_type: row.spot_price_usd_per_hour for row in parse_rows(shard, key, PriceRow)}
    return {
        "linux": {size: price for size, price in prices.items() if price is not None},
        "windows": shard.header.report.found.windows_spot_usd_per_hour,
    }
