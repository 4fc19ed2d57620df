"""What runs remember of prices: what is absent, what sells nothing, what was told, what the second witness said."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

import pytest
import requests

from spotlake import keys
from spotlake.models import Mode
from spotlake.state.price_memory import PRICE_MEMORY
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.listing_days import ListingDays

FIRST = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)
SLOT = timedelta(minutes=10)
REGIONS = ("jioindiacentral", "southindia")
EMPTY_REGION = "denmarkeast"  # listed, and without any price


class Asked(requests.adapters.HTTPAdapter):
    """The network, with the region that each request for prices asks for noted."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: Counter[str] = Counter()
        self.narrow: Counter[str] = Counter()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        url = unquote_plus(str(request.url))
        if "armRegionName eq '" in url and "$skip" not in url:
            region = url.split("armRegionName eq '")[1].split("'")[0]
            (self.narrow if "armSkuName" in url else self.listed)[region] += 1
        return super().send(request, *args, **kwargs)


@pytest.fixture
def days(azure: SimulatedAzure) -> ListingDays:
    made = ListingDays(azure, REGIONS)
    made.run(FIRST, Mode.FULL)
    return made


def note_requests(days: ListingDays) -> Asked:
    asked = Asked()
    days.session.mount("http://", asked)
    return asked


def spot_prices(days: ListingDays) -> dict[tuple[str, str], Any]:
    return {key: price for key, (price,) in days.values("SpotPrice").items()}


def test_pairs_that_are_gone_for_two_days_are_asked_narrowly_once_in_six_hours(days: ListingDays) -> None:
    world, asked, day_at = days.azure.world(), note_requests(days), FIRST + timedelta(days=1)
    gone = {
        region: [size for size in world.spot_sizes(region) if world.spot_price(region, size, day_at) is None]
        for region in REGIONS
    }
    most = sum(-(-len(sizes) // 15) for sizes in gone.values())
    before, per_slot = spot_prices(days), []
    for number in range(6):
        asked.narrow.clear()
        manifest = days.run(day_at + number * SLOT)
        per_slot.append(asked.narrow.total())
        named = {region: set(one["sizes"]) for region, one in manifest["unconfirmed"]["regions"].items()}
        assert named == {region: set(sizes) for region, sizes in gone.items()}
    assert 0 < sum(per_slot) <= most
    assert per_slot[-1] == 0
    kept_for_a_while = spot_prices(days)
    asked.narrow.clear()
    days.run(day_at + timedelta(hours=6, minutes=10))
    assert 0 < asked.narrow.total() <= most
    after = spot_prices(days)
    assert sum(map(len, gone.values())) > 50
    kept = {
        (size, workload): price
        for (size, workload), price in before.items()
        if size in gone[workload.partition("#")[0]]
    }
    assert len(kept) == sum(map(len, gone.values()))
    assert {key: kept_for_a_while[key] for key in kept} == kept
    assert {after[key] for key in kept} == {None}  # six looks over six hours did not show them
    back = days.run(day_at + timedelta(days=2))
    assert (back["unconfirmed"]["pairs"], back["unconfirmed_percent"]) == (0, 0.0)
    assert PRICE_MEMORY.read(days.objects).absent == {}


@pytest.mark.parametrize(("lost", "rings"), [(20, False), (300, False), (2500, True)])
def test_a_hole_is_marked_in_the_slots_manifest_to_the_last_pair_and_ages_until_it_heals(
    days: ListingDays, lost: int, *, rings: bool
) -> None:
    region = REGIONS[1]
    before = days.values("SpotPrice", "PriceAt")
    days.azure.options(retail_holes={region: lost}, retail_holes_narrow=True)
    manifest = days.run(FIRST + SLOT)
    listed = {row.instance_type for row in days.spot_rows(FIRST + SLOT, region)}
    gone = set(days.azure.world().spot_sizes(region)) - listed
    (told,) = manifest["unconfirmed"]["regions"].values()
    assert (manifest["unconfirmed"]["pairs"], told["pairs"]) == (len(gone), len(gone))
    assert set(told["sizes"]) == set(sorted(gone)[:400])
    assert (manifest["stale"], manifest["coverage"]["price"]) == ([], 100.0)
    assert (manifest["unconfirmed_percent"] >= days.settings.unconfirmed_alarm_percent) == rings
    assert days.values("SpotPrice", "PriceAt") == before
    days.azure.options(retail_holes={})
    healed = days.run(FIRST + 2 * SLOT)
    assert (healed["unconfirmed"]["pairs"], healed["unconfirmed_percent"]) == (0, 0.0)
    assert days.values("SpotPrice", "PriceAt") == before


def test_half_of_a_region_gone_is_not_believed(days: ListingDays) -> None:
    before = days.values("SpotPrice", "PriceAt")
    days.azure.options(retail_holes={REGIONS[1]: 5_000}, retail_holes_narrow=True)
    manifest = days.run(FIRST + SLOT)
    assert [(one["dataset"], one["region"], one["error"]) for one in manifest["stale"]] == [
        ("spot_price", REGIONS[1], "UntrustedAnswerError")
    ]
    assert manifest["unconfirmed"]["pairs"] == 0  # nobody looked: the region is stale as a whole
    assert days.values("SpotPrice", "PriceAt") == before


def test_a_kind_of_meter_that_nobody_knows_is_told_once_with_samples_and_changes_no_price(days: ListingDays) -> None:
    days.run(FIRST + SLOT)
    before = spot_prices(days)
    days.azure.options(retail_new_kinds=dict.fromkeys(REGIONS, "Spot Plus"))
    told = []
    for number in (2, 3):
        manifest = days.run(FIRST + number * SLOT)
        told.append(days.results[-1].get("new_unknown_kinds"))
        (sample,) = manifest["unknown_kinds"]["samples"]
        assert (sample["kind"], sample["region"]) == ("plus spot", REGIONS[0])
        assert sample["meterName"].endswith(" Spot Plus")
        assert manifest["unknown_kinds"]["rows"] > 1_000
    days.azure.options(retail_new_kinds={REGIONS[0]: "Spot Plus", REGIONS[1]: "Premium Spot"})
    days.run(FIRST + 4 * SLOT)
    told.append(days.results[-1].get("new_unknown_kinds"))
    assert told == [1, 0, 1]
    assert spot_prices(days) == before


def test_two_meters_that_disagree_are_named_and_told_once(days: ListingDays) -> None:
    days.run(FIRST + SLOT)
    before = spot_prices(days)
    days.azure.options(retail_second_meters={REGIONS[0]: 3})
    for number, new in ((2, 3), (3, 0)):
        found = days.run(FIRST + number * SLOT)["price_disagreements"]
        assert days.results[-1].get("new_price_disagreements") == new
        assert (found["rows"], len(found["sizes"])) == (3, 3)
        assert all(one.startswith(f"{REGIONS[0]} spot Standard_") for one in found["sizes"])
    assert spot_prices(days) == before


def test_the_second_witness_is_asked_of_one_region_a_slot_and_of_each_once_a_day(days: ListingDays) -> None:
    world = days.azure.world()
    for number, region in ((1, REGIONS[0]), (2, REGIONS[1])):
        (found,) = days.run(FIRST + number * SLOT)["price_witness"]
        sizes = world.spot_sizes(region)
        assert (found["region"], found["answered"], found["odd_rows"]) == (region, True, 0)
        linux, windows = found["systems"]["linux"], found["systems"]["windows"]
        assert (linux["agreeing"], linux["disagreeing"], linux["only_listed"]) == (len(sizes), 0, 0)
        assert 0 < windows["agreeing"] <= len(sizes)
        assert (windows["disagreeing"], windows["only_listed"]) == (0, 0)
        assert keys.price_history(FIRST + number * SLOT, region, 1) in days.objects.objects
    assert days.run(FIRST + 3 * SLOT)["price_witness"] == []
    assert days.results[-1].get("witness_disagreement_percent") == 0.0
    assert len(days.run(FIRST + timedelta(days=2))["price_witness"]) == 1


def test_a_witness_that_contradicts_is_counted_named_and_stays_told_until_it_agrees(days: ListingDays) -> None:
    before = spot_prices(days)
    days.azure.options(wrong_price_share=0.3)
    (found,) = days.run(FIRST + SLOT)["price_witness"]
    linux = found["systems"]["linux"]
    assert 100 < linux["disagreeing"] < 500
    assert len(linux["worst"]) == 20
    assert linux["worst"][0]["listed_usd_per_hour"] == pytest.approx(6 * linux["worst"][0]["history_usd_per_hour"], 0.1)
    percent = days.results[-1].get("witness_disagreement_percent")
    assert percent is not None
    assert 25 < percent < 35
    days.azure.options(wrong_price_share=0.0)
    days.run(FIRST + 2 * SLOT)
    assert days.results[-1].get("witness_disagreement_percent") == percent  # the other region agrees
    days.run(FIRST + SLOT + timedelta(days=3))
    assert days.results[-1].get("witness_disagreement_percent") == 0.0
    assert spot_prices(days).keys() == before.keys()


def test_a_witness_without_an_answer_stops_nothing(days: ListingDays) -> None:
    days.run(FIRST + SLOT)
    # The rates of both regions take a query each; the one after them is the witness's.
    days.azure.fault(api="graph", location=REGIONS[1], after=1, status=500)
    manifest = days.run(FIRST + 2 * SLOT)
    assert (manifest["stale"], manifest["price_witness"][0]["answered"]) == ([], False)


def test_a_region_without_prices_is_no_failure_and_asked_once_a_week(azure: SimulatedAzure) -> None:
    days = ListingDays(azure, (*REGIONS[:1], EMPTY_REGION))
    asked = note_requests(days)
    on_days = []
    for day in (0, 1, 2, 3, 9):
        asked.listed.clear()
        manifest = days.run(datetime(2026, 11, 3, 10, 0, tzinfo=UTC) + timedelta(days=day), Mode.FULL)
        assert (manifest["stale"], manifest["regions_requested"]) == ([], 1)
        on_days += [day] * asked.listed[EMPTY_REGION]
        assert asked.listed[REGIONS[0]] == 1
    assert on_days == [0, 1, 2, 9]
    # In the slots between it is not asked at all.
    asked.listed.clear()
    days.run(datetime(2026, 11, 12, 10, 10, tzinfo=UTC))
    assert asked.listed == {REGIONS[0]: 1}


def test_a_memory_that_cannot_be_read_is_done_without(days: ListingDays) -> None:
    days.objects.objects[keys.PRICE_MEMORY] = b"no gzip"
    manifest = days.run(FIRST + SLOT)
    assert (manifest["stale"], manifest["unconfirmed"]["pairs"]) == ([], 0)
    assert days.objects.objects[keys.PRICE_MEMORY] != b"no gzip"
