"""Listings of prices and rates: what a part keeps, what an empty answer is worth, and whose error it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from spotlake.errors import AzureUnavailableError, UntrustedAnswerError
from spotlake.models import WorkItem
from spotlake.settings import Settings
from spotlake.shard_rows import PriceRow
from tests.support.errors import says
from tests.support.scripted import answered, made
from tests.unit.usecases import rows as prices
from tests.unit.usecases import test_collect_eviction_rates as rates
from tests.unit.usecases import test_collect_prices as listed


def test_a_part_keeps_the_rates_of_its_own_sizes() -> None:
    item = replace(rates.ITEM, filtered=True, instance_types=("Standard_D2s_v3",))
    collector = rates.Collector(answered(rates.page(rates.rate(), rates.rate("standard_e4s_v5"))))
    report = collector.collect(item)
    assert [row["instance_type"] for row in collector.rows()] == ["Standard_D2s_v3"]
    assert (report.rows, report.counts["unknown_sizes"], report.counts["listed_rows"]) == (1, 1, 2)


def test_an_empty_answer_of_a_region_that_sells_nothing_is_believed() -> None:
    collector = rates.Collector(answered(rates.page()))
    report = collector.collect(WorkItem(region=rates.REGION))
    assert (report.status, report.rows, report.counts["believed_falls"]) == ("complete", 0, 0)


@pytest.mark.parametrize(("before", "said"), [(3, ""), (4, "koreacentral: 2 rows, the last good run had 4")])
def test_rates_may_fall_by_the_share_of_the_setting(before: int, said: str) -> None:
    item = replace(rates.ITEM, last_good_rows={"spot_if": before})
    sizes = [rates.rate(), rates.rate("standard_d4s_v3"), rates.rate("standard_d8s_v3")][: 2 if said else 3]
    collector = rates.Collector(answered(rates.page(*sizes)))
    if said:
        with says(UntrustedAnswerError, f"resource graph: {said}"):
            collector.collect(item)
    else:
        assert collector.collect(item).counts["believed_falls"] == 0


def test_errors_name_their_api() -> None:
    with says(AzureUnavailableError, "resource graph: HTTP 503"):
        rates.Collector(made(503)).collect()
    with says(AzureUnavailableError, "retail prices: HTTP 503"):
        listed.Collector(made(503)).collect()
    many = [rates.rate(f"standard_d{number}s_v3") for number in range(701)]
    item = replace(rates.ITEM, last_good_rows={"spot_if": 100})
    with says(UntrustedAnswerError, "resource graph: koreacentral: 701 sizes, the last good run had 100"):
        rates.Collector(answered(rates.page(*many))).collect(item)


def test_a_listing_that_shrinks_names_what_the_catalogue_has() -> None:
    item = replace(listed.ITEM, instance_types=tuple(listed.SIZES))
    with says(UntrustedAnswerError, "retail prices: eastus: 3 spot prices, the catalogue has 8 sizes"):
        listed.Collector(answered(prices.page(*map(prices.of_size, listed.SIZES[:3])))).collect(item)
    with says(UntrustedAnswerError, "retail prices: eastus: no spot prices, the catalogue has 8 sizes"):
        listed.Collector(answered(prices.page())).collect(item)
    half = listed.Collector(answered(prices.page(*map(prices.of_size, listed.SIZES[:4]))))
    assert half.collect(item).rows == 4


def test_the_counts_of_rates_in_full() -> None:
    many = [rates.rate(f"standard_d{number}s_v3") for number in (2, 4, 8, 16, 32, 48, 64)]
    rows = [*many, many[0], rates.rate("standard_e4s_v5", "7-9"), {"skuName": "odd"}]
    report = rates.Collector(answered(rates.page(*rows, total=10))).collect()
    assert report.counts == {
        "requests": 1, "retries": 0, "throttles": 0, "pages": 1, "listed_rows": 10, "doubled_rows": 1,
        "missing_rows": 1, "invalid_rows": 1, "contradicted_sizes": 0, "believed_falls": 0, "believed_jumps": 0,
        "unknown_bands": 1, "unknown_sizes": 6,
    }  # fmt: skip


@pytest.mark.parametrize(("found", "is_believed"), [(7, True), (6, False)])
def test_three_tenths_fewer_rates_are_believed(found: int, *, is_believed: bool) -> None:
    item = replace(rates.ITEM, last_good_rows={"spot_if": 10})
    collector = rates.Collector(
        answered(rates.page(*(rates.rate(f"standard_d{number}s_v3") for number in range(found))))
    )
    if is_believed:
        assert collector.collect(item).rows == 7
    else:
        with says(UntrustedAnswerError, "resource graph: koreacentral: 6 rows, the last good run had 10"):
            collector.collect(item)


def test_who_waits_for_spot_prices_is_told_them_before_the_shard_is_written() -> None:
    on_demand = {**prices.ONDEMAND, "armSkuName": "Standard_D8s_v3", "meterName": "D8s v3", "skuName": "D8s v3"}
    collector = listed.Collector(answered(prices.page(prices.SPOT, on_demand)))
    told: list[tuple[str, list[str], bool]] = []

    def on_listed(region: str, rows: Sequence[PriceRow]) -> None:
        told.append((region, [row.instance_type for row in rows], listed.KEY in collector.objects.objects))

    assert collector.collect(replace(listed.ITEM, ondemand=True), on_listed=on_listed).rows == 2
    assert told == [("eastus", ["Standard_D2s_v3"], False)]


def test_an_ondemand_price_that_nobody_asked_for_is_not_stored() -> None:
    collector = listed.Collector(answered(prices.page(prices.SPOT, prices.ONDEMAND)))
    collector.collect()
    (row,) = collector.rows()
    told = {name: value for name, value in row.items() if name.startswith("ondemand")}
    assert (row["spot_price_usd_per_hour"], set(told.values())) == (0.018816, {None})


def test_no_setting_lets_a_region_without_any_price_be_believed_at_once() -> None:
    collector = listed.Collector(answered(prices.page()))
    with says(UntrustedAnswerError, "retail prices: eastus: no spot prices, the catalogue has 1 sizes"):
        collector.collect(settings=Settings(price_max_fall_percent=100))


def test_few_rates_of_a_region_without_prices_are_too_few() -> None:
    """No rate at all is believed there. Some rates say that it sells, and then all of them are owed."""
    item = replace(rates.ITEM, last_good_rows={"spot_price": 0, "spot_if": 100})
    collector = rates.Collector(answered(rates.page(rates.rate())))
    with says(UntrustedAnswerError, "resource graph: koreacentral: 1 rows, the last good run had 100"):
        collector.collect(item)
