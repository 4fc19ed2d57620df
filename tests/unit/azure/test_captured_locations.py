"""A subscription's list of locations as served (tests/data/ORIGIN.md), read by eye."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from spotlake.azure.http import HttpClient
from spotlake.azure.locations import fetch_locations
from spotlake.scores.zones import subscription_digest
from tests.support.azure import OneToken
from tests.support.scripted import answered, scripted_session

CAPTURED = json.loads((Path(__file__).parents[2] / "data/locations-capture.json").read_text(encoding="utf-8"))
# Logical zone -> building: zones 2 and 3 of this subscription are crossed in every region.
ZONES = {
    "eastus": {"1": "eastus-az1", "2": "eastus-az3", "3": "eastus-az2"},
    "koreacentral": {"1": "koreacentral-az1", "2": "koreacentral-az3", "3": "koreacentral-az2"},
    "swedencentral": {"1": "swedencentral-az1", "2": "swedencentral-az3", "3": "swedencentral-az2"},
    "uksouth": {"1": "uksouth-az1", "2": "uksouth-az3", "3": "uksouth-az2"},
    "centraluseuap": {"1": "centraluseuap-az2", "2": "centraluseuap-az1"},
}
GEOGRAPHIES = {
    "eastus": ("United States", "US"),
    "koreacentral": ("Korea", "Asia Pacific"),
    "northcentralus": ("United States", "US"),
    "swedencentral": ("Sweden", "Europe"),
    "uksouth": ("United Kingdom", "UK"),
    "westcentralus": ("United States", "US"),
}


def test_zones_buildings_geographies_and_routing_are_those_that_the_answer_shows() -> None:
    session, _ = scripted_session(answered(CAPTURED))
    found = fetch_locations(
        HttpClient("locations", session),
        "https://management.azure.com",
        tokens=OneToken(),
        subscriptions=["sub-a"],
        now_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    assert found.zones == {subscription_digest("sub-a"): ZONES}
    assert found.routing == tuple(GEOGRAPHIES)  # in order; the stage is no public region
    assert {region: tuple(geography) for region, geography in found.geographies.items()} == GEOGRAPHIES
    assert (found.reference, found.failed) == (subscription_digest("sub-a"), {})
