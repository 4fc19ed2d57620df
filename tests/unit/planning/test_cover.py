from __future__ import annotations

from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spotlake_local.azure
from spotlake.planning.anneal import improve
from spotlake.planning.cover import Block, CallPlan, cover_pairs, lower_bound
from spotlake_local.commands.plan_calls import read_catalogue

CATALOGUE = Path(spotlake_local.azure.__file__).parent / "data" / "azure-ondemand-prices.csv.gz"
type Sizes = dict[str, set[str]]

REGIONS = [f"region{number}" for number in range(20)]
PAIRS = st.dictionaries(
    st.sampled_from(REGIONS), st.sets(st.integers(0, 25).map("Standard_D{}".format), max_size=26), max_size=20
)


@pytest.fixture(scope="module")
def catalogue() -> Sizes:
    return read_catalogue(CATALOGUE)[0]


def without(pairs: Sizes, percent: int) -> Sizes:
    """The same pairs at random left out every time."""
    every = sorted((region, size) for region, sizes in pairs.items() for size in sizes)
    gone = set(Random(7).sample(every, len(every) * percent // 100))  # noqa: S311 - the same pairs every time
    return {region: {size for size in sizes if (region, size) not in gone} for region, sizes in pairs.items()}


def assert_covers(plan: CallPlan, pairs: Sizes) -> None:
    inside = {pair for block in plan.blocks for pair in product(block.regions, block.instance_types)}
    assert {(region, size) for region, sizes in pairs.items() for size in sizes} <= inside
    for block in plan.blocks:
        assert 1 <= len(set(block.regions)) == len(block.regions) <= 8
        assert 1 <= len(set(block.instance_types)) == len(block.instance_types) <= 5


@settings(max_examples=60, deadline=None)
@given(pairs=PAIRS, effort=st.sampled_from([0.0, 0.002, 0.01]))
def test_every_pair_is_covered_within_the_limits(pairs: Sizes, effort: float) -> None:
    plan = cover_pairs(pairs, effort_seconds=effort)
    assert_covers(plan, pairs)
    assert plan.lower_bound == lower_bound(pairs) <= len(plan.blocks)
    assert plan == cover_pairs(pairs, effort_seconds=effort)


@settings(max_examples=60, deadline=None)
@given(before=PAIRS, after=PAIRS)
def test_starting_from_an_earlier_plan_covers_and_is_no_worse_than_starting_anew(before: Sizes, after: Sizes) -> None:
    earlier = cover_pairs(before, effort_seconds=0.0).blocks
    plan = cover_pairs(after, effort_seconds=0.0, start=earlier)
    assert_covers(plan, after)
    assert len(plan.blocks) <= len(cover_pairs(after, effort_seconds=0.0).blocks)


@given(pairs=PAIRS)
def test_the_bound_is_below_what_is_surely_possible(pairs: Sizes) -> None:
    one_size_a_call = sum(-(-sum(size in own for own in pairs.values()) // 8) for size in set().union(*pairs.values()))
    one_region_a_call = sum(-(-len(sizes) // 5) for sizes in pairs.values())
    assert lower_bound(pairs) <= min(one_size_a_call, one_region_a_call)


def test_a_full_grid_needs_no_more_than_the_bound() -> None:
    pairs = {f"region{region}": {f"Standard_D{size}" for size in range(35)} for region in range(24)}
    plan = cover_pairs(pairs)
    assert_covers(plan, pairs)
    assert len(plan.blocks) == plan.lower_bound == 3 * 7


def test_nothing_to_cover_needs_no_calls() -> None:
    assert cover_pairs({}) == cover_pairs({"eastus": ()}) == CallPlan((), 0)


def test_annealing_repairs_what_greedy_wasted() -> None:
    # Ten sizes in the same eight regions, packed two a call: two calls are enough.
    need = dict.fromkeys(range(10), 0b11111111)
    wasteful = [([size, size + 1], 0b11111111) for size in range(0, 10, 2)]
    assert len(improve(wasteful, need, target=2, steps=20_000)) == 2


def test_the_real_catalogue_takes_few_calls_by_default(catalogue: Sizes) -> None:
    plan = cover_pairs(catalogue)
    assert_covers(plan, catalogue)
    assert sum(map(len, catalogue.values())) == 62_666
    assert plan.lower_bound == 1_725
    assert len(plan.blocks) <= 1_735


@pytest.mark.parametrize(("percent", "most"), [(1, 1.03), (5, 1.05)])
def test_a_ragged_catalogue_stays_near_the_bound(catalogue: Sizes, percent: int, most: float) -> None:
    pairs = without(catalogue, percent)
    plan = cover_pairs(pairs)
    assert_covers(plan, pairs)
    assert len(plan.blocks) <= most * plan.lower_bound


@pytest.mark.parametrize("family", ["Standard_D", "Standard_E"])
def test_a_family_stays_near_the_bound(catalogue: Sizes, family: str) -> None:
    pairs = {region: {size for size in sizes if size.startswith(family)} for region, sizes in catalogue.items()}
    plan = cover_pairs(pairs)
    assert_covers(plan, pairs)
    assert len(plan.blocks) <= 1.01 * plan.lower_bound


def test_thirteen_regions_stay_near_the_bound(catalogue: Sizes) -> None:
    for seed in range(5):
        some = Random(seed).sample(sorted(catalogue), 13)  # noqa: S311 - the same regions every time
        pairs = {region: catalogue[region] for region in some}
        plan = cover_pairs(pairs)
        assert_covers(plan, pairs)
        assert len(plan.blocks) <= 1.01 * plan.lower_bound


def test_a_day_that_loses_pairs_costs_no_extra_call(catalogue: Sizes) -> None:
    yesterday = cover_pairs(catalogue, effort_seconds=0.1)
    today = cover_pairs(without(catalogue, 5), effort_seconds=0.0, start=yesterday.blocks)
    assert len(today.blocks) <= len(yesterday.blocks)


def test_a_plan_that_no_new_one_betters_is_kept_though_it_misses_the_bound() -> None:
    every = [(f"region{region}", f"Standard_D{size}") for region in range(20) for size in range(25)]
    pairs: Sizes = {}
    for region, size in Random(1).sample(every, 150):  # noqa: S311 - the same pairs every time
        pairs.setdefault(region, set()).add(size)
    plan = cover_pairs(pairs, effort_seconds=0.05)
    assert len(plan.blocks) > plan.lower_bound
    assert plan != cover_pairs(pairs, effort_seconds=0.0)
    assert cover_pairs(pairs, effort_seconds=0.0, start=plan.blocks) == plan


def test_a_plan_that_still_covers_is_kept() -> None:
    plan = (Block(("eastus", "westus"), ("Standard_D2s_v5", "Standard_D4s_v5")),)
    pairs = {"eastus": {"Standard_D2s_v5"}, "westus": {"Standard_D4s_v5"}}
    assert cover_pairs(pairs, start=plan).blocks == plan
