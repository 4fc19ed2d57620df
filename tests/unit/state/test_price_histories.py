"""Resource Graph's rows as they are stored beside the shards."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import orjson
import pytest

from spotlake.errors import StoreError
from spotlake.models import Mode, Run
from spotlake.state.price_histories import read_price_history, write_price_history
from spotlake.stores.objects import MemoryObjects
from tests.support.errors import says

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RUN = Run(run_id="20261123T1000Z", attempt=2, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=AT, owner="me")
ROWS = [{"skuName": "a", "spotPrices": "[]"}, {"skuName": "b", "spotPrices": "[]"}]


def written() -> tuple[MemoryObjects, str]:
    objects = MemoryObjects("archive", {})
    write_price_history(objects, RUN, "eastus", ROWS, source="simulated", collected_at=AT)
    (key,) = objects.objects
    return objects, key


def test_a_history_is_a_header_and_its_rows_and_is_never_replaced() -> None:
    objects, key = written()
    assert key.startswith("rawdata/azure/price_history/2026/11/23/")
    header, *rows = map(orjson.loads, gzip.decompress(objects.objects[key]).splitlines())
    assert header == {
        "schema": 1, "run_id": "20261123T1000Z", "attempt": 2, "region": "eastus", "source": "simulated",
        "collected_at": "2026-11-23T10:00:00Z", "rows": 2,
    }  # fmt: skip
    assert rows == ROWS == read_price_history(objects, AT, "eastus", 2)
    write_price_history(objects, RUN, "eastus", ROWS[:1], source="live", collected_at=AT)
    assert read_price_history(objects, AT, "eastus", 2) == ROWS
    assert read_price_history(objects, AT, "eastus", 1) is None
    assert read_price_history(objects, AT, "westus", 2) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{"schema": 2, "rows": 1}, {}], "schema 2 and 1 rows, this code reads 1"),
        ([{"schema": 1, "rows": 2}, {}], "schema 1 and 1 rows, this code reads 1"),
        ([{"rows": 0}], "damaged (KeyError)"),
        ([], "damaged (ValueError)"),
        ([[1]], "damaged (TypeError)"),
    ],
)
def test_what_is_damaged_is_told(content: list[object], said: str) -> None:
    objects, key = written()
    objects.objects[key] = gzip.compress(b"\n".join(map(orjson.dumps, content)))
    with says(StoreError, f"{key}: {said}"):
        read_price_history(objects, AT, "eastus", 2)
