"""Prices of all regions against what is true in the simulated Azure, with every oddity of its price list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake.azure.price_rules import REJECTED_KINDS
from spotlake.models import Dataset
from spotlake.reports import CollectorReport, Findings
from spotlake_local.azure.retail_rows import PriceList
from spotlake_local.azure.simulated import SimulatedAzure
from tests.functional.listings.conftest import Listings, summed

# Prices change on the first three days of a month: on the third old and new rows lie side by side.
THIRD_OF_MONTH = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
# What the filter lets through besides prices: each kind is in the simulated list. The server leaves out the others.
KINDS = {
    "cloud_services", "dedicated_host", "degenerate", "duplicate", "expired", "losing_candidate", "low_priority",
    "no_longer_valid", "no_size", "not_yet_valid", "windows", "zero_price",
}  # fmt: skip

type Rows = Mapping[str, Mapping[str, Any]]  # by size


@dataclass
class Collected:
    """Every region twice: its spot prices alone, and with its on-demand prices."""

    listings: Listings
    spot: Mapping[str, tuple[CollectorReport, Rows]]
    full: Mapping[str, tuple[CollectorReport, Rows]]

    @classmethod
    def of(cls, listings: Listings) -> Collected:
        def collect(region: str, *, ondemand: bool) -> tuple[CollectorReport, Rows]:
            report = listings.prices(region, instance_types=(), ondemand=ondemand)
            return report, listings.rows(Dataset.PRICE, region)

        def both(region: str) -> tuple[tuple[CollectorReport, Rows], tuple[CollectorReport, Rows]]:
            # One after the other: the simulator has the region's rows at hand the second time.
            return collect(region, ondemand=False), collect(region, ondemand=True)

        with ThreadPoolExecutor(3) as pool:
            found = dict(zip(listings.regions, pool.map(both, listings.regions), strict=True))
        spot = {region: one for region, (one, _) in found.items()}
        return cls(listings, spot, {region: one for region, (_, one) in found.items()})


@pytest.fixture(scope="module")
def collected(azure_process: SimulatedAzure) -> Collected:
    azure_process.reset()
    return Collected.of(Listings(azure_process, azure_process.world(), THIRD_OF_MONTH))


def prices(of: Mapping[str, tuple[CollectorReport, Rows]], field: str) -> dict[tuple[str, str], float]:
    return {
        (region, size): row[field]
        for region, (_, rows) in of.items()
        for size, row in rows.items()
        if row.get(field) is not None
    }


def compared(true: Mapping[tuple[str, str], float], found: Mapping[tuple[str, str], float]) -> dict[str, int]:
    return {
        "pairs": len(found),
        "wrong": sum(1 for pair in true.keys() & found.keys() if true[pair] != found[pair]),
        "missing": len(true.keys() - found.keys()),
        "surplus": len(found.keys() - true.keys()),
    }


def test_every_spot_price_is_the_true_one(collected: Collected) -> None:
    world = collected.listings.world
    asked = [(region, size) for region in collected.listings.regions for size in world.spot_sizes(region)]
    true = {pair: price for pair in asked if (price := world.spot_price(*pair, THIRD_OF_MONTH)) is not None}
    assert (len(collected.spot), len(asked), len(true)) == (58, 63_371, 63_371)
    for of in (collected.spot, collected.full):
        found = prices(of, "spot_price_usd_per_hour")
        assert compared(true, found) == {"pairs": len(true), "wrong": 0, "missing": 0, "surplus": 0}


def test_every_ondemand_price_is_the_true_one(collected: Collected) -> None:
    true = {
        (region, size): price
        for region, sizes in collected.listings.world.ondemand.items()
        for size, price in sizes.items()
        if size.startswith(("Standard_", "Basic_"))  # the others are hosts and placeholders
    }
    known = {pair: price for pair, price in true.items() if price}  # listed at 0 = unknown
    found = prices(collected.full, "ondemand_price_usd_per_hour")
    assert compared(known, found) == {"pairs": len(known), "wrong": 0, "missing": 0, "surplus": 0}
    assert (len(true) - len(known), len(known)) == (68, 65_790)
    # Not asked is not the same as unknown: the field is left out.
    rows = [row for _, rows in collected.spot.values() for row in rows.values()]
    assert {row["ondemand_price_usd_per_hour"] for row in rows} == {None}


def test_requests_are_few(collected: Collected) -> None:
    spot, full = (summed(report for report, _ in of.values()) for of in (collected.spot, collected.full))
    assert spot["requests"] < 200
    assert full["requests"] < 700
    answers = collected.listings.azure.stats()["answers"]
    assert answers == {"retail 200": spot["requests"] + full["requests"]}
    assert spot["pages"] + full["pages"] == answers["retail 200"]


def test_every_row_is_a_price_or_rejected_for_a_reason(collected: Collected) -> None:
    rejected: Counter[str] = Counter()
    for report, rows in collected.full.values():
        kinds = Counter({kind: report.counts.get(f"rejected_{kind}", 0) for kind in REJECTED_KINDS})
        taken = sum(
            (row["spot_meter_id"] is not None) + (row["ondemand_meter_id"] is not None) for row in rows.values()
        )
        assert report.counts["rows_read"] == taken + kinds.total(), report.region
        rejected += kinds
    assert set(rejected) == KINDS


def test_the_list_has_every_oddity(collected: Collected) -> None:
    """Or the tests above show nothing."""
    rows = PriceList(collected.listings.world).rows("eastus2", THIRD_OF_MONTH)
    spot = [row for row in rows if row["meterName"].endswith(" Spot") and row["productName"].endswith("Series")]
    products = {row["productName"] for row in rows}
    assert {row["type"] for row in rows} == {"Consumption", "DevTestConsumption", "Reservation"}
    for part in (" Windows", " Win", " Cloud Services", " CloudServices", " Dedicated Host", " DedicatedHost"):
        assert any(name.endswith(part) for name in products), part
    for part in ("-Series Linux", "-series Linux", " Series Linux", " Srs", " promo Series", "NCdsxlRTX6kv6", " Basic"):
        assert any(name.endswith(part) for name in products), part
    assert any(name.startswith("Las") and name.endswith("Series Windows") for name in products)
    assert any(row["meterName"].endswith(" - Expired") and "Expired" not in row["skuName"] for row in rows)
    assert any(row["skuName"].startswith("standard_") for row in spot)
    # Cloud Services in one word are younger than the machine, which is what made them win.
    assert {row["effectiveStartDate"][:4] for row in rows if row["productName"].endswith("CloudServices")} == {"2026"}
    assert any("/" in row["meterName"] for row in spot)
    assert any(row["armSkuName"].endswith("  ") for row in spot)
    assert any(row.get("effectiveEndDate", "9") < row["effectiveStartDate"] for row in spot)
    assert max(Counter(row["meterId"] for row in spot).values()) == 2


@pytest.mark.parametrize(("lost", "ondemand"), [(20, False), (71, False), (105, False), (295, True)])
def test_a_silent_hole_is_healed_by_narrow_requests(azure: SimulatedAzure, lost: int, *, ondemand: bool) -> None:
    listings, region = Listings(azure, azure.world()), "koreacentral"
    whole = listings.prices(region, ondemand=ondemand)
    true = listings.rows(Dataset.PRICE, region)
    azure.options(retail_holes={region: lost})
    report = listings.prices(region, ondemand=ondemand)
    assert whole.counts["narrow_requests"] == whole.counts["unconfirmed_sizes"] == 0
    assert report.counts["healed_sizes"] > 0
    assert report.counts["narrow_requests"] <= -(-lost // 15)
    assert (report.counts["unconfirmed_sizes"], report.found) == (0, Findings())
    # Only the catalogue's sizes are missed: those that can be spot.
    known = set(listings.world.spot_sizes(region))
    again = listings.rows(Dataset.PRICE, region)
    assert {size: again.get(size) for size in known} == {size: true.get(size) for size in known}


@pytest.mark.parametrize("lost", [20, 71, 105, 295])
def test_a_hole_that_narrow_requests_miss_too_is_named_to_the_last_pair(azure: SimulatedAzure, lost: int) -> None:
    listings, region = Listings(azure, azure.world()), "koreacentral"
    listings.prices(region)
    true = listings.rows(Dataset.PRICE, region)
    azure.options(retail_holes={region: lost}, retail_holes_narrow=True)
    report = listings.prices(region)
    left = listings.rows(Dataset.PRICE, region)
    assert report.found.unconfirmed_sizes == tuple(sorted(true.keys() - left.keys()))
    assert all(left[size] == true[size] for size in left)
    assert report.counts["narrow_requests"] <= 2
