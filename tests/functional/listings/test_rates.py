"""Eviction rates of all regions against what is true in the simulated Azure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from spotlake.models import Dataset
from spotlake_local.azure.graph import Throttle
from tests.functional.listings.conftest import SLOT_AT, Listings


def refused(times: Iterable[float]) -> int:
    """How many queries sent at these times the simulator's limit in earnest would refuse: 15 in 5 seconds."""
    limit = Throttle()
    return sum(not limit.take(datetime.fromtimestamp(at, UTC))[0] for at in sorted(times))


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
    sent_at = listings.turns.sent_at
    assert len(sent_at) == counts["requests"] == listings.azure.stats()["answers"]["graph 200"] == 90
    assert refused(sent_at) == 0
    assert max(sent_at) - min(sent_at) < 36  # seconds that it takes
    assert refused([listings.turns.MOMENT] * 89) == 74  # or this shows nothing
