"""A new archive gets a past: prices from before it, once for each region."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spotlake.clock import Deadline
from spotlake.errors import ConflictError
from spotlake.models import Mode, Run
from spotlake.state.price_histories import write_price_history
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.keep_history.past import keep_past

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def run(attempt: int) -> Run:
    return Run(
        run_id="20261123T1000Z", attempt=attempt, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=AT, owner="me"
    )


def row(size: str, *prices: tuple[datetime, float], system: str = "Linux", region: str = "eastus") -> dict[str, Any]:
    told = [{"effectiveDate": at.isoformat(), "priceUSD": usd} for at, usd in prices]
    return {"skuName": size, "osType": system, "location": region, "spotPrices": orjson.dumps(told).decode()}


def asked(objects: MemoryObjects, region: str, *rows: dict[str, Any], attempt: int = 1) -> None:
    write_price_history(objects, run(attempt), region, rows, source="simulated", collected_at=AT)


def known(objects: MemoryObjects, *pairs: tuple[str, str]) -> None:
    """The newest slot of the change history, as Parquet: it spells sizes as ARM does."""
    sink = io.BytesIO()
    columns = {"region": [region for region, _ in pairs], "instance_type": [size for _, size in pairs]}
    pq.write_table(pa.table(columns), sink)
    objects.put("latest_data/latest_azure.parquet", sink.getvalue())


def past(objects: MemoryObjects, region: str) -> list[tuple[Any, ...]]:
    table = pq.read_table(io.BytesIO(objects.objects[f"history/azure/before/{region}.parquet"]))
    assert table.column_names == ["region", "instance_type", "changed_at", "spot_price_usd_per_hour", "source"]
    return [tuple(one.values()) for one in table.to_pylist()]


def test_linux_prices_up_to_the_slot_become_a_file_in_order_and_in_the_archive_s_spelling() -> None:
    objects = MemoryObjects("archive", {})
    known(objects, ("eastus", "Standard_D2s_v5"), ("westus", "Standard_B2"))
    later, half = AT + timedelta(seconds=1), AT - DAY / 2
    asked(objects, "eastus", row("standard_x1", (AT, 0.3)), attempt=1)
    asked(
        objects, "eastus",
        row("standard_x1", (AT - DAY, 0.1), (later, 0.9)),
        row("standard_d2s_v5", (half, 0.05), (AT, 0.06), (AT - DAY, 0.04)),
        row("standard_d2s_v5", (AT - DAY, 0.5), system="Windows"),
        {"skuName": "odd"},
        attempt=2,
    )  # fmt: skip
    asked(objects, "koreacentral", row("standard_x1", (AT, 0.3), region="koreacentral"))
    assert keep_past(objects, ("westus", "eastus"), AT, Deadline.after(60)) == ["eastus"]
    assert past(objects, "eastus") == [
        ("eastus", "Standard_D2s_v5", AT - DAY, 0.04, "resource_graph"),
        ("eastus", "Standard_D2s_v5", half, 0.05, "resource_graph"),
        ("eastus", "Standard_D2s_v5", AT, 0.06, "resource_graph"),
        ("eastus", "standard_x1", AT - DAY, 0.1, "resource_graph"),
    ]
    # Once for each region, whatever a later history says.
    assert keep_past(objects, ("westus", "eastus"), AT, Deadline.after(60)) == []
    assert len(past(objects, "eastus")) == 4


def test_a_region_is_left_when_time_is_short_or_its_history_is_damaged() -> None:
    objects = MemoryObjects("archive", {})
    for region in ("eastus", "westus", "southindia"):
        asked(objects, region, row("standard_x1", (AT, 0.3), region=region))
    (key,) = [key for key in objects.objects if "/eastus." in key]
    objects.objects[key] = b"damaged"
    seconds = iter([10.0, 10.0, 9.9])
    regions = ("eastus", "southindia", "westus")
    assert keep_past(objects, regions, AT, Deadline(lambda: next(seconds))) == ["southindia"]
    assert keep_past(objects, regions, AT, Deadline.after(60)) == ["westus"]
    assert keep_past(objects, regions, AT - DAY, Deadline.after(60)) == []


@pytest.mark.parametrize(
    "rows",
    [
        [], [{"skuName": "of another form"}], [row("standard_x1", (AT, 0.3), region="westus")],
        [row("standard_x1", (AT, 0.3), system="Windows")], [row("standard_x1", (AT + DAY, 0.3))],
    ],
    ids=["empty", "form", "region", "windows", "later"],
)  # fmt: skip
def test_a_history_without_a_price_is_no_past_and_the_next_one_is(rows: list[dict[str, Any]]) -> None:
    objects = MemoryObjects("archive", {})
    asked(objects, "eastus", *rows, attempt=1)
    assert keep_past(objects, ("eastus",), AT, Deadline.after(60)) == []
    asked(objects, "eastus", row("standard_x1", (AT, 0.3)), attempt=2)
    assert keep_past(objects, ("eastus",), AT, Deadline.after(60)) == ["eastus"]
    assert past(objects, "eastus") == [("eastus", "standard_x1", AT, 0.3, "resource_graph")]


class Expiring(MemoryObjects):
    """A history ends its days after it was listed, and before it is read."""

    def get(self, key: str) -> Any:
        return None if key.startswith("rawdata/azure/price_history/") else super().get(key)


def test_a_history_that_is_gone_when_it_is_read_stops_nothing() -> None:
    objects = Expiring("archive", {})
    asked(objects, "eastus", row("standard_x1", (AT, 0.3)))
    assert keep_past(objects, ("eastus",), AT, Deadline.after(60)) == []


class Raced(MemoryObjects):
    """Another execution writes each file a moment earlier."""

    def put(self, key: str, body: Any, **options: Any) -> Any:
        if key == "history/azure/before/eastus.parquet":
            assert options == {"content_type": "application/vnd.apache.parquet", "if_absent": True}
            raise ConflictError(key)
        return super().put(key, body, **options)

    def get(self, key: str) -> Any:
        if key == "latest_data/latest_azure.parquet":
            self.looked = True
        return super().get(key)

    def keys(self, prefix: str) -> Iterator[str]:
        self.asked = [*getattr(self, "asked", []), prefix]
        return super().keys(prefix)


def test_what_another_execution_writes_counts_and_nothing_is_read_without_need() -> None:
    objects = Raced("archive", {})
    asked(objects, "eastus", row("standard_x1", (AT, 0.3)))
    asked(objects, "westus", row("standard_x1", (AT, 0.3), region="westus"))
    assert keep_past(objects, ("eastus", "westus"), AT, Deadline.after(60)) == ["westus"]
    assert objects.looked
    objects.asked.clear()
    objects.looked = False
    objects.objects["history/azure/before/eastus.parquet"] = b""
    assert keep_past(objects, ("eastus",), AT, Deadline.after(60)) == []
    assert objects.asked == ["history/azure/before/"]
    assert keep_past(objects, ("eastus", "koreacentral"), AT, Deadline.after(60)) == []
    assert not objects.looked
