"""A full-size world for the merge: the real catalogue, a state with all counts known, a run with 5 % changed.

62,666 pairs and 150,618 workloads, as the simulated Azure has them. Everything depends on the seed alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from random import Random
from typing import Any, cast

import numpy as np

from benchmarks.merge.runs import COUNT, SLOT_AT
from spotlake import keys
from spotlake.merge.state import slot_number
from spotlake.models import (
    DESIRED_COUNTS,
    MAX_CALL_INSTANCE_TYPES,
    MAX_CALL_REGIONS,
    Dataset,
    Run,
    ScoreCall,
    WorkItem,
    to_iso,
)
from spotlake.planning.attempt import AttemptRecord, Work
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport
from spotlake.shards import ShardHeader, encode_shard
from spotlake.state.attempts import write_record, write_work
from spotlake.stores.objects import MemoryObjects
from spotlake_local.azure.world import BANDS, ZONES_OF_A_ZONAL_REGION
from spotlake_local.azure.world import World as AzureWorld

CHANGED_SHARE = 0.05
_SEED = 20251215
_FREQUENCIES = dict(zip(BANDS, (3.0, 2.5, 2.0, 1.5, 1.0), strict=True))
_WORDS = {3: "High", 2: "Medium", 1: "Low"}


@dataclass
class Workload:
    """The truth about one workload; ``Pair`` has the values of its pair."""

    zone: str
    physical: str | None
    score: int


@dataclass
class Pair:
    """The truth about a pair."""

    region: str
    size: str
    ondemand: float
    spot: float
    band: str
    workloads: list[Workload]


class FullWorld:
    """Pairs with their values; ``change`` makes 5 % of the workloads differ."""

    def __init__(self, share: float = 1.0, azure: AzureWorld | None = None) -> None:
        """Read the catalogue, or take another one; a smaller share of the regions makes a smaller world (tests)."""
        self._random = Random(_SEED)  # noqa: S311 - no secret
        azure = azure or AzureWorld()
        regions = [code for code in azure.regions if azure.spot_sizes(code)]
        self.names = {code: azure.regions[code].location for code in regions[: max(1, round(len(regions) * share))]}
        self.pairs = [self._pair(azure, code, size) for code in self.names for size in azure.spot_sizes(code)]

    def _pair(self, azure: AzureWorld, region: str, size: str) -> Pair:
        zonal = azure.regions[region].zones == ZONES_OF_A_ZONAL_REGION
        zones = [(str(one), f"{region}-az{one}") for one in (1, 2, 3)] if zonal else [("Single", None)]
        ondemand = azure.ondemand[region][size] or 1.0  # a few are listed at 0, which is no price
        return Pair(
            region=region,
            size=size,
            ondemand=ondemand,
            spot=max(round(ondemand * self._random.uniform(0.14, 0.32), 6), 0.000001),
            band=self._random.choice(BANDS),
            workloads=[Workload(zone, physical, self._random.choice((1, 2, 3, 3))) for zone, physical in zones],
        )

    def change(self) -> None:
        """Change half of a share of the workloads by their score, and half by price or eviction rate."""
        for pair in self.pairs:
            if self._random.random() < CHANGED_SHARE / 4:
                pair.spot = round(pair.spot * 1.03, 6)
            elif self._random.random() < CHANGED_SHARE / 4:
                pair.band = BANDS[(BANDS.index(pair.band) + 1) % len(BANDS)]
            for workload in pair.workloads:
                if self._random.random() < CHANGED_SHARE / 2:
                    workload.score = workload.score % 3 + 1

    def write_run(self, objects: MemoryObjects, run: Run) -> None:
        """The attempt's record, its work and its shards, as Plan and the collectors write them."""
        sizes: dict[str, list[str]] = {region: [] for region in self.names}
        for pair in self.pairs:
            sizes[pair.region].append(pair.size)
        write_record(objects, AttemptRecord(run=run, scope=Scope()))
        write_work(objects, Work(run=run, items=self._items(sizes)))
        for dataset in Dataset:
            for region, rows in self._rows(dataset, run).items():
                self._write_shard(objects, run, dataset, region, rows)

    def _items(self, sizes: dict[str, list[str]]) -> dict[str, WorkItem]:
        """Calls as full as they go: eight regions by five of the sizes that any of them has."""
        regions = list(self.names)
        calls: dict[str, list[ScoreCall]] = {region: [] for region in regions}
        for group in batched(regions, MAX_CALL_REGIONS, strict=False):
            offered = sorted({size for region in group for size in sizes[region]})
            for number, asked in enumerate(batched(offered, MAX_CALL_INSTANCE_TYPES, strict=False)):
                call_id = f"{group[0]}-{number}"
                call = ScoreCall(
                    call_id=call_id, location=group[0], regions=group, instance_types=asked, desired_count=COUNT
                )
                calls[group[number % len(group)]].append(call)
        return {
            region: WorkItem(region=region, instance_types=tuple(sizes[region]), calls=tuple(calls[region]))
            for region in regions
        }

    def _write_shard(
        self, objects: MemoryObjects, run: Run, dataset: Dataset, region: str, rows: list[dict[str, Any]]
    ) -> None:
        header = ShardHeader(
            dataset=dataset,
            run_id=run.run_id,
            attempt=run.attempt,
            region=region,
            source="simulated",
            collected_at=run.slot_at,
            report=CollectorReport(dataset=dataset, region=region, status="complete", rows=len(rows)),
        )
        objects.put(keys.shard(dataset, run.slot_at, region, run.attempt), encode_shard(header, cast("Any", rows)))

    def _rows(self, dataset: Dataset, run: Run) -> dict[str, list[dict[str, Any]]]:
        """Rows by the region whose collector wrote them: its own, for scores the one that routed the call."""
        rows: dict[str, list[dict[str, Any]]] = {region: [] for region in self.names}
        common = {"run_id": run.run_id, "source": "simulated", "observed_at": to_iso(run.slot_at)}
        regions = list(self.names)
        routed: dict[str, str] = defaultdict(lambda: regions[len(routed) // 5 % len(regions)])
        for pair in self.pairs:
            if dataset is Dataset.SPS:
                rows[routed[pair.size]].extend(self._scores(pair, common, routed[pair.size]))
            elif dataset is Dataset.PRICE:
                rows[pair.region].append(self._price(pair, common))
            else:
                rows[pair.region].append(
                    common
                    | {
                        "region": pair.region,
                        "instance_type": pair.size,
                        "eviction_band": pair.band,
                        "interruption_frequency": _FREQUENCIES[pair.band],
                    }
                )
        return rows

    def _price(self, pair: Pair, common: dict[str, Any]) -> dict[str, Any]:
        return common | {
            "region": pair.region,
            "region_name": self.names[pair.region],
            "instance_type": pair.size,
            "spot_price_usd_per_hour": pair.spot,
            "ondemand_price_usd_per_hour": pair.ondemand,
            "spot_meter_id": "2f64b5de-2a8b-1600-5d81-bb3100000000",
            "spot_effective_start_at": "2025-12-01T00:00:00Z",
            "ondemand_meter_id": "5d81bb31-2a8b-1600-2f64-b5de00000000",
            "ondemand_effective_start_at": "2025-01-01T00:00:00Z",
        }

    def _scores(self, pair: Pair, common: dict[str, Any], location: str) -> Iterator[dict[str, Any]]:
        for one in pair.workloads:
            yield common | {
                "region": pair.region,
                "instance_type": pair.size,
                "desired_count": COUNT,
                "zone": one.zone,
                "logical_zone": one.zone if one.physical else None,
                "physical_zone": one.physical,
                "score": one.score,
                "score_text": _WORDS[one.score],
                "is_quota_available": True,
                "location": location,
                "subscription": "4bcc13e1",
                "call_id": "c0030-5",
            }


def with_history(seen: Any, score: Any, score_began: Any) -> None:
    """Fill the counts that the first run did not ask for, as after two hours of rotation (in place)."""
    random = np.random.default_rng(_SEED)
    first = slot_number(SLOT_AT)
    asked = DESIRED_COUNTS.index(COUNT)
    for place in range(len(DESIRED_COUNTS)):
        if place == asked:
            continue
        drawn = random.choice((1, 2, 3), len(score), p=(0.2, 0.2, 0.6)).astype(np.int8)
        score[:, place] = drawn
        score_began[:, place] = first - random.integers(1, 2000, len(score))
        for value in (1, 2, 3):
            known = (drawn == value) | (random.random(len(score)) < 0.3)
            seen[known, place, value - 1] = (first - random.integers(1, 2000, len(score)))[known]
        seen[np.arange(len(score)), place, drawn - 1] = first - 1 - (place * 7) % 11
