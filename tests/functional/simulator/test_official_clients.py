"""Microsoft's own clients against the simulated Azure: what they send by default, and the models they read.

The management API is plain HTTP here, which azure-core refuses for tokens; the tests' own policy puts the header in.
"""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.computerecommender import RecommenderMgmtClient
from azure.mgmt.resource.subscriptions import SubscriptionClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from spotlake.azure.resource_graph import eviction_query
from tests.functional.simulator.conftest import NOW_AT, Caller

ASKED: Any = {
    "desiredLocations": ["koreacentral", "eastus"],
    "desiredSizes": [{"sku": "Standard_D2s_v3"}],
    "desiredCount": 1,
    "availabilityZones": True,
}
DEFAULT_VERSION_OF_1_0_0B3 = "2026-09-05-preview"


class Signed(SansIOHTTPPolicy[Any, Any]):
    """Puts the token into every request."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__()
        self.sent = headers

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.http_request.headers.update(self.sent)


class Credential:
    """Never asked: the policy above signs."""

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        raise AssertionError(scopes)


@pytest.fixture
def common(caller: Caller) -> dict[str, Any]:
    return {
        "credential": Credential(),
        "base_url": caller.azure.url,
        "authentication_policy": Signed(caller.headers()),
        "retry_total": 0,
    }


@pytest.fixture
def recommender(caller: Caller, common: dict[str, Any]) -> RecommenderMgmtClient:
    return RecommenderMgmtClient(subscription_id=caller.subscription, **common)


@pytest.mark.parametrize("version", ["2025-06-05", "2026-05-05-preview", DEFAULT_VERSION_OF_1_0_0B3, ""])
def test_placement_scores(caller: Caller, common: dict[str, Any], version: str) -> None:
    chosen: dict[str, Any] = {"api_version": version} if version else {}
    client = RecommenderMgmtClient(subscription_id=caller.subscription, **common, **chosen)
    answer = client.spot_placement_scores.post("koreacentral", ASKED)
    world = caller.azure.world()
    rows = {(row["region"], row["availabilityZone"]): row["score"] for row in answer["placementScores"]}
    for (region, number), score in rows.items():
        zone = world.zone_numbers(caller.subscription, region)[number]
        assert score == world.score(region, "Standard_D2s_v3", zone, 1, NOW_AT)
    assert len(rows) == 6


def test_the_next_versions_shape(caller: Caller, common: dict[str, Any]) -> None:
    client = RecommenderMgmtClient(subscription_id=caller.subscription, api_version="2026-10-05-preview", **common)
    (row, *_) = client.spot_placement_scores.post("koreacentral", ASKED)["placementScores"]
    assert "placementPreference" in row
    assert "isQuotaAvailable" not in row


def test_the_companion(recommender: RecommenderMgmtClient) -> None:
    found = recommender.spot_placement_scores.get("koreacentral")
    assert (found.name, found.type) == ("spotPlacementScores", "Microsoft.Compute/placementScores")


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"desiredLocations": ["atlantis"]}, 400, "The value 'atlantis'"),
        ({"desiredSizes": [{"sku": "Standard_X"}]}, 400, "desiredSizes"),
        ({"desiredLocations": ["eastus"] * 9}, 400, "InvalidParameter"),
    ],
)
def test_refusals_are_read_as_errors(
    recommender: RecommenderMgmtClient, changes: dict[str, Any], status: int, words: str
) -> None:
    with pytest.raises(HttpResponseError, match=words) as caught:
        recommender.spot_placement_scores.post("koreacentral", ASKED | changes)
    assert caught.value.status_code == status


def test_the_hourly_quota(recommender: RecommenderMgmtClient) -> None:
    for _ in range(10):
        recommender.spot_placement_scores.post("westus", ASKED)
    with pytest.raises(HttpResponseError) as caught:
        recommender.spot_placement_scores.post("westus", ASKED)
    assert caught.value.status_code == 429


def test_resource_graph_by_its_default_version_and_page_by_page(caller: Caller, common: dict[str, Any]) -> None:
    client = ResourceGraphClient(**common)
    rows: list[dict[str, Any]] = []
    options = QueryRequestOptions(result_format="objectArray", top=1000)
    while True:
        page = client.resources(QueryRequest(query=eviction_query("eastus"), options=options))
        rows += list(page.data)  # type: ignore[arg-type]
        if not page.skip_token:
            break
        options = QueryRequestOptions(result_format="objectArray", top=1000, skip_token=page.skip_token)
    assert len({row["skuName"] for row in rows}) == len(rows) == page.total_records
    assert page.result_truncated == "false"


def test_subscriptions_and_their_locations(caller: Caller, common: dict[str, Any]) -> None:
    client = SubscriptionClient(**common)
    assert [one.subscription_id for one in client.subscriptions.list()] == list(caller.azure.subscriptions)
    listed = {one.name: one for one in client.subscriptions.list_locations(caller.subscription)}
    korea = listed["koreacentral"]
    assert korea.metadata is not None
    assert korea.metadata.physical_location == "Korea Central"
    zones = {one.logical_zone: one.physical_zone for one in korea.availability_zone_mappings or ()}
    assert zones == caller.azure.world().zone_numbers(caller.subscription, "koreacentral")


def test_sizes_and_quota(caller: Caller, common: dict[str, Any]) -> None:
    client = ComputeManagementClient(subscription_id=caller.subscription, **common)
    listed = {sku.name: sku for sku in client.resource_skus.list(filter="location eq 'koreacentral'")}
    assert listed.keys() >= set(caller.azure.world().spot_sizes("koreacentral"))
    told = {one.name: one.value for one in listed["Standard_E8-4ds_v5"].capabilities or ()}
    assert (told["vCPUs"], told["vCPUsAvailable"], told["MemoryGB"]) == ("8", "4", "64")
    places = listed["Standard_E8-4ds_v5"].location_info or []
    assert [one.location for one in places] == ["koreacentral"]
    assert set(places[0].zones or ()) <= {"1", "2", "3"}
    assert {one.name.value for one in client.usage.list("koreacentral")} == {"lowPriorityCores", "cores"}
