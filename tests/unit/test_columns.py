"""Rows of shards in columns: however many there are, and what a refused shard leaves behind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pytest

from spotlake.errors import ShardRefusedError
from spotlake.merge.columns import Columns
from spotlake.models import Dataset
from spotlake.reports import CollectorReport
from spotlake.shards import RawShard, ShardHeader

REGIONS = frozenset({"eastus", "koreacentral"})


def shard(dataset: Dataset, *rows: dict[str, Any]) -> RawShard:
    report = CollectorReport(dataset=dataset, region="eastus", status="complete", rows=len(rows))
    header = ShardHeader(
        dataset=dataset, run_id="20261126T1000Z", region="eastus", source="simulated",
        collected_at=datetime(2026, 11, 26, tzinfo=UTC), report=report,
    )  # fmt: skip
    return RawShard(header, memoryview(b"".join(orjson.dumps(row) + b"\n" for row in rows)))


def score(region: str, size: str, *, zone: str = "1", count: int = 5, score: int | None = 3) -> dict[str, Any]:
    return {
        "region": region, "instance_type": size, "zone": zone, "physical_zone": f"{region}-az{zone}",
        "desired_count": count, "score": score,
    }  # fmt: skip


def test_every_row_of_a_long_shard_is_in_its_place() -> None:
    columns, sizes = Columns(), [f"Standard_D{number}" for number in range(5000)]
    rows = [
        score(region, size, zone=str(1 + place % 3), score=(None, 1, 2, 3)[place % 4])
        for place, size in enumerate(sizes)
        for region in ("eastus", "koreacentral")
    ]
    columns.read(shard(Dataset.SPS, *rows), "key", regions=REGIONS)
    prices = [
        {"region": "eastus", "instance_type": size, "spot_price_usd_per_hour": None if place % 5 == 0 else place / 8}
        for place, size in enumerate(sizes)
    ]
    columns.read(shard(Dataset.PRICE, *prices), "key")
    names, regions, texts = list(columns.pairs.sizes), list(columns.pairs.regions), list(columns.texts)
    pairs = [
        (regions[region], names[size])
        for region, size in zip(columns.pairs.region.tolist(), columns.pairs.size.tolist(), strict=True)
    ]
    found = [
        (*pairs[pair], str(zone + 1), texts[physical], value or None)
        for pair, zone, physical, value in zip(
            *(columns.scores[name].tolist() for name in ("pair", "zone", "physical", "score")), strict=True
        )
    ]
    told = ("region", "instance_type", "zone", "physical_zone", "score")
    assert found == [tuple(row[name] for name in told) for row in rows]
    expected = [row["spot_price_usd_per_hour"] for row in prices]
    assert [None if np.isnan(one) else one for one in columns.prices["spot"].tolist()] == expected


@pytest.mark.parametrize("other", ["westus", ""])
def test_a_name_that_is_no_size_is_refused_again_after_a_shard_of_other_regions(other: str) -> None:
    columns = Columns()
    with pytest.raises(ShardRefusedError, match="other_region"):
        columns.read(shard(Dataset.SPS, score(other, "Odd"), score("eastus", "Standard_D2")), "key", regions=REGIONS)
    with pytest.raises(ShardRefusedError, match="bad_row"):
        columns.read(shard(Dataset.SPS, score("eastus", "Odd")), "key", regions=REGIONS)
    assert not len(columns.scores["pair"])
    columns.read(shard(Dataset.SPS, score("eastus", "Standard_D2")), "key", regions=REGIONS)
    assert len(columns.scores["pair"]) == 1
