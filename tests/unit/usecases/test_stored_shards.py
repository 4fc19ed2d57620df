"""A collector's shard is written once for each attempt, and a second try gets the report of the first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake.errors import ShardRefusedError
from spotlake.models import Dataset, Mode, Run
from spotlake.reports import CollectorReport
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.stored_shards import stored_report, write_shard

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
KEY = "rawdata/azure/spot_price/2026/11/23/10-00/eastus.2.jsonl.gz"


def run(attempt: int = 2) -> Run:
    return Run(run_id="20261123T1000Z", attempt=attempt, mode=Mode.FULL, desired_counts=(1,), started_at=AT, owner="me")


class Noting(MemoryObjects):
    """Notes how an object is put."""

    def __init__(self) -> None:
        super().__init__("archive", {})
        self.options: list[dict[str, Any]] = []

    def put(self, key: str, body: Any, **options: Any) -> Any:
        self.options.append(options)
        return super().put(key, body, **options)


def write(objects: MemoryObjects, rows: int, *, of: Run | None = None, region: str = "eastus") -> CollectorReport:
    report = CollectorReport(dataset=Dataset.PRICE, region=region, status="complete", rows=rows, seconds=float(rows))
    return write_shard(objects, of or run(), report, [], source="simulated", collected_at=AT)


def test_the_first_shard_of_an_attempt_stays() -> None:
    objects = Noting()
    assert stored_report(objects, Dataset.PRICE, run(), "eastus") is None
    first = write(objects, 0)
    assert list(objects.objects) == [KEY]
    assert objects.options[0]["content_type"] == "application/gzip"
    assert write(objects, 0) == first
    body = objects.objects[KEY]
    assert write(objects, 7) == first  # a second try found other rows: the first ones count
    assert objects.objects[KEY] == body
    assert stored_report(objects, Dataset.PRICE, run(), "eastus") == first
    assert write(objects, 7, of=run(3)).seconds == 7.0  # another attempt has a shard of its own


@pytest.mark.parametrize("other", ["region", "attempt", "data set"])
def test_what_lies_under_the_key_must_be_the_shard_of_the_attempt(other: str) -> None:
    objects = MemoryObjects("archive", {})
    foreign = MemoryObjects("archive", {})
    if other == "data set":
        report = CollectorReport(dataset=Dataset.EVICTION, region="eastus", status="complete", rows=0)
        write_shard(foreign, run(), report, [], source="simulated", collected_at=AT)
    else:
        write(foreign, 0, of=run(9 if other == "attempt" else 2), region="westus" if other == "region" else "eastus")
    (objects.objects[KEY],) = foreign.objects.values()
    with pytest.raises(ShardRefusedError, match=KEY):
        write(objects, 1)
    with pytest.raises(ShardRefusedError, match=KEY):
        stored_report(objects, Dataset.PRICE, run(), "eastus")
