"""Days on which Azure's listings are wrong, from collector to manifest: old data stay, and their age shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from spotlake.merge.manifest import NO_QUOTA
from spotlake.models import Mode
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.listing_days import ListingDays
from tests.support.scripted import wired

FIRST = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)
REGIONS = ("jioindiacentral", "southindia")


class Recast(requests.adapters.HTTPAdapter):
    """The network, on which sizes change their casing."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        response = super().send(*args, **kwargs)
        response._content = response.content.replace(b'"Standard_D', b'"STANDARD_d').replace(
            b'"standard_e', b'"Standard_E'
        )
        return wired(response)


@pytest.fixture
def house(azure: SimulatedAzure) -> ListingDays:
    made = ListingDays(azure, REGIONS)
    good = made.run(FIRST, Mode.FULL)
    # No score was asked: there is no quota here. That is never complete.
    assert (good["status"], good["stale"], good["coverage_reasons"]) == ("partial", [], {"sps": NO_QUOTA})
    return made


def stale(manifest: Mapping[str, Any]) -> list[tuple[str, str, str, str | None]]:
    return [(one["dataset"], one["region"], one["error"], one["since"]) for one in manifest["stale"]]


@pytest.mark.parametrize(
    ("api", "dataset", "coverage", "names"),
    [
        ("graph", "spot_if", "eviction", ("IF", "EvictionBand", "IFAt")),
        ("retail", "spot_price", "price", ("SpotPrice", "OndemandPrice", "Savings", "PriceAt")),
    ],
)
def test_nothing_at_all_three_runs_in_a_row_replaces_nothing(
    house: ListingDays, api: str, dataset: str, coverage: str, names: tuple[str, ...]
) -> None:
    before = house.values(*names)
    assert sum(values[0] is not None for values in before.values()) > 1_000
    house.azure.fault(api=api, empty=True)
    for number in (1, 2, 3):
        manifest = house.run(FIRST + timedelta(minutes=10 * number))
        assert stale(manifest) == [
            (dataset, region, "UntrustedAnswerError", "2026-11-30T10:00:00Z") for region in REGIONS
        ]
        assert (manifest["status"], manifest["coverage"][coverage]) == ("partial", 0.0)
        assert house.values(*names) == before
    house.azure.clear_faults()
    assert stale(house.run(FIRST + timedelta(minutes=40))) == []


def test_a_region_that_disappears_costs_only_itself(house: ListingDays) -> None:
    gone, there = REGIONS
    pairs, prices = house.catalogue().pairs[gone], house.values("SpotPrice")
    for api in ("retail", "graph"):
        house.azure.fault(api=api, location=gone, empty=True)
    manifest = house.run(FIRST + timedelta(days=1), Mode.FULL)
    assert {one[:2] for one in stale(manifest)} == {("spot_price", gone), ("spot_if", gone)}
    assert {one["since"] for one in manifest["stale"]} == {"2026-11-30T10:00:00Z"}
    assert (house.catalogue().pairs[gone], house.catalogue().listed[gone]) == (pairs, ("2026-11-30",))
    assert house.catalogue().listed[there] == ("2026-11-30", "2026-12-01")
    after = house.values("SpotPrice")
    assert {key: one for key, one in after.items() if gone in key[1]} == {
        key: one for key, one in prices.items() if gone in key[1]
    }
    assert after != prices  # the first of a month


def test_pairs_that_a_listing_loses_stay_and_are_told_of(house: ListingDays) -> None:
    world = house.azure.world()
    day_at = FIRST + timedelta(days=1)  # the first of a month: some pairs have no spot price for two days
    lost = {
        (region, size)
        for region in REGIONS
        for size in world.spot_sizes(region)
        if world.spot_price(region, size, day_at) is None
    }
    manifest = house.run(day_at, Mode.FULL)
    assert manifest["stale"] == []
    assert len(lost) > 20
    days = {(region, size): house.catalogue().pairs[region][size] for region, size in lost}
    assert set(days.values()) == {"2026-11-30"}
    found = house.run(day_at + timedelta(days=2), Mode.FULL)
    assert found["stale"] == []


def test_a_size_that_changes_its_casing_is_the_same_size(house: ListingDays) -> None:
    names = ("SpotPrice", "OndemandPrice", "IF")
    before, pairs = house.values(*names), house.catalogue().pairs
    house.session.mount("http://", Recast())
    changed = house.run(FIRST + timedelta(minutes=10))
    assert (changed["stale"], changed["changed_rows"]) == ([], 0)
    house.run(FIRST + timedelta(minutes=20), Mode.FULL)
    assert house.values(*names) == before
    assert house.catalogue().pairs == pairs
