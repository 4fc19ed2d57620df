"""The past of a new archive, beside the simulated Azure's own record of its prices."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from spotlake import keys
from spotlake.archive.archive import Archive, open_archive
from spotlake.azure.http import HttpClient, RetryPolicy, new_session
from spotlake.azure.price_history import price_history_query
from spotlake.azure.resource_graph import API, GraphPages
from spotlake.clock import Deadline
from spotlake.history.before import PriceBefore, before_parquet
from spotlake.state.price_histories import write_price_history
from spotlake.stores.objects import MemoryObjects
from spotlake_local.azure.simulated import SimulatedAzure
from tests.functional.history.conftest import keep
from tests.functional.listings.conftest import SLOT_AT, Listings
from tests.functional.merge.conftest import FIRST, REGION, SIZE, World
from tests.functional.reading.conftest import to_folder


def archive_of(world: World, folder: Path) -> Archive:
    assert isinstance(world.objects, MemoryObjects)
    to_folder(world.objects, folder)
    return open_archive(str(folder))


def told_by_resource_graph(listings: Listings) -> list[dict[str, object]]:
    client = HttpClient(API, new_session(), RetryPolicy(attempts=2), Deadline.after(60))
    pages = GraphPages(client, listings.azure.url, listings.tokens, lambda: 0.0, price_history_query)
    return list(pages.rows(REGION))


def test_a_new_archive_answers_for_the_months_before_it_as_the_truth_was(azure: SimulatedAzure, tmp_path: Path) -> None:
    listings, world = Listings(azure, azure.world()), World()
    truth = listings.world
    sizes = truth.spot_sizes(REGION)[:40]
    # The world of the merge begins where the simulated Azure stands.
    shift = (SLOT_AT - FIRST) // timedelta(minutes=10)
    run = world.collected(shift, scores={"1": 3, "2": 2}, sizes=sizes)
    write_price_history(
        world.objects, run, REGION, told_by_resource_graph(listings), source="simulated", collected_at=SLOT_AT
    )
    world.merge(run)
    keep(world.objects, merged_at=run.slot_at)
    archive = archive_of(world, tmp_path)
    compared = 0
    for size in sizes:
        rows = list(archive.history(size, REGION, "1", since=SLOT_AT - timedelta(days=60)))
        past = [row for row in rows if row["source"] == "resource_graph"]
        assert [row["source"] for row in rows] == ["resource_graph"] * len(past) + ["spotlake"]
        for row, after in zip(past, rows[1:], strict=False):
            moment = max(row["changed_at"], SLOT_AT - timedelta(days=60))
            while moment < min(after["changed_at"], SLOT_AT):
                if moment.day > 4:  # a month's prices come in its first days, and are said to hold from the first on
                    assert row["spot_price_usd_per_hour"] == truth.spot_price(REGION, size, moment), (size, moment)
                    compared += 1
                moment += timedelta(days=7)
        assert all(row["zone"] is None and row["score_1"] is None and row["live"] for row in past)
    assert compared > 5 * len(sizes)


@pytest.fixture
def begun(tmp_path: Path) -> Archive:
    world = World()
    for number in (0, 3):
        world.merge(world.collected(number, spot=0.01 + number / 100, scores={"1": 3}))
        keep(world.objects)
    days = (40, 20, -1)  # the last one is later than the archive's begin, which has its own rows
    prices = [PriceBefore(SIZE, FIRST - timedelta(days=day), 0.5 + place) for place, day in enumerate(days)]
    others = [PriceBefore("Standard_E2s_v5", FIRST - timedelta(days=9), 9.0)]
    world.objects.put(keys.history_before(REGION), before_parquet(REGION, [*prices, *others]))
    return archive_of(world, tmp_path)


@pytest.mark.parametrize(
    ("days", "expected"), [(None, [0.5, 1.5]), (90, [0.5, 1.5]), (30, [0.5, 1.5]), (10, [1.5]), (0, [])]
)
def test_the_past_ends_where_own_rows_begin_and_begins_with_what_held(
    begun: Archive,
    days: int | None,
    expected: list[float],
) -> None:
    since = None if days is None else FIRST - timedelta(days=days)
    rows = list(begun.history(SIZE, REGION, "1", since=since))
    assert [row["spot_price_usd_per_hour"] for row in rows] == [*expected, 0.01, 0.04]
    assert [row["source"] for row in rows] == ["resource_graph"] * len(expected) + ["spotlake"] * 2


def test_an_archive_without_a_past_has_the_same_columns(tmp_path: Path) -> None:
    world = World()
    world.merge(world.collected(0, scores={"1": 3}))
    keep(world.objects)
    (row,) = archive_of(world, tmp_path).history(SIZE, REGION)
    assert row["source"] == "spotlake"


def test_a_past_is_written_once_and_a_damaged_history_waits_for_the_next(tmp_path: Path) -> None:
    world = World()
    for number, rows in enumerate([None, 1, 2]):
        run = world.collected(number, scores={"1": 3})
        if rows is None:
            world.objects.put(keys.price_history(run.slot_at, REGION, run.attempt), b"damaged")
        else:
            told = [{"skuName": SIZE.lower(), "osType": system, "location": REGION,
                     "spotPrices": f'[{{"priceUSD": {rows}, "effectiveDate": "2025-11-01T00:00:00Z"}}]'}
                    for system in ("linux", "windows")]  # fmt: skip
            write_price_history(world.objects, run, REGION, told, source="simulated", collected_at=run.slot_at)
        world.merge(run)
        keep(world.objects, merged_at=run.slot_at)
    (row, *own) = archive_of(world, tmp_path).history(SIZE, REGION)
    assert (row["spot_price_usd_per_hour"], row["source"]) == (1.0, "resource_graph")
    assert {one["source"] for one in own} == {"spotlake"}
