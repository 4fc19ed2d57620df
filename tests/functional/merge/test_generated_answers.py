"""Generated answers, odd in every field, through collectors and merge: each run ends in a report and in a manifest."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotlake.errors import AzureError, DeadlineError
from spotlake.models import Dataset
from spotlake.packing import unpack
from tests.functional.merge.conftest import REGION, World
from tests.support.scripted import made
from tests.unit.usecases import test_collect_eviction_rates as rates
from tests.unit.usecases import test_collect_prices as prices
from tests.unit.usecases.rows import page, spot

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        [
            "Standard_D2s_v3",
            "Standard_",
            "=1+1",
            "x" * 3000,
            "\ud800",
            "9999-12-31T23:59:59-01:00",
            "2026-06-01T00:00:00Z",
        ]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
SIZES = st.sampled_from(["Standard_D2s_v3", "standard_d2s_v3 ", "Standard_D4s_v3", "Standard_E2s_v5"])


def with_odd_fields(row: dict[str, Any], size: str) -> st.SearchStrategy[dict[str, Any]]:
    """A row as Azure gives it, of some size, with up to three fields replaced."""
    changed: st.SearchStrategy[dict[str, Any]] = (
        st.just({}) | st.just({}) | st.dictionaries(st.sampled_from(sorted(row)), ODD, max_size=3)
    )
    return st.builds(lambda one, odd: {**row, size: one, **odd}, SIZES, changed)


PRICE_ROWS = st.lists(with_odd_fields(spot(), "armSkuName"), min_size=1, max_size=6)
RATE_ROWS = st.lists(with_odd_fields(rates.rate(), "skuName"), min_size=1, max_size=6)
PRICES = st.builds(lambda found: page(*found), PRICE_ROWS) | st.fixed_dictionaries(
    {"Items": PRICE_ROWS | ODD}, optional={"NextPageLink": ODD, "Count": ODD, "BillingCurrency": ODD}
)
RATES = st.builds(lambda found: rates.page(*found), RATE_ROWS) | st.fixed_dictionaries(
    {"data": RATE_ROWS | ODD},
    optional={"totalRecords": ODD, "count": ODD, "resultTruncated": ODD, "$skipToken": ODD},
)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def merged_all_the_same(shards: dict[str, bytes], dataset: Dataset) -> None:
    """What a collector stored is merged: no row of it refuses its shard."""
    world = World()
    run = world.collected(0, spot=None, band=None)
    for body in shards.values():
        head, *lines = prices_lines(body)
        rows = [orjson.loads(line) for line in lines]
        assert head["report"]["rows"] == len(rows)
        world.shard(run, dataset, [{**row, "region": REGION} for row in rows])
    manifest = world.merge(run)
    assert manifest["complete"] is True
    assert [one for one in manifest["refused_shards"] if one["reason"] != "missing"] == []


def prices_lines(body: bytes) -> list[Any]:
    first, *lines = unpack(body).splitlines()
    return [orjson.loads(first), *lines]


def shards_of(objects: dict[str, bytes]) -> dict[str, bytes]:
    return {key: body for key, body in objects.items() if key.startswith("rawdata/")}


@QUICK
@given(PRICES)
def test_any_price_list_ends_in_a_report_or_a_named_failure(answer: dict[str, Any]) -> None:
    collector = prices.Collector(made(200, json.dumps(answer).encode()), seconds_left=200.0)
    try:
        report = collector.collect(replace(prices.ITEM, instance_types=()))
    except (AzureError, DeadlineError):
        assert shards_of(collector.objects.objects) == {}
        return
    assert report.status == "complete"
    merged_all_the_same(shards_of(collector.objects.objects), Dataset.PRICE)


@QUICK
@given(RATES)
def test_any_answer_of_resource_graph_ends_in_a_report_or_a_named_failure(answer: dict[str, Any]) -> None:
    collector = rates.Collector(made(200, json.dumps(answer).encode()), seconds_left=200.0)
    try:
        report = collector.collect(replace(rates.ITEM, instance_types=()))
    except (AzureError, DeadlineError):
        assert shards_of(collector.objects.objects) == {}
        return
    assert report.status == "complete"
    merged_all_the_same(shards_of(collector.objects.objects), Dataset.EVICTION)
