"""Answers of the Resource SKUs API: as captured, odd, hostile."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake.azure.http import HttpClient, RetryPolicy
from spotlake.azure.resource_skus import SkuListing, list_sizes
from spotlake.clock import Deadline
from spotlake.errors import AzureRefusedError, UntrustedAnswerError
from tests.support.azure import OneToken
from tests.support.scripted import Script, Scripted, answered, made, scripted_session
from tests.support.skus import ALL_ZONES, CAPTURED, DISK, restriction, sku

URL = "https://management.azure.com"
PATH = f"{URL}/subscriptions/sub-1/providers/Microsoft.Compute/skus"


def asked(*answers: Scripted) -> tuple[SkuListing, Script]:
    session, script = scripted_session(*answers)
    client = HttpClient("resource skus", session, RetryPolicy(attempts=1), Deadline.after(60.0), sleep=lambda _: None)
    listing = list_sizes(
        client,
        URL,
        tokens=OneToken(),
        subscription="sub-1",
        region="eastus2",
        source="live",
    )
    return listing, script


def listed(*rows: Any) -> SkuListing:
    return asked(answered({"value": list(rows)}))[0]


def test_the_captured_answer() -> None:
    listing = listed(DISK, *CAPTURED)
    assert listing.counts == {"other_types": 1}
    old, promo = listing.offers["standard_d1"], listing.offers["standard_d11_v2_promo"]
    assert (old.facts.vcpus, old.facts.memory_gib, old.facts.quota_family) == (1, 3.5, "standardDFamily")
    assert old.facts.retires_on == date(2028, 5, 1)
    assert (old.zones, old.restricted_zones, old.is_restricted) == (ALL_ZONES, ALL_ZONES, False)
    assert old.reason == "NotAvailableForSubscription"
    assert (promo.is_restricted, promo.facts.is_spot_capable) == (True, False)
    assert listing.offers["standard_d2ps_v6"].facts.architecture == "Arm64"
    assert listing.offers["standard_d2s_v7"].facts.retires_on is None
    gpu, plain = listing.offers["standard_nc4as_t4_v3"].facts, listing.offers["standard_d2s_v3"]
    assert (gpu.gpus, gpu.has_gpu, gpu.quota_family) == (1.0, True, "Standard NCASv3_T4 Family")
    assert (plain.facts.gpus, plain.facts.has_gpu, plain.is_restricted, plain.reason) == (0.0, False, False, "")
    assert {offer.facts.source for offer in listing.offers.values()} == {"live"}


def test_the_question() -> None:
    _, script = asked(answered({"value": CAPTURED}))
    ((request, _),) = script.sent
    address = urlsplit(str(request.url))
    assert f"{address.scheme}://{address.netloc}{address.path}" == PATH
    assert parse_qs(address.query) == {"api-version": ["2021-07-01"], "$filter": ["location eq 'eastus2'"]}
    assert request.headers["Authorization"] == "Bearer token"


def test_a_constrained_size() -> None:
    facts = listed(sku("Standard_E8-4ds_v5", vCPUs="8", vCPUsAvailable="4", MemoryGB="64")).offers["standard_e8-4ds_v5"]
    assert (facts.facts.vcpus, facts.facts.full_vcpus) == (4, 8)


def test_a_gpu_that_the_api_does_not_count_is_unknown_not_zero() -> None:
    facts = listed(sku("Standard_NG16ads_V620_v1", vCPUs="16", vCPUsAvailable="16")).offers["standard_ng16ads_v620_v1"]
    assert (facts.facts.gpus, facts.facts.has_gpu) == (None, True)


def test_regions_in_any_spelling() -> None:
    row = sku(region="East US 2", restrictions=(restriction("Zone", "2", region="EastUS2"),))
    offer = listed(row).offers["standard_d2s_v3"]
    assert (offer.zones, offer.restricted_zones) == (ALL_ZONES, ("2",))


@pytest.mark.parametrize(
    "row",
    [
        "text",
        sku(drop=("vCPUs", "vCPUsAvailable")),
        sku(drop=("MemoryGB",)),
        sku(vCPUs="many"),
        sku(vCPUs="0"),
        sku(vCPUs="-2"),
        sku(vCPUs="2.5"),
        sku(vCPUsAvailable="4"),
        sku(MemoryGB="NaN"),
        sku(MemoryGB="1" * 400),
        sku("Standard_D2s_v3\x1b[31m"),
        sku("=cmd()"),
        sku() | {"capabilities": None},
        sku() | {"name": None},
    ],
)
def test_a_row_that_cannot_be_read_costs_itself_alone(row: Any) -> None:
    listing = listed(row, sku("Standard_D2s_v5"))
    assert (set(listing.offers), listing.counts) == ({"standard_d2s_v5"}, {"unreadable_rows": 1})
    (odd,) = listing.odd
    assert odd.isprintable()
    assert len(odd) <= 80


def test_at_most_twenty_are_named_and_all_are_counted() -> None:
    listing = listed(sku(), *(sku(f"Standard_X{number}", drop=("vCPUs",)) for number in range(300)))
    assert (listing.counts["unreadable_rows"], len(listing.odd)) == (300, 20)


def test_a_name_that_says_another_number_is_kept_as_told_and_named() -> None:
    listing = listed(sku("Standard_D4s_v9", vCPUs="2"))
    assert listing.offers["standard_d4s_v9"].facts.vcpus == 2
    assert (listing.counts, listing.odd) == ({"name_disagreements": 1}, ["Standard_D4s_v9"])


def test_other_regions_and_doubled_sizes() -> None:
    listing = listed(sku(), sku(MemoryGB="9"), sku("Standard_D4s_v3", region="westus"))
    assert listing.counts == {"doubled_sizes": 1, "other_regions": 1}
    assert listing.offers["standard_d2s_v3"].facts.memory_gib == 8


def test_a_restriction_of_another_region_counts_nothing() -> None:
    offer = listed(sku(restrictions=(restriction("Location", region="westus"),))).offers["standard_d2s_v3"]
    assert not offer.is_restricted


def test_pages() -> None:
    first = {"value": [sku()], "nextLink": f"{PATH}?api-version=2021-07-01&$skiptoken=x"}
    listing, script = asked(answered(first), answered({"value": [sku("Standard_D4s_v3", vCPUs="4")], "nextLink": None}))
    assert set(listing.offers) == {"standard_d2s_v3", "standard_d4s_v3"}
    assert "skiptoken=x" in str(script.sent[1][0].url)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"value": []}, "no size at all"),
        ({"value": [DISK]}, "no size at all"),
        ({}, "no list of sizes"),
        ({"value": {"a": 1}}, "no list of sizes"),
        ({"value": [sku()], "nextLink": "https://evil.example/skus?a=b"}, "leads to another place"),
        ({"value": [sku()], "nextLink": f"{URL}/subscriptions/other?a=b"}, "leads to another place"),
        ({"value": [sku()], "nextLink": f"{PATH}?a=b"}, "circles"),
    ],
)
def test_answers_that_are_not_believed(answer: Any, said: str) -> None:
    with pytest.raises(UntrustedAnswerError, match=said):
        asked(answered(answer))


def test_without_the_role() -> None:
    with pytest.raises(AzureRefusedError) as caught:
        asked(made(403, b'{"error":{"code":"AuthorizationFailed","message":"no"}}'))
    assert caught.value.status == 403


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(sorted(sku())), JSON)
def test_any_field_may_hold_anything(name: str, value: Any) -> None:
    listing = listed(sku("Standard_D2s_v5"), sku() | {name: value})
    assert "standard_d2s_v5" in listing.offers
    for offer in listing.offers.values():
        assert offer.facts.vcpus == offer.facts.full_vcpus == 2
        assert set(offer.zones) | set(offer.restricted_zones) <= set("0123456789")
