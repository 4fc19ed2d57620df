"""Prices and eviction rates of all regions against what is true in the simulated Azure."""

from __future__ import annotations

from spotlake.models import Dataset
from tests.functional.listings.conftest import SLOT_AT, Listings

# What the price list is known to hold besides prices; each kind is there in the simulated one.
KINDS = {
    "windows", "low_priority", "cloud_services", "expired", "degenerate", "not_yet_valid",
    "no_longer_valid", "zero_price", "duplicate", "losing_candidate", "no_size",
}  # fmt: skip


def test_every_price_of_every_region_is_the_true_one(listings: Listings) -> None:
    counts = listings.of_all(listings.prices, ondemand=True)
    pairs = unknown = 0
    for region in listings.regions:
        rows = listings.rows(Dataset.PRICE, region)
        for size in listings.world.spot_sizes(region):
            pairs += 1
            true_ondemand = listings.world.ondemand[region][size] or None  # listed at 0 = unknown
            unknown += true_ondemand is None
            assert rows[size]["spot_price_usd_per_hour"] == listings.world.spot_price(region, size, SLOT_AT), (
                region,
                size,
            )
            assert rows[size]["ondemand_price_usd_per_hour"] == true_ondemand, (region, size)
    assert (len(listings.regions), pairs, unknown) == (57, 62_666, 68)
    assert counts["requests"] < 700
    assert {kind for kind in KINDS if not counts[f"rejected_{kind}"]} == set()


def test_spot_prices_alone_take_few_requests(listings: Listings) -> None:
    counts = listings.of_all(listings.prices)
    assert counts["requests"] < 200
    assert counts["throttles"] == 0


def test_every_eviction_rate_of_every_region_is_the_true_one_and_no_query_is_refused(listings: Listings) -> None:
    counts = listings.of_all(listings.rates)
    frequencies = {"0-5": 3.0, "5-10": 2.5, "10-15": 2.0, "15-20": 1.5, "20+": 1.0}
    known = 0
    for region in listings.regions:
        rows = listings.rows(Dataset.EVICTION, region)
        sizes = listings.world.spot_sizes(region)
        assert set(rows) <= set(sizes)
        for size in sizes:
            band = listings.world.eviction_band(region, size, SLOT_AT)
            known += band is not None
            row = rows.get(size)
            assert (row and row["eviction_band"]) == band, (region, size)
            assert row is None or row["interruption_frequency"] == frequencies[row["eviction_band"]]
    assert known > 50_000
    assert counts["throttles"] == 0
    assert not [name for name in listings.azure.stats()["refused"] if name.startswith("graph")]
