"""Eviction rates of all regions against what is true in the simulated Azure."""

from __future__ import annotations

from spotlake.models import Dataset
from tests.functional.listings.conftest import SLOT_AT, Listings


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
