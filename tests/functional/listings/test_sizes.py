"""Facts of sizes in front of the simulated Azure: every region, beside its own truth."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import NoReturn

import pytest

from spotlake import keys
from spotlake.azure.http import HttpClient, new_session
from spotlake.azure.locations import fetch_locations
from spotlake.azure.resource_skus import list_sizes
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import AzureRefusedError
from spotlake.models import Mode, Run
from spotlake.packing import unpack
from spotlake.scores.geography import Locations
from spotlake.sizes.geography import geography_of
from spotlake.state.locations import LOCATIONS
from spotlake.state.sizes import read_sizes
from spotlake.usecases.collect.sizes import SizesDeps, collect_sizes
from spotlake_local.azure.machines import machine_of
from spotlake_local.azure.resource_skus import offered_zones, restricted_zones
from spotlake_local.azure.simulated import SimulatedAzure
from tests.functional.listings.conftest import SLOT_AT, Listings
from tests.support.listing_days import ListingDays

REGIONS = ("koreacentral", "westcentralus", "swedensouth")


def deps_of(listings: Listings) -> SizesDeps:
    azure = listings.azure
    locations = fetch_locations(
        HttpClient("locations", new_session(), deadline=Deadline.after(60.0)),
        azure.url,
        tokens=listings.tokens,
        subscriptions=azure.subscriptions,
        now_at=SLOT_AT,
    )
    return SizesDeps(
        objects=listings.objects,
        session=new_session(),
        tokens=listings.tokens,
        subscriptions=azure.subscriptions[1:],  # the reference subscription is not asked
        zones=locations.zone_map(azure.subscriptions),
        geographies=locations.geographies,
        clock=ManualClock(SLOT_AT),
        deadline=Deadline.after(120.0),
        settings=listings.settings,
    )


def test_facts_zones_and_restrictions_are_the_simulators_own(listings: Listings) -> None:
    pairs = {region: listings.world.spot_sizes(region) for region in REGIONS}
    assert collect_sizes(listings.run(), pairs, deps_of(listings))
    known, world = read_sizes(listings.objects), listings.world
    reference, asked = listings.azure.subscriptions[:2]
    for region in REGIONS:
        assert known.regions[region].offers.keys() == {one.lower() for one in world.ondemand[region] if machine_of(one)}
        assert not known.regions[region].counts.get("unreadable_rows")
        assert not known.regions[region].counts.get("name_disagreements")
        own = {physical: number for number, physical in world.zone_numbers(reference, region).items()}
        buildings = world.zone_numbers(asked, region)
        for size in world.spot_sizes(region):
            offer, machine = known.offer_of(region, size), machine_of(size)
            assert offer is not None
            assert machine is not None
            facts = offer.facts
            assert (facts.vcpus, facts.full_vcpus) == (machine.vcpus, machine.full_vcpus)
            assert facts.memory_gib == pytest.approx(machine.memory_gib, rel=1e-5)
            assert (facts.gpus, facts.architecture, facts.source) == (machine.gpus, machine.architecture, "simulated")
            assert set(offer.zones) == {own[buildings[one]] for one in offered_zones(world, asked, region, size)}
            barred = restricted_zones(world, asked, region, size)
            assert set(offer.restricted_zones) == {own[buildings[one]] for one in barred}
            assert offer.is_restricted == world.is_restricted(asked, region, size)


def test_the_file_joins_every_pair_by_its_arm_name(listings: Listings) -> None:
    pairs = {"koreacentral": [*listings.world.spot_sizes("koreacentral"), "Standard_D16s_v99"]}
    collect_sizes(listings.run(), pairs, deps_of(listings))
    lines = list(csv.DictReader(unpack(listings.objects.objects[keys.LATEST_SIZES]).decode().splitlines()))
    by_name = {line["ArmSkuName"]: line for line in lines}
    assert by_name.keys() >= set(pairs["koreacentral"])
    assert all(by_name[size]["VCpus"] for size in pairs["koreacentral"])
    assert by_name["Standard_D16s_v99"]["Source"] == "name"
    assert {(line["Geography"], line["GeographyGroup"]) for line in lines} == {("Korea", "Asia Pacific")}


def test_geographies_come_from_the_list_of_locations(listings: Listings) -> None:
    listed = deps_of(listings).geographies
    known = Locations(fetched_at=SLOT_AT, routing=(), zones={}, geographies=listed)
    LOCATIONS.write(listings.objects, known)
    assert LOCATIONS.read(listings.objects) == known
    assert listed["uksouth"] == ("United Kingdom", "UK")
    assert set(listed) >= {code for code in listings.world.regions if code != "swedensouth"}
    assert "eastus2euap" not in listed
    assert geography_of("swedensouth", {**listed}) == ("Sweden", "Europe")


def test_a_full_run_asks_for_sizes_and_survives_whatever_becomes_of_them(azure: SimulatedAzure) -> None:
    given: list[Mapping[str, Iterable[str]]] = []

    def failing(_: Run, pairs: Mapping[str, Iterable[str]]) -> NoReturn:
        given.append(pairs)
        raise RuntimeError("no sizes today")

    days = ListingDays(azure, ("koreacentral", "westcentralus"), sizes=failing)
    manifest = days.run(SLOT_AT, Mode.FULL)
    assert manifest["coverage"]["price"] == 100
    (pairs,) = given
    world = azure.world()
    assert {region: set(sizes) for region, sizes in pairs.items()} == {
        region: set(world.spot_sizes(region)) for region in ("koreacentral", "westcentralus")
    }


def test_a_subscription_without_a_role_is_refused(listings: Listings) -> None:
    listings.azure.options(no_role=[listings.azure.subscriptions[0]])
    client = HttpClient("resource skus", new_session(), deadline=Deadline.after(60.0))
    with pytest.raises(AzureRefusedError) as caught:
        list_sizes(
            client,
            listings.azure.url,
            tokens=listings.tokens,
            subscription=listings.azure.subscriptions[0],
            region="koreacentral",
            source="simulated",
        )
    assert (caught.value.status, caught.value.code) == (403, "AuthorizationFailed")
