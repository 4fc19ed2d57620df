"""What ARM checks before any API: method, path, version, token, role, subscription; and the locations list."""

from __future__ import annotations

from typing import Any

import pytest

from spotlake_local.azure.machines import machine_of
from tests.functional.simulator.conftest import Caller, error_of

SUPPORTED = "2025-06-05, 2026-05-05-preview, 2026-09-05-preview, 2026-10-05-preview"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": None}, "AuthenticationFailed"),
        ({"Authorization": "Basic abc"}, "AuthenticationFailed"),
        ({"Authorization": "Bearer"}, "AuthenticationFailed"),
        ({"Authorization": "Bearer made-up"}, "InvalidAuthenticationToken"),
    ],
    ids=["none", "scheme", "empty", "unknown"],
)
def test_without_a_token_of_ours_nothing_is_told(caller: Caller, headers: dict[str, Any], code: str) -> None:
    for refused in (
        caller.scores(headers=headers),
        caller.arm("POST", "/providers/Microsoft.ResourceGraph/resources", version="2024-04-01", headers=headers),
        caller.arm("GET", f"/subscriptions/{caller.subscription}/locations", version="2022-12-01", headers=headers),
    ):
        assert error_of(refused)[:2] == (401, code)
        assert refused.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_every_answer_can_be_asked_about(caller: Caller) -> None:
    asked = {"x-ms-client-request-id": "mine", "x-ms-return-client-request-id": "true"}
    for response in (caller.scores(headers=asked), caller.scores(subscription="nobody", headers=asked)):
        assert response.headers["x-ms-request-id"] == response.headers["x-ms-correlation-request-id"]
        assert response.headers["x-ms-client-request-id"] == "mine"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_method_and_path(caller: Caller) -> None:
    status, code, message = error_of(caller.scores(method="GET"))
    assert (status, code, message) == (
        405,
        "MethodNotAllowed",
        "The requested resource does not support http method 'GET'.",
    )
    assert error_of(caller.arm("POST", "/providers/Microsoft.Else", version="2024-04-01"))[:2] == (
        404,
        "ResourceNotFound",
    )


def test_an_api_version_is_needed_and_must_be_known(caller: Caller) -> None:
    assert error_of(caller.scores(version=None))[:2] == (400, "MissingApiVersionParameter")
    status, code, message = error_of(caller.scores(version="2024-06-01-preview"))
    assert (status, code) == (400, "NoRegisteredProviderFound")
    assert message.startswith(
        "No registered resource provider found for location 'koreacentral' and API version '2024-06-01-preview' for "
        f"type 'locations/placementScores'. The supported api-versions are '{SUPPORTED}'. The supported locations are '"
    )
    status, code, message = error_of(caller.graph("spotresources | project location", version="2018-09-01"))
    assert (status, code) == (400, "UnsupportedApiVersion")
    assert "does not support the API version '2018-09-01'" in message


@pytest.mark.parametrize("leading", [False, True])
def test_an_unknown_routing_location_is_told_the_supported_ones(caller: Caller, leading: bool) -> None:
    caller.azure.options(leading_blank_location=leading)
    status, code, message = error_of(caller.scores(location="ERROR_LOCATION"))
    assert (status, code) == (400, "NoRegisteredProviderFound")
    listed = message.split("The supported locations are '")[1].removesuffix("'.").split(", ")
    assert (listed[0] == "") is leading
    assert set(filter(None, listed)) == set(caller.azure.world().regions)


def test_a_role_on_the_subscription_is_needed(caller: Caller) -> None:
    without, other = caller.azure.subscriptions[:2]
    caller.azure.options(no_role=[without])
    status, code, message = error_of(caller.scores())
    assert (status, code) == (403, "AuthorizationFailed")
    assert "perform action 'Microsoft.Compute/locations/placementScores/generate/action' over scope" in message
    assert caller.scores(subscription=other).status_code == 200
    # Resource Graph is content with one subscription that can be read.
    query = "spotresources | project location=tostring(location) | limit 1"
    assert caller.graph(query).status_code == 200
    caller.azure.options(no_role=list(caller.azure.subscriptions))
    assert error_of(caller.graph(query))[:2] == (403, "AuthorizationFailed")


def test_an_unknown_subscription(caller: Caller) -> None:
    assert error_of(caller.scores(subscription="nobody")) == (
        404,
        "SubscriptionNotFound",
        "The subscription 'nobody' could not be found.",
    )


def test_locations_number_their_zones_anew_for_each_subscription(caller: Caller) -> None:
    world = caller.azure.world()
    seen = set()
    for subscription in caller.azure.subscriptions:
        answer = caller.arm("GET", f"/subscriptions/{subscription}/locations", version="2022-12-01").json()
        listed = {one["name"]: one for one in answer["value"]}
        physical = {name for name, one in listed.items() if one["metadata"]["regionType"] == "Physical"}
        assert physical == {
            *world.regions,
            "centralusstage",
            "eastus2stage",
            "eastusslv",
            "eastus2euap",
            "centraluseuap",
        }
        korea = listed["koreacentral"]
        numbers = {one["logicalZone"]: one["physicalZone"] for one in korea["availabilityZoneMappings"]}
        assert numbers == world.zone_numbers(subscription, "koreacentral")
        assert set(numbers) == {"1", "2", "3"}
        assert set(numbers.values()) == {f"koreacentral-az{number}" for number in (1, 2, 3)}
        assert "availabilityZoneMappings" not in listed["koreasouth"]
        assert korea["metadata"]["regionType"] == "Physical"
        seen.add(tuple(sorted(numbers.items())))
    assert len(seen) > 1


def test_the_companion_of_placement_scores(caller: Caller) -> None:
    path = f"/subscriptions/{caller.subscription}/providers/Microsoft.Compute/locations/eastus/placementScores/spot"
    answer = caller.arm("GET", path, version="2025-06-05").json()
    assert (answer["name"], answer["type"]) == ("spotPlacementScores", "Microsoft.Compute/placementScores")
    assert answer["properties"] == {"supportedResourceTypes": ["Microsoft.Compute/virtualMachines"]}


def test_a_list_of_locations_has_more_than_regions(caller: Caller) -> None:
    path = f"/subscriptions/{caller.subscription}/locations"
    listed = {one["name"]: one for one in caller.arm("GET", path, version="2022-12-01").json()["value"]}
    assert listed["asia"]["metadata"]["regionType"] == "Logical"
    metadata = listed["eastus"]["metadata"]
    assert (metadata["geography"], metadata["geographyGroup"]) == ("United States", "US")
    assert listed["eastus"]["regionalDisplayName"] == "(US) East US"
    more = caller.arm("GET", f"{path}?includeExtendedLocations=true", version="2022-12-01").json()["value"]
    assert {one["type"] for one in more} == {"Region", "EdgeZone"}
    assert len(more) > len(listed)
    old = caller.arm("GET", path, version="2016-06-01").json()["value"]
    assert set(old[0]) == {"id", "name", "displayName"}
    caller.azure.options(unlisted_regions=["swedensouth"])
    names = {one["name"] for one in caller.arm("GET", path, version="2022-12-01").json()["value"]}
    assert names == listed.keys() - {"swedensouth"}


def test_subscriptions_sizes_and_quota(caller: Caller) -> None:
    all_of_them = caller.arm("GET", "/subscriptions", version="2022-12-01").json()["value"]
    assert [one["subscriptionId"] for one in all_of_them] == list(caller.azure.subscriptions)
    path = f"/subscriptions/{caller.subscription}"
    one = caller.arm("GET", path, version="2022-12-01").json()
    assert (one["subscriptionId"], one["state"], one["tenantId"]) == (
        *(caller.subscription, "Enabled"),
        caller.azure.tenant_id,
    )
    compute = f"{path}/providers/Microsoft.Compute"
    skus = caller.arm("GET", f"{compute}/skus?$filter=location eq 'koreacentral'", version="2021-07-01").json()["value"]
    machines = {sku["name"]: sku for sku in skus if sku["resourceType"] == "virtualMachines"}
    assert machines.keys() == {one for one in caller.azure.world().ondemand["koreacentral"] if machine_of(one)}
    assert len(machines) < len(skus)  # disks are in the list too
    told = {one["name"]: one["value"] for one in machines["Standard_NC4as_T4_v3"]["capabilities"]}
    assert (told["vCPUs"], told["vCPUsAvailable"], told["MemoryGB"], told["GPUs"]) == ("4", "4", "28", "1")
    spot = {
        name for name, sku in machines.items() if {"name": "LowPriorityCapable", "value": "True"} in sku["capabilities"]
    }
    assert spot == set(caller.azure.world().spot_sizes("koreacentral"))
    usages = caller.arm("GET", f"{compute}/locations/koreacentral/usages", version="2024-11-01").json()["value"]
    assert {one["name"]["value"] for one in usages} == {"lowPriorityCores", "cores"}


@pytest.mark.parametrize(
    "path", ["/SUBSCRIPTIONS/{}/Locations", "/subscriptions/{}/LOCATIONS", "/Subscriptions/{}/locations"]
)
def test_paths_in_any_casing(caller: Caller, path: str) -> None:
    assert caller.arm("GET", path.format(caller.subscription), version="2022-12-01").status_code == 200


@pytest.mark.parametrize("location", ["EastUS", "East US", "eastus"])
def test_locations_in_any_casing(caller: Caller, location: str) -> None:
    assert caller.scores(location=location).status_code == 200


def test_previews_in_between_answer_as_the_stable_version(caller: Caller) -> None:
    for version in ("2026-05-05-preview", "2026-09-05-preview"):
        (row, *_) = caller.scores(version=version).json()["placementScores"]
        assert "isQuotaAvailable" in row
    caller.azure.options(score_versions=["2026-10-05-preview"])
    status, code, message = error_of(caller.scores())
    assert (status, code) == (400, "NoRegisteredProviderFound")
    assert "supported api-versions are '2026-10-05-preview'" in message
