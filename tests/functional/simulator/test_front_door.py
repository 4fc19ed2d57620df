"""What ARM checks before any API: method, path, version, token, role, subscription; and the locations list."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.simulator.conftest import Caller, error_of

SUPPORTED = "2025-06-05, 2026-10-05-preview"


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
        assert set(listed) == set(world.regions)
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
