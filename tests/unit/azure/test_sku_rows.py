"""Rows of the Resource SKUs API, field by field, in the form of the captured answer."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from spotlake.azure.http import HttpClient, RetryPolicy
from spotlake.azure.resource_skus import SkuListing, list_sizes
from spotlake.clock import Deadline
from spotlake.errors import UntrustedAnswerError
from spotlake.sizes.facts import Offer, SizeFacts
from tests.support.azure import OneToken
from tests.support.errors import says
from tests.support.scripted import answered, scripted_session
from tests.support.skus import DISK, restriction, sku

URL = "https://arm.example"
PATH = f"{URL}/subscriptions/sub-1/providers/Microsoft.Compute/skus"


def listing(*pages: Any) -> SkuListing:
    session, script = scripted_session(*(answered(one) for one in pages))
    client = HttpClient("resource skus", session, RetryPolicy(attempts=1), Deadline.after(60.0))
    found = list_sizes(client, URL, tokens=OneToken(), subscription="sub-1", region="eastus2", source="simulated")
    assert {request.method for request, _ in script.sent} == {"GET"}
    return found


def offer(row: Any) -> Offer:
    """The only offer of a page with this row and one that cannot be read."""
    ((_, found),) = listing({"value": [row, sku("odd")]}).offers.items()
    return found


def facts(*args: Any, **changes: Any) -> SizeFacts:
    return offer(sku(*args, **changes)).facts


def test_a_row_in_full() -> None:
    row = sku("Standard_E8-4ds_v5", vCPUs="8", vCPUsAvailable="4", MemoryGB=" 64.5 ", family=" A Family ",
              RetirementDateUtc="05/01/2028", restrictions=(restriction("Zone", "3", "1"),))  # fmt: skip
    assert listing({"value": [row]}) == SkuListing(
        offers={
            "standard_e8-4ds_v5": Offer(
                facts=SizeFacts(
                    instance_type="Standard_E8-4ds_v5", series="Edsv5", vcpus=4, full_vcpus=8, memory_gib=64.5,
                    gpus=0.0, has_gpu=False, architecture="x64", quota_family="A Family", is_spot_capable=True,
                    retires_on=date(2028, 5, 1), source="simulated",
                ),
                zones=("1", "2", "3"), restricted_zones=("1", "3"), is_restricted=False,
                reason="NotAvailableForSubscription",
            )
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"LowPriorityCapable": "false"}, "is_spot_capable", False),
        ({"LowPriorityCapable": "TRUE"}, "is_spot_capable", True),
        ({"LowPriorityCapable": "maybe"}, "is_spot_capable", None),
        ({"drop": ("LowPriorityCapable",)}, "is_spot_capable", None),
        ({"CpuArchitectureType": "ARM64"}, "architecture", "Arm64"),
        ({"CpuArchitectureType": "riscv"}, "architecture", None),
        ({"drop": ("CpuArchitectureType",)}, "architecture", None),
        ({"family": "x" * 81}, "quota_family", None),
        ({"family": "=cmd|x"}, "quota_family", None),
        ({"family": ""}, "quota_family", None),
        ({"drop": ("vCPUsAvailable",), "vCPUs": "2"}, "vcpus", 2),
        ({"GPUs": "0.5"}, "gpus", 0.5),
        ({"GPUs": "0.5"}, "has_gpu", True),
        ({"GPUs": "many"}, "gpus", 0.0),
        ({"MemoryGB": "999999.999999"}, "memory_gib", 999999.999999),
        ({"RetirementDateUtc": "31/12/2028"}, "retires_on", None),
        ({"RetirementDateUtc": "12/31/9998"}, "retires_on", date(9998, 12, 31)),
        ({"RetirementDateUtc": "12/31/9999"}, "retires_on", None),
        ({"RetirementDateUtc": ""}, "retires_on", None),
    ],
)
def test_what_a_row_does_not_say_is_unknown(changes: dict[str, Any], name: str, value: object) -> None:
    assert getattr(facts(**changes), name) == value


def test_a_family_that_is_no_text_and_capabilities_that_are_no_pairs_are_unknown() -> None:
    row = sku()
    more = [*row["capabilities"], {"name": "GPUs", "value": 7}, {"name": 7, "value": "GPUs"}, "GPUs", {"name": "GPUs"}]
    found = offer(row | {"family": None, "capabilities": more}).facts
    assert (found.quota_family, found.gpus, found.vcpus) == (None, 0.0, 2)


@pytest.mark.parametrize("value", [None, "text", {"location": "eastus2"}])
def test_lists_that_are_none_say_nothing(value: object) -> None:
    found = offer(sku() | {"locationInfo": value, "restrictions": value})
    assert (found.zones, found.restricted_zones, found.is_restricted, found.reason) == ((), (), False, "")


def test_a_gpu_of_the_name_alone_is_not_counted() -> None:
    gpu = facts("Standard_NC4as_T4_v3", vCPUs="4", vCPUsAvailable="4")
    assert (gpu.gpus, gpu.has_gpu) == (None, True)
    odd = facts("Standard_Q0x", vCPUs="4", vCPUsAvailable="4")  # a name that says nothing
    assert (odd.series, odd.gpus, odd.has_gpu) == (None, 0.0, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"vCPUs": "2", "vCPUsAvailable": "3"},
        {"vCPUs": "2", "vCPUsAvailable": "0"},
        {"vCPUs": "2", "vCPUsAvailable": "1.5"},
        {"vCPUs": "2.5", "vCPUsAvailable": "2"},
        {"vCPUs": "0", "vCPUsAvailable": "0"},
        {"vCPUsAvailable": "some"},
        {"MemoryGB": "0"},
        {"MemoryGB": "1234567"},
        {"MemoryGB": "1e3"},
        {"name": "Premium_D2"},
        {"name": "Standard_" + "a" * 6 + "2"},
    ],
)
def test_a_row_without_vcpus_memory_or_a_proper_name_is_left_out(changes: dict[str, Any]) -> None:
    found = listing({"value": [sku("Standard_D9s_v5", vCPUs="9", vCPUsAvailable="9"), sku(**changes)]})
    assert (set(found.offers), found.counts["unreadable_rows"]) == ({"standard_d9s_v5"}, 1)


def test_rows_that_are_left_out_are_counted_and_named_where_the_name_is_one() -> None:
    rows = [
        sku("Standard_D4s_v9", vCPUs="2"), "text", 7, sku("evil\x1b"), sku("x" * 81), DISK, sku(), sku(),
        sku("Standard_D4s_v3", region="westus"), sku("Standard_D8s_v3") | {"locations": [7, "East US 2"]},
    ]  # fmt: skip
    found = listing({"value": rows})
    assert found.counts == {
        "name_disagreements": 2, "unreadable_rows": 4, "other_types": 1, "doubled_sizes": 1, "other_regions": 1
    }  # fmt: skip
    none = "a name that is none"
    assert found.odd == ["Standard_D4s_v9", "str", "int", none, none, "Standard_D8s_v3"]
    assert set(found.offers) == {"standard_d4s_v9", "standard_d2s_v3", "standard_d8s_v3"}


def placed(*infos: Any, restrictions: Any = ()) -> tuple[Any, ...]:
    found = offer(sku() | {"locationInfo": list(infos), "restrictions": list(restrictions)})
    return found.zones, found.restricted_zones, found.is_restricted, found.reason


HERE = {"location": "East US 2", "zones": ["2", "1"]}


@pytest.mark.parametrize(
    ("infos", "zones"),
    [
        ([HERE, {"location": "eastus2", "zones": ["3", "1"]}], ("1", "2", "3")),
        ([{"location": "westus", "zones": ["3"]}, HERE], ("1", "2")),
        ([{"location": "eastus2", "zones": ["1", "12", "x", 2, None]}], ("1",)),
        ([{"location": "eastus2", "zones": "12"}, "text"], ()),
        ([], ()),
    ],
)
def test_zones_are_those_of_the_region(infos: list[Any], zones: tuple[str, ...]) -> None:
    assert placed(*infos) == (zones, (), False, "")


@pytest.mark.parametrize(
    ("restrictions", "barred", "is_restricted", "reason"),
    [
        ([{"type": "Location", "values": ["eastus2"], "reasonCode": "A"}], (), True, "A"),
        ([{"type": "LOCATION", "restrictionInfo": {"locations": ["East US 2"]}, "reasonCode": "A"}], (), True, "A"),
        ([{"type": "Location", "values": ["westus"], "reasonCode": "A"}], (), False, ""),
        ([{"type": "Zone", "values": ["eastus2"], "restrictionInfo": {"zones": ["2"]}}], ("2",), False, "None"),
        ([{"type": "Zone", "values": ["eastus2"], "reasonCode": "B"}], ("1", "2"), False, "B"),  # of every zone
        ([{"type": "Size", "values": ["eastus2"], "reasonCode": "B"}], (), False, ""),
        ([{"type": "Zone", "values": "eastus2", "restrictionInfo": "x", "reasonCode": "B"}], (), False, ""),
        (
            [
                {"type": "Zone", "values": ["westus"], "restrictionInfo": {"zones": ["1"]}, "reasonCode": "C"},
                {"type": "Zone", "values": ["eastus2"], "restrictionInfo": {"zones": ["2"]}, "reasonCode": "B"},
                {"type": "Location", "values": ["eastus2"], "reasonCode": "A"},
                {"type": "Location", "values": ["eastus2"], "reasonCode": "no code!"},
            ],
            ("2",),
            True,
            "A B",
        ),
    ],
)
def test_a_restriction_counts_where_it_names_the_region(
    restrictions: list[Any], barred: tuple[str, ...], is_restricted: bool, reason: str
) -> None:
    assert placed(HERE, restrictions=restrictions) == (("1", "2"), barred, is_restricted, reason)


def test_links_are_followed_fifty_times_and_not_in_circles() -> None:
    def pages(count: int) -> list[Any]:
        linked = [{"value": [sku(f"Standard_D2s_v{n}")], "nextLink": f"{PATH}?a={n}"} for n in range(1, count)]
        return [*linked, {"value": []}]

    assert len(listing(*pages(50)).offers) == 49
    with says(UntrustedAnswerError, "resource skus: eastus2: the links go in circles after 50 pages"):
        listing(*pages(51))
    with says(UntrustedAnswerError, "resource skus: eastus2: the links go in circles after 2 pages"):
        listing({"value": [sku()], "nextLink": f"{PATH.replace('providers', 'PROVIDERS')}?a=1"})


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ([{"value": [sku()], "nextLink": f"{PATH}?a=1"}, {"value": None}], "eastus2: page 2 has no list of sizes"),
        ([{"value": [DISK]}], "eastus2: no size at all"),
        (
            [{"value": [sku()], "nextLink": f"https://x.example{PATH[19:]}?a=1"}],
            "the next page's link leads to another place",
        ),
        ([{"value": [sku()], "nextLink": f"{URL}/other?a=1"}], "the next page's link leads to another place"),
    ],
)
def test_a_listing_that_cannot_be_whole_is_not_believed(pages: list[Any], said: str) -> None:
    with says(UntrustedAnswerError, f"resource skus: {said}"):
        listing(*pages)
