"""The price list and Resource Graph's history side by side: two APIs, one truth; and what happens when they differ."""

from __future__ import annotations

from datetime import UTC, datetime

from spotlake.azure.http import HttpClient, RetryPolicy, new_session
from spotlake.azure.price_history import PriceHistory, compare_prices, price_history_query, read_history
from spotlake.azure.resource_graph import API, GraphPages
from spotlake.clock import Deadline
from spotlake.models import Dataset
from spotlake_local.azure.simulated import SimulatedAzure
from tests.functional.listings.conftest import SLOT_AT, Listings

REGION = "koreacentral"


def history_of(listings: Listings) -> tuple[PriceHistory, int]:
    client = HttpClient(API, new_session(), RetryPolicy(attempts=2), Deadline.after(60))
    pages = GraphPages(client, listings.azure.url, listings.tokens, lambda: 0.0, price_history_query)
    return read_history(pages.rows(REGION), region=REGION), pages.pages


def listed_prices(listings: Listings) -> dict[str, float]:
    listings.prices(REGION)
    rows = listings.rows(Dataset.PRICE, REGION)
    return {size: row["spot_price_usd_per_hour"] for size, row in rows.items() if row["spot_price_usd_per_hour"]}


def test_both_witnesses_say_the_same(azure: SimulatedAzure) -> None:
    listings = Listings(azure, azure.world())
    listed = listed_prices(listings)
    history, pages = history_of(listings)
    found = compare_prices(listed, history, at=SLOT_AT)
    assert (found.agreeing, found.disagreeing, found.only_listed, found.only_in_history) == (len(listed), 0, 0, 0)
    assert pages == -(-2 * len(listed) // 1000)
    # The past is the world's own.
    past_at = datetime(2026, 10, 15, tzinfo=UTC)
    size = next(iter(listed))
    assert history.at("linux", size, past_at) == listings.world.spot_price(REGION, size, past_at.replace(day=20))


def test_a_witness_that_is_wrong_is_named(azure: SimulatedAzure) -> None:
    listings = Listings(azure, azure.world())
    azure.options(wrong_price_share=0.02)
    listed = listed_prices(listings)
    found = compare_prices(listed, history_of(listings)[0], at=SLOT_AT)
    assert 5 < found.disagreeing < 60
    assert found.agreeing == len(listed) - found.disagreeing
    assert all(listed[one.instance_type] == one.listed_usd_per_hour for one in found.worst)
    assert all(5.9 < one.listed_usd_per_hour / one.history_usd_per_hour < 6.1 for one in found.worst)
