"""How long the subscriptions' lists of locations count, and whose zone numbers they give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from spotlake.planning.score_knowledge import ScoreKnowledge
from spotlake.scores.geography import Locations
from spotlake.scores.zones import PlacedZone, ZoneMap, subscription_digest

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
A, B, C = map(subscription_digest, "abc")
# The building k-az1 is zone 3 to a, zone 1 to b.
ZONES = {A: {"koreacentral": {"3": "k-az1"}}, B: {"koreacentral": {"1": "k-az1"}}}


@pytest.mark.parametrize(
    ("hours", "subscriptions", "is_fresh"),
    [
        (0, "ab", True),
        (23.99, "ab", True),
        (24, "ab", False),
        (30, "ab", False),
        (-23.99, "ab", True),  # a local run collects slots out of order
        (-24, "ab", False),
        (0, "a", True),
        (0, "", True),
        (0, "abc", True),  # the third was asked, and did not answer
        (0, "abcd", False),
        (0, "d", False),
        (24, "d", False),
    ],
)
def test_a_list_is_fresh_for_a_day_and_for_those_that_were_asked(
    hours: float, subscriptions: str, is_fresh: bool
) -> None:
    locations = Locations(fetched_at=AT, routing=("eastus",), zones=ZONES, failed={C: "AuthorizationFailed"})
    assert locations.is_fresh(AT + timedelta(hours=hours), list(subscriptions)) is is_fresh


@pytest.mark.parametrize(
    ("reference", "subscriptions", "number"),
    [("", "ab", "3"), (A, "ba", "3"), ("", "ba", "1"), (B, "ab", "1")],
)
def test_zones_have_the_numbers_of_the_reference(reference: str, subscriptions: str, number: str) -> None:
    locations = Locations(fetched_at=AT, routing=(), zones=ZONES, reference=reference)
    knowledge = ScoreKnowledge(zones=ZONES, reference=reference)
    for zones in (locations.zone_map(list(subscriptions)), knowledge.zone_map(list(subscriptions))):
        assert zones.place(B, "koreacentral", "1") == PlacedZone(number, "1", "k-az1")
        assert zones.place(A, "koreacentral", "3") == PlacedZone(number, "3", "k-az1")


def test_a_subscription_is_known_by_its_zones_or_as_the_reference() -> None:
    zones = ZoneMap({A: {}}, reference=B)
    assert [zones.knows(one) for one in (A, B, C)] == [True, True, False]
    assert zones.place(B, "koreacentral", "2") == PlacedZone("2", "2", None)
    assert zones.place(C, "koreacentral", "2") == PlacedZone(None, "2", None)
    assert zones.place(C, "koreacentral", None) == PlacedZone("Single", None, None)


def test_two_buildings_without_a_name_are_not_one() -> None:
    zones = ZoneMap({A: {"r": {"1": ""}}, B: {"r": {"2": ""}}}, reference=A)
    assert zones.place(B, "r", "2") == PlacedZone(None, "2", "")


def test_a_digest_is_the_beginning_of_the_sha_256() -> None:
    assert subscription_digest("abc") == "ba7816bf"  # the example of FIPS 180
