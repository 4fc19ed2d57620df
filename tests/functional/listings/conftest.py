from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, cast

import pytest

from spotlake import keys
from spotlake.azure.http import new_session
from spotlake.azure.tokens import TokenSource
from spotlake.clock import Deadline, ManualClock
from spotlake.models import Dataset, Mode, Run, WorkItem, run_id_of
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.shards import open_shard
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.turns import MemoryTurns
from spotlake.usecases.collect.eviction_rates import EvictionDeps, collect_eviction_rates
from spotlake.usecases.collect.prices import PriceDeps, collect_prices
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.azure.world import World
from tests.support.azure import azure, azure_process, credentials_of
from tests.support.shards import parsed_rows

__all__ = ["azure", "azure_process"]

SLOT_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


class NotedTurns(MemoryTurns):
    """Turns as in earnest, of collectors that all come at one moment; nobody waits in real seconds."""

    MOMENT = SLOT_AT.timestamp()

    def __init__(self) -> None:
        super().__init__()
        self.sent_at: list[float] = []

    def take(self, now: float) -> float:
        wait = super().take(now)
        self.sent_at.append(now + wait)
        return wait


@dataclass
class Listings:
    """The price and eviction-rate collectors of all regions in front of the simulated Azure."""

    azure: SimulatedAzure
    world: World
    slot_at: datetime = SLOT_AT
    attempts: Iterator[int] = field(default_factory=lambda: count(1))
    objects: MemoryObjects = field(default_factory=MemoryObjects)

    def __post_init__(self) -> None:
        self.azure.set_clock(self.slot_at)
        # Whether a query comes too early is told by when its turn was (``NotedTurns``), not by this machine's speed.
        self.azure.options(graph_queries=1000)
        self.settings = Settings(**cast("dict[str, Any]", self.azure.settings()))
        self.turns = NotedTurns()
        self.tokens = TokenSource(
            credentials_of(self.azure), authority_url=self.azure.authority_url, ca_file=self.azure.ca_file
        )

    @property
    def regions(self) -> list[str]:
        return [region for region in self.world.regions if self.world.spot_sizes(region)]

    def run(self) -> Run:
        run_id = run_id_of(self.slot_at)
        return Run(
            run_id=run_id,
            mode=Mode.INCREMENTAL,
            desired_counts=(1,),
            started_at=self.slot_at,
            owner="execution-1",
            attempt=next(self.attempts),
        )

    def item(self, region: str, **changes: Any) -> WorkItem:
        sizes = tuple(self.world.spot_sizes(region))
        item = WorkItem(region=region, instance_types=sizes, ondemand=False)
        return replace(item, **changes)

    def prices(self, region: str, **changes: Any) -> CollectorReport:
        deps = PriceDeps(
            objects=self.objects,
            session=new_session(),
            clock=ManualClock(self.slot_at),
            deadline=Deadline.after(120.0),
            settings=self.settings,
        )
        return collect_prices(self.run(), self.item(region, **changes), deps)

    def rates(self, region: str, **changes: Any) -> CollectorReport:
        deps = EvictionDeps(
            objects=self.objects,
            session=new_session(),
            tokens=self.tokens,
            turns=self.turns,
            clock=ManualClock(self.slot_at),
            deadline=Deadline.after(120.0),
            settings=self.settings,
            sleep=lambda _: None,
            epoch=lambda: self.turns.MOMENT,
        )
        return collect_eviction_rates(self.run(), self.item(region, **changes), deps)

    def of_all(self, collect: Any, **changes: Any) -> Counter[str]:
        """Collect every region, all at once; the sum of all counts."""
        with ThreadPoolExecutor(len(self.regions)) as pool:
            reports = list(pool.map(lambda region: collect(region, **changes), self.regions))
        return summed(reports)

    def rows(self, dataset: Dataset, region: str) -> dict[str, dict[str, Any]]:
        """The rows of a region's newest shard by size."""
        stored = map(keys.region_and_attempt, self.objects.keys(keys.shards_of_slot(dataset, self.slot_at)))
        attempt = max(number for name, number in stored if name == region)
        key = keys.shard(dataset, self.slot_at, region, attempt)
        body, run_id = self.objects.objects[key], run_id_of(self.slot_at)
        shard = open_shard(body, key=key, dataset=dataset, run_id=run_id, region=region, attempt=attempt)
        return {row["instance_type"]: row for row in parsed_rows(shard)}


def summed(reports: Iterable[CollectorReport]) -> Counter[str]:
    return sum((Counter(report.counts) for report in reports), Counter[str]())


@pytest.fixture
def listings(azure: SimulatedAzure) -> Listings:
    return Listings(azure, azure.world())
