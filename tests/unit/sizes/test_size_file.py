"""The file of sizes, line by line."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, date, datetime

from spotlake.sizes.facts import Offer, RegionSizes, SizeFacts, Sizes
from spotlake.sizes.files import COLUMNS, sizes_csv
from spotlake.sizes.geography import Geography

FACTS = SizeFacts(
    instance_type="Standard_E8-4ds_v5", series="Edsv5", vcpus=4, full_vcpus=8, memory_gib=64.0, gpus=0.5, has_gpu=True,
    architecture="x64", quota_family="standardEDSv5Family", is_spot_capable=False, retires_on=date(2028, 9, 15),
    source="live",
)  # fmt: skip


def test_what_is_told_stands_there_and_what_is_unknown_is_empty() -> None:
    offer = Offer(
        facts=FACTS, zones=("1", "3"), restricted_zones=("2", "3"), is_restricted=True, reason="NotAvailable",
    )  # fmt: skip
    asked = RegionSizes(asked_at=datetime(2026, 11, 23, 10, tzinfo=UTC), offers={"standard_e8-4ds_v5": offer})
    sizes = Sizes(regions={"eastus": asked})
    pairs = {"eastus": ["STANDARD_E8-4DS_V5", "Standard_SQLG7_NVME"], "mars": ["Standard_D2s_v5"]}
    body = sizes_csv(sizes, pairs, {"eastus": Geography("United States", "US")})
    rows = list(csv.reader(io.StringIO(gzip.decompress(body).decode())))
    assert rows == [
        list(COLUMNS),
        [
            "eastus", "Standard_E8-4ds_v5", "4", "64", "0.5", "true", "x64", "Edsv5", "8", "standardEDSv5Family",
            "false", "2028-09-15", "live", "1 3", "2 3", "true", "NotAvailable", "2026-11-23T10:00:00Z",
            "United States", "US",
        ],
        ["eastus", "Standard_SQLG7_NVME", *[""] * 10, "name", *[""] * 5, "United States", "US"],
        ["mars", "Standard_D2s_v5", "2", "", "0", "false", "x64", "Dsv5", "2", "", "", "", "name", *[""] * 7],
    ]  # fmt: skip
