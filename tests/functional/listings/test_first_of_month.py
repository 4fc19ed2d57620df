"""The first of a month: a quarter of the prices change, and some pairs have no spot price for two days."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spotlake.models import Dataset
from spotlake_local.azure.simulated import SimulatedAzure
from tests.functional.listings.conftest import Listings

FIRST_OF_MONTH = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize("region", ["koreacentral", "belgiumcentral", "westindia"])
def test_every_price_is_true_and_what_has_none_is_counted_with_two_requests_more(
    azure: SimulatedAzure, region: str
) -> None:
    world = azure.world()
    before_at = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)
    listings = Listings(azure, world, FIRST_OF_MONTH)
    report = listings.prices(region)
    rows = listings.rows(Dataset.PRICE, region)
    found = {size: row["spot_price_usd_per_hour"] for size, row in rows.items()}
    known = world.spot_sizes(region)
    true = {size: price for size in known if (price := world.spot_price(region, size, FIRST_OF_MONTH)) is not None}
    assert found == true
    assert 10 < len(known) - len(true) == report.counts["unconfirmed_sizes"]
    assert report.counts["narrow_requests"] == 2
    assert report.counts["healed_sizes"] == 0
    changed = sum(world.spot_price(region, size, before_at) != price for size, price in true.items())
    assert 0.1 < changed / len(true) < 0.5
    assert (report.counts.get("rejected_unknown_kind", 0), report.counts["price_disagreements"]) == (0, 0)
