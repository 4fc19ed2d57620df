from __future__ import annotations

import pytest

from spotlake.scores.zones import PlacedZone, ZoneMap, subscription_digest

REFERENCE, OTHER = subscription_digest("a"), subscription_digest("b")
ZONES = ZoneMap(
    {
        REFERENCE: {"koreacentral": {"1": "k-az1", "2": "k-az2", "3": "k-az3"}},
        OTHER: {"koreacentral": {"1": "k-az3", "2": "k-az1", "3": "k-az4"}, "eastus": {"1": "e-az1"}},
    },
    reference=REFERENCE,
)


@pytest.mark.parametrize(
    ("subscription", "region", "logical", "placed"),
    [
        (REFERENCE, "koreacentral", "2", PlacedZone("2", "2", "k-az2")),
        (OTHER, "koreacentral", "1", PlacedZone("3", "1", "k-az3")),
        (OTHER, "koreacentral", "2", PlacedZone("1", "2", "k-az1")),
        (OTHER, "koreacentral", "3", PlacedZone(None, "3", "k-az4")),  # the reference has no such building
        (OTHER, "eastus", "1", PlacedZone(None, "1", "e-az1")),  # the reference knows no zones there
        ("unknown", "koreacentral", "1", PlacedZone(None, "1", None)),
        (REFERENCE, "eastus", "1", PlacedZone("1", "1", None)),  # its own number needs no map
        (OTHER, "koreacentral", None, PlacedZone("Single", None, None)),
        (REFERENCE, "koreacentral", "4", PlacedZone(None, "4", None)),  # no table has a fourth zone
    ],
)
def test_place(subscription: str, region: str, logical: str | None, placed: PlacedZone) -> None:
    assert ZONES.place(subscription, region, logical) == placed


@pytest.mark.parametrize(("chosen", "number"), [("", "3"), (OTHER, "1")])
def test_the_first_subscription_is_the_reference_until_one_is_chosen(chosen: str, number: str) -> None:
    numbers = {REFERENCE: {"koreacentral": {"3": "k-az3"}}, OTHER: {"koreacentral": {"1": "k-az3"}}}
    zones = ZoneMap.of(numbers, chosen, ("a", "b"))
    assert zones.place(OTHER, "koreacentral", "1") == PlacedZone(number, "1", "k-az3")
