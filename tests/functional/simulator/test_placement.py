"""Placement scores: limits, refusals word for word, quota, odd rows, the next API's shape."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from spotlake_local.azure.world import World
from tests.functional.simulator.conftest import NOW_AT, Caller, error_of

QUOTA = "You have reached the maximum number of requests allowed. Please try again after 3600 seconds."
REGIONS = tuple("koreacentral eastus westus3 japaneast swedencentral koreasouth uksouth northeurope eastus2".split())
SIZES = tuple(f"Standard_{name}" for name in ("D2s_v5", "E4s_v5", "F8s_v2", "D4s_v3", "E8s_v3", "D8s_v3"))


def skus(*sizes: str) -> list[dict[str, str]]:
    return [{"sku": size} for size in sizes]


def test_an_answer_repeats_the_question_and_has_a_row_a_zone(caller: Caller) -> None:
    answer = caller.scores(desiredCount=10).json()
    rows = answer.pop("placementScores")
    assert answer == {
        "desiredLocations": ["koreacentral"],
        "desiredSizes": [{"sku": "Standard_D2s_v3"}],
        "desiredCount": 10,
        "availabilityZones": True,
    }
    assert [set(row) for row in rows] == [{"sku", "region", "availabilityZone", "score", "isQuotaAvailable"}] * 3
    assert [row["availabilityZone"] for row in rows] == ["1", "2", "3"]
    assert {row["score"] for row in rows} <= {"High", "Medium", "Low", "DataNotFoundOrStale"}
    assert all(isinstance(row["isQuotaAvailable"], bool) for row in rows)


def test_a_regional_question_has_one_row_without_a_zone(caller: Caller) -> None:
    (row,) = caller.scores(availabilityZones=False).json()["placementScores"]
    assert "availabilityZone" not in row


def test_a_region_without_zones_has_none_even_when_asked(caller: Caller) -> None:
    (row,) = caller.scores(desiredLocations=["koreasouth"]).json()["placementScores"]
    assert "availabilityZone" not in row


def test_eight_regions_and_five_sizes_are_the_most(caller: Caller) -> None:
    most = caller.scores(desiredLocations=REGIONS[:8], desiredSizes=skus(*SIZES[:5]))
    pairs = {(row["region"], row["sku"]) for row in most.json()["placementScores"]}
    assert (most.status_code, len(pairs)) == (200, 40)
    for refused in (caller.scores(desiredLocations=REGIONS), caller.scores(desiredSizes=skus(*SIZES))):
        assert error_of(refused)[:2] == (400, "InvalidParameter")


@pytest.mark.parametrize(
    "fields",
    [
        {"desiredCount": 0},
        {"desiredCount": -1},
        {"desiredCount": 1001},
        {"desiredCount": "many"},
        {"desiredCount": True},
        {"desiredLocations": "koreacentral"},
        {"desiredSizes": "Standard_D2s_v3"},
        {"desiredSizes": ["Standard_D2s_v3"]},
        {"body": []},
    ],
    ids=["zero", "negative", "too_many", "words", "bool", "scalar_region", "scalar_size", "bare_size", "a_list"],
)
def test_a_body_of_other_types_is_refused(caller: Caller, fields: dict[str, Any]) -> None:
    assert error_of(caller.scores(**fields))[:2] == (400, "InvalidParameter")


def test_numbers_and_booleans_in_quotes_are_taken(caller: Caller) -> None:
    answer = caller.scores(desiredCount="5", availabilityZones="true").json()
    assert (answer["desiredCount"], answer["availabilityZones"], len(answer["placementScores"])) == (5, True, 3)


def test_the_first_bad_region_is_named_then_the_first_bad_size(caller: Caller) -> None:
    both: dict[str, Any] = {
        "desiredLocations": ["koreacentral", "korea", "mars"],
        "desiredSizes": skus("Standard_X", "Standard_Y"),
    }
    status, code, message = error_of(caller.scores(**both))
    assert (status, code) == (400, "InvalidParameter")
    assert message == "The value 'korea' provided for the input parameter 'desiredLocations' is not valid."
    message = error_of(caller.scores(**{**both, "desiredLocations": ["koreacentral"]}))[2]
    parameter = "SpotPlacementRecommenderInput.desiredSizes"
    assert message == f"The value 'Standard_X' provided for the input parameter '{parameter}' is not valid."


def test_names_are_made_invalid_for_tests(caller: Caller) -> None:
    caller.azure.options(invalid_regions=["koreacentral"])
    assert "'koreacentral'" in error_of(caller.scores())[2]
    caller.azure.options(invalid_regions=[], invalid_sizes=["Standard_D2s_v3"])
    assert "'Standard_D2s_v3'" in error_of(caller.scores())[2]


@pytest.mark.parametrize("retry_after", [False, True])
def test_the_eleventh_call_of_a_pair_in_an_hour_is_refused_in_plain_text(caller: Caller, retry_after: bool) -> None:
    caller.azure.options(quota_retry_after=retry_after)
    assert {caller.scores().status_code for _ in range(10)} == {200}
    refused = caller.scores()
    assert (refused.status_code, refused.text) == (429, QUOTA)
    assert refused.headers["Content-Type"].startswith("text/plain")
    assert refused.headers.get("Retry-After") == ("3600" if retry_after else None)
    # Another location, and another subscription, have a quota of their own.
    assert caller.scores(location="eastus").status_code == 200
    assert caller.scores(subscription=caller.azure.subscriptions[1]).status_code == 200
    assert caller.azure.stats()["quota_used"][f"{caller.subscription} koreacentral"] == 10


def test_the_hour_slides(caller: Caller) -> None:
    for minutes in (0, 30):
        caller.azure.set_clock(NOW_AT + timedelta(minutes=minutes))
        assert {caller.scores().status_code for _ in range(5)} == {200}
    caller.token = ""
    caller.azure.set_clock(NOW_AT + timedelta(minutes=61))
    statuses = [caller.scores().status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]  # the first five are over, the others are not


def test_size_and_scope_of_the_quota_are_turned_for_the_rival_claims(caller: Caller) -> None:
    caller.azure.options(quota_calls=4, quota_per_location=False)
    locations = ("koreacentral", "eastus", "westus3", "japaneast", "uksouth")
    assert [caller.scores(location=location).status_code for location in locations] == [200] * 4 + [429]


def test_whether_refused_questions_count_is_turned_too(caller: Caller) -> None:
    caller.azure.options(quota_calls=1)
    assert [caller.scores(desiredLocations=["mars"]).status_code for _ in range(2)] == [400, 429]
    caller.azure.options(quota_counts_invalid=False)
    statuses = [caller.scores(location="eastus", desiredLocations=[name]).status_code for name in ("mars", "uksouth")]
    assert statuses == [400, 200]


def found(world: World, **wanted: bool) -> tuple[str, str]:
    """A (region, size) of a zonal region that is odd in one way."""
    for region in ("eastus", "westeurope", "eastus2", "northeurope"):
        for size in world.spot_sizes(region):
            odd = {
                "regional": world.is_regional_only(region, size),
                "zone_missing": any(world.is_zone_missing(region, size, zone) for zone in world.physical_zones(region)),
                "stale": any(world.is_stale(region, size, zone, NOW_AT) for zone in world.physical_zones(region)),
                "restricted": world.is_restricted("00000000-0000-4000-8000-000000000001", region, size),
                "restricted_elsewhere": world.is_restricted("00000000-0000-4000-8000-000000000002", region, size),
            }
            if odd == {**dict.fromkeys(odd, False), **wanted}:
                return region, size
    raise AssertionError(wanted)


def rows_of(caller: Caller, pair: tuple[str, str], **more: Any) -> list[dict[str, Any]]:
    answer = caller.scores(desiredLocations=[pair[0]], desiredSizes=skus(pair[1]), **more)
    rows: list[dict[str, Any]] = answer.json()["placementScores"]
    return rows


def test_odd_rows_come_with_status_200(caller: Caller) -> None:
    world = caller.azure.world()
    (regional,) = rows_of(caller, found(world, regional=True))
    assert "availabilityZone" not in regional
    assert len(rows_of(caller, found(world, zone_missing=True))) == 2
    stale = [row["score"] for row in rows_of(caller, found(world, stale=True))]
    assert stale.count("DataNotFoundOrStale") == 1
    elsewhere = next(size for size in world.spot_sizes("eastus") if size not in world.ondemand["austriaeast"])
    (nowhere,) = rows_of(caller, ("austriaeast", elsewhere))
    assert nowhere["score"] == "DataNotFoundOrStale"


def test_a_size_may_be_restricted_for_one_subscription_only(caller: Caller) -> None:
    pair = found(caller.azure.world(), restricted=True)
    (row,) = rows_of(caller, pair)
    assert (row["score"], "availabilityZone" in row) == ("RestrictedSkuNotAvailable", False)
    other = rows_of(caller, pair, subscription=caller.azure.subscriptions[1])
    assert "RestrictedSkuNotAvailable" not in {row["score"] for row in other}


def test_zones_are_numbered_as_the_subscription_does(caller: Caller) -> None:
    """The same physical zone has the same score, under whatever number."""
    world = caller.azure.world()
    scores = set()
    for subscription in caller.azure.subscriptions[:4]:
        numbers = world.zone_numbers(subscription, "koreacentral")
        rows = rows_of(caller, ("koreacentral", "Standard_D2s_v3"), subscription=subscription, desiredCount=20)
        scores.add(tuple(sorted((numbers[row["availabilityZone"]], row["score"]) for row in rows)))
    assert len(scores) == 1


def test_sizes_are_known_in_any_casing_and_echoed_as_sent(caller: Caller) -> None:
    rows = rows_of(caller, ("koreacentral", "standard_d2S_v3"))
    assert {row["sku"] for row in rows} == {"standard_d2S_v3"}
    assert {row["score"] for row in rows} == {
        row["score"] for row in rows_of(caller, ("koreacentral", "Standard_D2s_v3"))
    }


def test_the_next_api_s_shape(caller: Caller) -> None:
    preview = "2026-10-05-preview"
    rows = rows_of(caller, ("koreacentral", "Standard_D2s_v3"), version=preview, desiredCount=1000)
    assert [set(row) for row in rows] == [{"sku", "region", "availabilityZone", "score", "placementPreference"}] * 3
    assert {row["score"] for row in rows} <= {"High", "Medium", "Low", "InsufficientQuota", "DataNotFoundOrStale"}
    assert all(0 <= row["placementPreference"] <= 10 for row in rows)
    # Locations default to the one in the address; sizes are required.
    answer = caller.scores(version=preview, body={"desiredSizes": skus("Standard_D2s_v3")}).json()
    assert (answer["desiredLocations"], answer["desiredCount"]) == (["koreacentral"], 1)
    assert caller.scores(version=preview, body={"desiredLocations": ["eastus"]}).status_code == 400


def test_a_question_asked_twice_in_a_slot_is_told_of(caller: Caller) -> None:
    for count in (1, 1, 5):
        caller.scores(desiredCount=count)
    (times,) = caller.azure.stats()["repeated_calls"].values()
    assert times == 2
