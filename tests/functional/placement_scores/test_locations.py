from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from spotlake.azure.http import HttpClient, RetryPolicy
from spotlake.azure.locations import fetch_locations
from spotlake.errors import AzureError, AzureRefusedError, UntrustedAnswerError
from spotlake.scores.geography import Locations
from spotlake.scores.zones import subscription_digest
from spotlake.state.locations import LOCATIONS
from spotlake.stores.objects import MemoryObjects
from tests.functional.placement_scores.double import answer, arm_error
from tests.support.azure import OneToken
from tests.support.scripted import wired

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
A, B = subscription_digest("sub-a"), subscription_digest("sub-b")


def entry(name: str, zones: dict[str, str] | None = None, region_type: str = "Physical") -> dict[str, Any]:
    """One location as ARM lists it."""
    listed: dict[str, Any] = {
        "id": f"/subscriptions/x/locations/{name}",
        "name": name,
        "type": "Region",
        "displayName": name.title(),
        "metadata": {"regionType": region_type, "regionCategory": "Recommended"},
    }
    if zones is not None:
        listed["availabilityZoneMappings"] = [
            {"logicalZone": logical, "physicalZone": physical} for logical, physical in zones.items()
        ]
    return listed


LISTED = {
    "sub-a": [
        entry("koreacentral", {"1": "koreacentral-az1", "2": "koreacentral-az2"}),
        entry("westcentralus", {}),
        entry("asia", region_type="Logical"),
        entry("eastus2stage"),
        entry("usgovvirginia"),
    ],
    "sub-b": [entry("koreacentral", {"1": "koreacentral-az2", "2": "koreacentral-az1"}), entry("eastus")],
}


class Arm(BaseAdapter):
    """Lists locations; ``broken`` subscriptions answer something else."""

    def __init__(self, broken: dict[str, requests.Response] | None = None) -> None:
        super().__init__()
        self.broken = broken or {}
        self.urls: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.urls.append(str(request.url))
        assert request.headers["Authorization"] == "Bearer token"
        subscription = str(request.url).split("/subscriptions/")[1].split("/")[0]
        return wired(self.broken.get(subscription, answer(200, {"value": LISTED.get(subscription, [])})))

    def close(self) -> None:
        return


def fetch(
    arm: Arm, previous: Locations | None = None, subscriptions: tuple[str, ...] = ("sub-a", "sub-b")
) -> Locations:
    session = requests.Session()
    session.mount("https://", arm)
    return fetch_locations(
        HttpClient("locations", session, RetryPolicy(attempts=1)),
        "https://management.azure.com",
        tokens=OneToken(),
        subscriptions=subscriptions,
        now_at=NOW_AT,
        previous=previous,
    )


def test_physical_public_locations_and_every_subscriptions_zones() -> None:
    arm = Arm()
    found = fetch(arm)
    assert found.routing == ("koreacentral", "westcentralus")
    assert found.zones == {
        A: {"koreacentral": {"1": "koreacentral-az1", "2": "koreacentral-az2"}},
        B: {"koreacentral": {"1": "koreacentral-az2", "2": "koreacentral-az1"}},
    }
    assert found.failed == {}
    assert sorted(arm.urls) == [
        f"https://management.azure.com/subscriptions/{name}/locations?api-version=2022-12-01" for name in LISTED
    ]
    zone_map = found.zone_map(("sub-a", "sub-b"))
    assert zone_map.place(B, "koreacentral", "1").zone == "2"


def test_they_are_kept_without_subscription_ids() -> None:
    objects = MemoryObjects()
    assert LOCATIONS.read(objects) is None
    found = fetch(Arm())
    LOCATIONS.write(objects, found)
    assert LOCATIONS.read(objects) == found
    before = dict(objects.objects)
    LOCATIONS.write(objects, found)
    assert objects.objects == before


def test_a_subscription_that_does_not_answer_keeps_its_last_known_zones() -> None:
    first = fetch(Arm())
    broken = {"sub-b": arm_error(403, "AuthorizationFailed", "no role")}
    again = fetch(Arm(broken), previous=first)
    assert again.zones == first.zones
    assert list(again.failed) == [B]
    assert B not in fetch(Arm(broken)).zones


def test_without_the_reference_the_last_known_routing_stays() -> None:
    broken = {"sub-a": answer(500, "")}
    assert fetch(Arm(broken), previous=fetch(Arm())).routing == ("koreacentral", "westcentralus")
    with pytest.raises(AzureError):
        fetch(Arm(broken))


def test_no_subscription_answers() -> None:
    broken = {name: arm_error(403, "AuthorizationFailed", "no role") for name in LISTED}
    with pytest.raises(AzureRefusedError, match="no role"):
        fetch(Arm(broken), previous=fetch(Arm()))


@pytest.mark.parametrize("body", [{}, {"value": []}, {"value": "x"}], ids=str)
def test_an_empty_list_is_not_believed(body: dict[str, Any]) -> None:
    with pytest.raises(UntrustedAnswerError):
        fetch(Arm({"sub-a": answer(200, body)}), subscriptions=("sub-a",))


def test_another_order_or_a_subscription_that_left_renumbers_no_zone() -> None:
    first = fetch(Arm())
    assert first.reference == A
    for subscriptions in (("sub-b", "sub-a"), ("sub-b",)):
        again = fetch(Arm(), previous=first, subscriptions=subscriptions)
        assert again.reference == A
        place = again.zone_map(subscriptions).place(B, "koreacentral", "1")
        assert place == first.zone_map(("sub-a", "sub-b")).place(B, "koreacentral", "1")


def test_a_subscription_that_left_is_forgotten() -> None:
    assert set(fetch(Arm(), previous=fetch(Arm()), subscriptions=("sub-a",)).zones) == {A}


def test_they_are_asked_anew_after_a_day_or_for_a_new_subscription() -> None:
    found = fetch(Arm({"sub-b": answer(500, "")}))
    assert found.is_fresh(NOW_AT + timedelta(hours=23), ("sub-a", "sub-b"))  # a silent one is not asked every run
    assert not found.is_fresh(NOW_AT + timedelta(hours=24), ("sub-a", "sub-b"))
    assert not found.is_fresh(NOW_AT, ("sub-a", "sub-b", "sub-c"))


def test_damaged_state_is_done_without_and_named() -> None:
    notes: list[str] = []
    objects = MemoryObjects(objects={"state/azure/locations.json.gz": b"{}"})
    assert LOCATIONS.read(objects, notes.append) is None
    assert "locations" in notes[0]


@pytest.mark.parametrize(
    "mappings",
    [
        [{"logicalZone": "1"}],
        [{"physicalZone": "eastus-az1"}],
        [{"logicalZone": None, "physicalZone": None}],
        [{"logicalZone": "4", "physicalZone": "eastus-az4"}],
        [{"logicalZone": "1", "physicalZone": "x" * 3000}],
        [{"logicalZone": "1", "physicalZone": "=cmd"}],
        [{"logicalZone": "1", "physicalZone": {"a": 1}}],
        [None],
        ["1"],
        {"logicalZone": "1", "physicalZone": "eastus-az1"},
        "none",
    ],
    ids=str,
)
def test_an_odd_zone_mapping_costs_itself(mappings: Any) -> None:
    odd = {**entry("eastus"), "availabilityZoneMappings": mappings}
    found = fetch(Arm({"sub-a": answer(200, {"value": [*LISTED["sub-a"], odd]})}))
    assert found.zones[A] == {"koreacentral": {"1": "koreacentral-az1", "2": "koreacentral-az2"}}
    assert found.routing == ("eastus", "koreacentral", "westcentralus")


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "EdgeZone"},
        {"metadata": None},
        {"metadata": "Physical"},
        {"metadata": {"regionType": "Logical"}},
        {"metadata": {}},
        {"name": "eastusslv"},
        {"name": "x" * 3000},
        {"name": None},
        {"name": "ezecustomerlabboston1"},
    ],
    ids=str,
)
def test_an_odd_location_is_not_routed_through(changes: dict[str, Any]) -> None:
    odd = entry("eastus") | changes
    assert fetch(Arm({"sub-a": answer(200, {"value": [*LISTED["sub-a"], odd]})})).routing == (
        *("koreacentral", "westcentralus"),
    )


@pytest.mark.parametrize("name", ["EastUS", "East US", "eastus"])
def test_a_location_in_another_spelling_is_the_same(name: str) -> None:
    found = fetch(Arm({"sub-a": answer(200, {"value": [entry(name, {"1": "eastus-az1"})]})}))
    assert (found.routing, found.zones[A]) == (("eastus",), {"eastus": {"1": "eastus-az1"}})


def test_seventy_five_regions_are_routed_through() -> None:
    names = [f"region{number}" for number in range(75)]
    assert len(fetch(Arm({"sub-a": answer(200, {"value": [entry(name) for name in names]})})).routing) == 75


def test_zones_that_an_answer_leaves_out_stay_as_they_were() -> None:
    first = fetch(Arm())
    listed = [entry("koreacentral"), entry("westcentralus", {})]  # an answer without any zone
    again = fetch(Arm({"sub-a": answer(200, {"value": listed})}), previous=first)
    assert again.zones == first.zones
    assert again.zone_map(("sub-a", "sub-b")).place(B, "koreacentral", "1").zone == "2"


def test_a_building_in_another_casing_is_the_same_building() -> None:
    first = fetch(Arm())
    listed = [entry("koreacentral", {"1": "KoreaCentral-AZ1", "2": "KOREACENTRAL-az2 "})]
    assert fetch(Arm({"sub-a": answer(200, {"value": listed})}), previous=first).zones == first.zones
