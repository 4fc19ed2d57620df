"""Lists of locations: the documented question, entries that say nothing, and subscriptions that do not answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
import requests

from spotlake.azure import locations
from spotlake.azure.http import HttpClient, RetryPolicy
from spotlake.azure.locations import fetch_locations
from spotlake.errors import AzureRefusedError, SignInError, UntrustedAnswerError
from spotlake.scores.geography import Locations
from spotlake.sizes.geography import Geography
from tests.support.azure import OneToken
from tests.support.errors import says
from tests.support.scripted import Script, answered, made, scripted_session, wired

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
A, B, C = (sha256(name.encode()).hexdigest()[:8] for name in ("sub-a", "sub-b", "sub-c"))
MAPPINGS = [{"logicalZone": "1", "physicalZone": "eastus-az2"}, {"logicalZone": "2", "physicalZone": "eastus-az1"}]


def entry(name: str = "eastus", **changes: Any) -> dict[str, Any]:
    """As Azure REST, "Subscriptions - List Locations" (2022-12-01), shows one."""
    metadata = {"regionType": "Physical", "geography": "United States", "geographyGroup": "US"}
    return {"name": name, "type": "Region", "metadata": metadata, "availabilityZoneMappings": MAPPINGS, **changes}


def refused(words: str = "no role") -> Any:
    return made(403, f'{{"error": {{"code": "No", "message": "{words}"}}}}'.encode())


class Arm(Script):
    """One answer for each subscription, whichever thread asks first."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__([])
        self.by_name = answers

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.sent.append((request, None))
        return wired(self.by_name[str(request.url).split("/")[4]])


def fetched(*answers: Any, subscriptions: tuple[str, ...] = ("sub-a",), previous: Locations | None = None) -> Locations:
    """Each answer is of one subscription, in their order."""
    session, arm = requests.Session(), Arm(dict(zip(subscriptions, answers, strict=True)))
    session.mount("https://", arm)
    client = HttpClient("locations", session, RetryPolicy(attempts=1))
    found = fetch_locations(
        client, "https://arm.example", tokens=OneToken(), subscriptions=subscriptions, now_at=NOW_AT, previous=previous
    )
    assert sorted((str(one.method), str(one.url), one.headers["Authorization"]) for one, _ in arm.sent) == [
        ("GET", f"https://arm.example/subscriptions/{name}/locations?api-version=2022-12-01", "Bearer token")
        for name in subscriptions
    ]
    return found


def listed(*entries: Any) -> Any:
    return answered({"value": list(entries)})


def test_one_subscription_in_full() -> None:
    assert fetched(listed(entry("East US"), entry("westus", availabilityZoneMappings=None))) == Locations(
        fetched_at=NOW_AT,
        routing=("eastus", "westus"),
        zones={A: {"eastus": {"1": "eastus-az2", "2": "eastus-az1"}}},
        reference=A,
        failed={},
        geographies={"eastus": Geography("United States", "US"), "westus": Geography("United States", "US")},
    )


@pytest.mark.parametrize(
    "odd",
    [
        entry("westus", type="EdgeZone"),
        entry("westus", type=None),
        entry("westus", metadata={"regionType": "Logical"}),
        entry("westus", metadata={}),
        entry("westus", metadata="Physical"),
        entry("usgovvirginia"),
        entry("eastus2stage"),
        {"name": 7},
        {"type": "Region"},
        "westus",
        None,
    ],
)
def test_what_is_no_physical_public_region_routes_nothing(odd: Any) -> None:
    assert fetched(listed(odd, entry())).routing == ("eastus",)


@pytest.mark.parametrize("like", [{"type": "REGION"}, {"metadata": {"regionType": "PHYSICAL"}}])
def test_words_count_in_any_casing_and_an_entry_without_a_type_is_a_region(like: dict[str, Any]) -> None:
    assert fetched(listed(entry(**like))).routing == ("eastus",)
    without = {name: value for name, value in entry().items() if name != "type"}
    assert fetched(listed(without)).routing == ("eastus",)


@pytest.mark.parametrize(
    ("mappings", "zones"),
    [
        ([{"logicalZone": "3", "physicalZone": " EastUS-AZ1 "}], {"3": "eastus-az1"}),
        ([{"logicalZone": 2, "physicalZone": "a_b"}], {"2": "a_b"}),
        ([{"logicalZone": "1", "physicalZone": "a" * 80}], {"1": "a" * 80}),
        ([{"logicalZone": "1", "physicalZone": "a" * 81}], None),
        ([{"logicalZone": "4", "physicalZone": "a"}], None),
        ([{"logicalZone": "1"}], None),
        ([{"physicalZone": "a"}], None),
        ([{"logicalZone": "1", "physicalZone": "a b"}], None),
        (["1", {"logicalZone": "1", "physicalZone": "a"}], {"1": "a"}),
        ({"logicalZone": "1", "physicalZone": "a"}, None),
        ([], None),
    ],
)
def test_a_mapping_counts_if_it_names_both_zones(mappings: Any, zones: dict[str, str] | None) -> None:
    found = fetched(listed(entry(availabilityZoneMappings=mappings))).zones
    assert found == {A: {"eastus": zones} if zones else {}}


@pytest.mark.parametrize(
    ("metadata", "geography"),
    [
        ({"geography": " Korea ", "geographyGroup": "Asia Pacific"}, Geography("Korea", "Asia Pacific")),
        ({"geography": "K" * 61, "geographyGroup": "G" * 60}, Geography("K" * 60, "G" * 60)),
        ({"geography": "Korea"}, None),
        ({"geography": "Korea", "geographyGroup": " "}, None),
        ({"geography": 7, "geographyGroup": "Asia Pacific"}, None),
        ("Korea", None),
    ],
)
def test_a_geography_has_two_texts(metadata: Any, geography: Geography | None) -> None:
    found = fetched(listed(entry("koreacentral", metadata=metadata), entry("usgovvirginia"), entry()))
    expected = {"koreacentral": geography} if geography else {}
    assert found.geographies == {**expected, "eastus": Geography("United States", "US")}


@pytest.mark.parametrize("body", [{}, {"value": []}, {"value": {"a": 1}}])
def test_an_answer_without_locations_is_not_believed(body: Any) -> None:
    with says(UntrustedAnswerError, "locations: the answer lists no location") as raised:
        fetched(answered(body))
    error: Any = raised.value
    assert error.status == 200


def before(**changes: Any) -> Locations:
    old: dict[str, Any] = {
        "fetched_at": datetime(2026, 1, 1, tzinfo=UTC),
        "routing": ("westus",),
        "zones": {A: {"old": {"1": "x"}}, B: {"eastus": {"1": "y"}}, C: {"eastus": {"1": "z"}}},
        "reference": B,
        "geographies": {"old": Geography("Old", "World"), "eastus": Geography("Was", "Else")},
        **changes,
    }
    return Locations(**old)


def test_what_an_answer_leaves_out_is_kept_and_who_is_asked_no_more_is_dropped() -> None:
    found = fetched(listed(entry()), refused(), subscriptions=("sub-a", "sub-b"), previous=before())
    # Zones keep the numbers of the reference that was chosen once, here sub-b.
    assert (found.reference, found.routing, found.fetched_at) == (B, ("eastus",), NOW_AT)
    mine = {"old": {"1": "x"}, "eastus": {"1": "eastus-az2", "2": "eastus-az1"}}
    assert found.zones == {A: mine, B: {"eastus": {"1": "y"}}}
    assert found.failed == {B: "locations: HTTP 403 No: no role"}
    assert found.geographies == {"old": Geography("Old", "World"), "eastus": Geography("United States", "US")}
    assert fetched(listed(entry()), previous=before()).zones.keys() == {A, B}  # the reference is kept, asked or not
    assert fetched(listed(entry()), previous=before(reference="")).reference == A


def test_a_reference_that_does_not_answer_leaves_the_routing_as_it_was() -> None:
    answers = (refused("first"), listed(entry()))
    found = fetched(*answers, subscriptions=("sub-a", "sub-b"), previous=before())
    assert (found.routing, found.failed) == (("westus",), {A: "locations: HTTP 403 No: first"})
    with says(AzureRefusedError, "locations: HTTP 403 No: first"):
        fetched(*answers, subscriptions=("sub-a", "sub-b"))
    with says(AzureRefusedError, "locations: HTTP 403 No: first"):
        fetched(refused("first"), refused("second"), subscriptions=("sub-a", "sub-b"), previous=before())


def test_nobody_is_asked_without_a_sign_in() -> None:
    class NoToken(OneToken):
        def headers(self) -> dict[str, str]:
            raise SignInError("AADSTS7000222")

    session, script = scripted_session(listed(entry()))
    with says(SignInError, "AADSTS7000222"):
        fetch_locations(
            HttpClient("locations", session), "https://x", tokens=NoToken(), subscriptions=("a",), now_at=NOW_AT
        )
    assert script.sent == []


def test_eight_subscriptions_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made_with: list[dict[str, Any]] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, **options: Any) -> None:
            made_with.append(options)
            super().__init__(**options)

    monkeypatch.setattr(locations, "ThreadPoolExecutor", Pool)
    fetched(listed(entry()))
    assert made_with == [{"max_workers": 8}]
