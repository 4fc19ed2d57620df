"""What the names of sizes tell, beside captured and documented facts, and beside what the sizes cost."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake.sizes.facts import facts_of, price_per_vcpu
from spotlake.sizes.naming import read_name
from spotlake_local.azure.machines import machine_of
from spotlake_local.azure.world import World

FACTS = list(csv.DictReader(Path("tests/data/size-facts.csv").read_text(encoding="utf-8").splitlines()))
# Sizes of one series that do not cost the same a vCPU: burstable, memory in several steps, a share of a GPU; and the
# series whose prices in the list are those of another product (local/spotlake_local/azure/data/ORIGIN.md).
UNEVEN = ("A", "B", "M", "H", "N", "Da", "Ea")


@pytest.mark.parametrize("told", FACTS, ids=lambda told: told["armSkuName"])
def test_known_sizes(told: dict[str, str]) -> None:
    facts = facts_of(told["armSkuName"])
    assert (facts.vcpus, facts.full_vcpus) == (int(told["vcpus"]), int(told["full_vcpus"]))
    assert facts.has_gpu == (told["gpus"] != "0")
    assert facts.architecture == (told["architecture"] or "x64")
    assert (facts.memory_gib, facts.source) == (None, "name")
    assert facts.gpus == (None if facts.has_gpu else 0)


@pytest.mark.parametrize(
    ("series", "vcpus"),
    [
        ("A{}", "0=1 1=1 2=2 3=4 4=8 5=2 6=4 7=8 8=8 9=16 10=8 11=16"),
        ("D{}", "1=1 2=2 3=4 4=8 11=2 12=4 13=8 14=16"), ("DS{}", "1=1 2=2 3=4 4=8 11=2 12=4 13=8 14=16"),
        ("D{}_v2", "1=1 2=2 3=4 4=8 5=16 11=2 12=4 13=8 14=16 15=20"),
        ("DS{}_v2", "1=1 2=2 3=4 4=8 5=16 11=2 12=4 13=8 14=16 15=20"),
        ("G{}", "1=2 2=4 3=8 4=16 5=32"), ("GS{}", "1=2 2=4 3=8 4=16 5=32"),
    ],
)  # fmt: skip
def test_sizes_from_before_the_rule_count_their_machines(series: str, vcpus: str) -> None:
    """Microsoft Learn, "Previous generations of virtual machine sizes"."""
    told = dict(one.split("=") for one in vcpus.split())
    found = {number: facts_of(f"Standard_{series.format(number)}").vcpus for number in told}
    assert found == {number: int(one) for number, one in told.items()}
    assert read_name(f"Standard_{series.format(16)}") is None  # no such machine


@pytest.mark.parametrize("told", FACTS, ids=lambda told: told["armSkuName"])
def test_the_simulated_machines_are_the_known_ones(told: dict[str, str]) -> None:
    machine = machine_of(told["armSkuName"])
    assert machine is not None
    assert (machine.vcpus, machine.full_vcpus) == (int(told["vcpus"]), int(told["full_vcpus"]))
    assert machine.memory_gib == float(told["memory_gib"] or machine.memory_gib)
    assert machine.gpus == int(told["gpus"])
    assert machine.architecture == (told["architecture"] or "x64")


def test_every_simulated_size_has_a_machine_but_hosts_and_placeholders() -> None:
    for size in World().sizes.values():
        machine = machine_of(size)
        assert (machine is None) == (not size.startswith(("Standard_", "Basic_")))
        assert machine is None or (0 < machine.vcpus <= machine.full_vcpus and machine.memory_gib > 0)


def test_every_size_of_the_price_list_is_read_but_for_named_oddities() -> None:
    listed = set(World().sizes.values())
    unread = {size for size in listed if read_name(size) is None and size.startswith(("Standard_", "Basic_"))}
    assert unread == {"Standard_SQLG7_AMD_IaaS", "Standard_SQLG7_AMD_NVME", "Standard_SQLG7_NVME"}
    assert all(read_name(size) is None for size in listed if not size.startswith(("Standard_", "Basic_")))


def test_sizes_of_one_series_cost_the_same_a_vcpu() -> None:
    """A second method, which knows no name: a wrong number of vCPUs would show as another price."""
    prices = defaultdict(list)
    for region, sizes in World().ondemand.items():
        for size, price in sizes.items():
            name = read_name(size)
            if name is not None and price and not name.series.startswith(UNEVEN) and "_Promo" not in size:
                # D11 to D15 have twice the memory of D1 to D5, for another price.
                is_large = name.series in ("D", "DS", "Dv2", "DSv2") and re.search(r"_DS?1[1-5]", size) is not None
                prices[region, name.series, is_large].append((size, price / name.full_vcpus))
    groups = [group for group in prices.values() if len(group) > 2]
    assert sum(map(len, groups)) > 30_000
    odd = {size for group in groups for size, price in group if abs(price / median(one for _, one in group) - 1) > 0.2}
    assert odd == set()


@pytest.mark.parametrize(
    ("size", "series"),
    [
        ("Standard_E8-4ds_v5", "Edsv5"),
        ("Standard_NC24ads_A100_v4", "NCads_A100_v4"),
        ("Standard_M176ds-44_3_v3", "Mdsv3"),
        ("Standard_D2_v2_Promo", "Dv2"),
        ("standard_d2s_v3", "Dsv3"),
        ("Basic_A1", "A"),
    ],
)
def test_series(size: str, series: str) -> None:
    assert facts_of(size).series == series


def test_grace_is_an_arm_processor() -> None:
    assert facts_of("Standard_ND128isr_NDR_GB200_v6").architecture == "Arm64"


@given(st.text(max_size=60))
def test_no_text_is_believed_beyond_its_form(text: str) -> None:
    facts = facts_of(text)
    assert facts.vcpus is None or 0 < facts.vcpus <= (facts.full_vcpus or 0)
    assert facts.source == "name"


@given(
    st.sampled_from(["D", "E", "F", "L", "B"]), st.integers(1, 999), st.integers(1, 999), st.sampled_from(["s", "ads"])
)
def test_a_constrained_size_never_has_more_than_its_whole(family: str, full: int, usable: int, features: str) -> None:
    facts = facts_of(f"Standard_{family}{full}-{usable}{features}_v5")
    assert (facts.vcpus, facts.full_vcpus) == ((usable, full) if usable <= full else (None, None))
    whole = facts_of(f"Standard_{family}{full}{features}_v5")
    assert price_per_vcpu(1.0, whole) == 1.0 / full


def test_a_price_per_vcpu_of_unknowns_is_unknown() -> None:
    assert price_per_vcpu(None, facts_of("Standard_D2s_v5")) is None
    assert price_per_vcpu(1.0, facts_of("Standard_SQLG7_NVME")) is None
