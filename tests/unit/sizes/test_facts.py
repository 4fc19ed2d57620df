"""Facts of a size: whose word counts, and what a machine costs a vCPU."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, date, datetime

import pytest

from spotlake.sizes.facts import Offer, RegionSizes, SizeFacts, Sizes, facts_of, price_per_vcpu
from spotlake.sizes.files import sizes_csv
from spotlake.sizes.geography import Geography, geography_of

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
SIZE = "Standard_E8-4ds_v5"


def told(memory_gib: float, size: str = SIZE) -> SizeFacts:
    """Facts of which each region can say others."""
    return SizeFacts(instance_type=size, memory_gib=memory_gib, source="live")


def region(*facts: SizeFacts) -> RegionSizes:
    return RegionSizes(asked_at=AT, offers={one.instance_type.lower(): Offer(facts=one) for one in facts})


def sizes(**memories: float) -> Sizes:
    """What each region says of one size."""
    return Sizes(regions={name: region(told(memory)) for name, memory in memories.items()})


def test_a_regions_own_word_goes_first() -> None:
    known = sizes(a=64.0, b=64.0, c=32.0)
    assert known.facts_of(" standard_E8-4DS_v5", "c") == told(32.0)
    assert known.facts_of(SIZE, "a") == told(64.0)
    assert known.offer_of("c", SIZE.upper()) == Offer(facts=told(32.0))
    assert known.offer_of("c", "Standard_D2") is None
    assert known.offer_of("d", SIZE) is None


@pytest.mark.parametrize(
    ("memories", "memory"),
    [
        ({"a": 64.0}, 64.0),
        ({"a": 64.0, "b": 64.0}, 64.0),
        ({"a": 32.0, "b": 64.0, "c": 64.0}, 64.0),
        ({"a": 32.0, "b": 64.0, "c": 32.0}, 32.0),
        ({"b": 64.0, "a": 32.0}, 32.0),  # as many: that of the region with the smallest code
        ({"d": 1.0, "c": 2.0, "b": 2.0, "a": 1.0, "e": 2.0}, 2.0),
    ],
)
def test_of_a_region_that_says_nothing_most_regions_count(memories: dict[str, float], memory: float) -> None:
    for elsewhere in ("", "x"):
        assert sizes(**memories).facts_of(SIZE, elsewhere) == told(memory)
    assert sizes(**memories).facts_of(SIZE) == told(memory)


def test_regions_that_share_one_object_are_of_one_mind() -> None:
    shared = region(told(64.0), told(8.0, "Standard_D2"))
    known = Sizes(regions={"a": shared, "b": shared})
    assert known.facts_of(SIZE) is shared.offers[SIZE.lower()].facts
    assert known.facts_of("standard_d2") == told(8.0, "Standard_D2")


def test_what_nobody_told_is_read_from_the_name() -> None:
    known = sizes(a=64.0)
    assert known.facts_of(" Standard_NC24ads_A100_v4 ", "a") == SizeFacts(
        instance_type="Standard_NC24ads_A100_v4", series="NCads_A100_v4", vcpus=24, full_vcpus=24, memory_gib=None,
        gpus=None, has_gpu=True, architecture="x64", quota_family=None, is_spot_capable=None, retires_on=None,
        source="name",
    )  # fmt: skip
    assert facts_of(" Standard_D8-4pds_v6 ") == SizeFacts(
        instance_type="Standard_D8-4pds_v6", series="Dpdsv6", vcpus=4, full_vcpus=8, gpus=0.0, has_gpu=False,
        architecture="Arm64",
    )  # fmt: skip
    assert facts_of(" Dsv3_Type1 ") == SizeFacts(instance_type="Dsv3_Type1")


def test_a_price_is_shared_by_the_usable_vcpus() -> None:
    assert price_per_vcpu(0.4, facts_of(SIZE)) == 0.1
    assert price_per_vcpu(0.0, facts_of(SIZE)) == 0.0
    assert price_per_vcpu(0.4, SizeFacts(instance_type="A", vcpus=1)) == 0.4
    assert price_per_vcpu(0.4, SizeFacts(instance_type="A", vcpus=0)) is None
    assert price_per_vcpu(0.4, SizeFacts(instance_type="A")) is None
    assert price_per_vcpu(None, facts_of(SIZE)) is None


def test_the_file_has_plain_lines_and_the_places_that_a_list_told() -> None:
    offer = Offer(facts=SizeFacts(instance_type="A", retires_on=date(2027, 1, 2), source="live", memory_gib=3.5))
    last = Offer(facts=SizeFacts(instance_type="Z"))
    known = Sizes(regions={"uksouth": RegionSizes(asked_at=AT, offers={"a": offer, "z": last})})
    pairs = {"uksouth": ["A", "Size_B", "SIZE_B"], "eastus9": ["A"], "mars": []}
    listed = {"uksouth": Geography("United Kingdom", "Europe"), "eastus9": Geography("United States", "US")}
    lines = gzip.decompress(sizes_csv(known, pairs, listed)).decode().split("\n")
    assert lines[1:] == [
        "eastus9,A,,3.5,,,,,,,,2027-01-02,live,,,,,,United States,US",  # as another region says
        "uksouth,A,,3.5,,,,,,,,2027-01-02,live,,,false,,2026-11-23T10:00:00Z,United Kingdom,Europe",
        "uksouth,SIZE_B,,,,,,,,,,,name,,,,,,United Kingdom,Europe",
        "uksouth,Z,,,,,,,,,,,name,,,false,,2026-11-23T10:00:00Z,United Kingdom,Europe",
        "",
    ]
    usual = list(csv.reader(io.StringIO(gzip.decompress(sizes_csv(known, {})).decode())))
    assert [line[-2:] for line in usual] == [["Geography", "GeographyGroup"], *[["United Kingdom", "UK"]] * 2]


@pytest.mark.parametrize(
    ("region", "listed", "place"),
    [
        ("Sweden Central", None, ("Sweden", "Europe")),
        ("swedencentral", {}, ("Sweden", "Europe")),
        ("Sweden Central", {"swedencentral": Geography("S", "E")}, ("S", "E")),
        ("Sweden Central", {"Sweden Central": Geography("S", "E")}, ("Sweden", "Europe")),
        ("East US 9", {"eastus9": Geography("US", "A")}, ("US", "A")),
        ("eastus9", {"eastus8": Geography("US", "A")}, None),
    ],
)
def test_where_a_region_is(region: str, listed: dict[str, Geography] | None, place: tuple[str, str] | None) -> None:
    assert geography_of(region, listed) == place
