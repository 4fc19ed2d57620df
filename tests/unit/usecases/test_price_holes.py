"""Holes in a price list: what it lacks of the catalogue is asked for once more, and named when it stays away."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

import pytest
import requests

from spotlake.clock import Deadline
from spotlake.reports import Findings
from tests.support.scripted import answered, made
from tests.unit.usecases.rows import of_size, ondemand, page, spot
from tests.unit.usecases.test_collect_prices import ITEM, SIZES, Collector


def listed(*sizes: str) -> dict[str, Any]:
    return page(*(of_size(size) for size in sizes))


HALF = replace(ITEM, instance_types=tuple(SIZES))


def narrow_questions(collector: Collector) -> list[list[str]]:
    """The sizes that each request after the first asks for."""
    urls = [unquote_plus(str(request.url)) for request, _ in collector.script.sent[1:]]
    return [re.findall(r"armSkuName eq '([^']*)'", url) for url in urls]


def test_what_a_listing_lacks_is_asked_for_once_more_and_taken() -> None:
    collector = Collector(answered(listed(*SIZES[:5])), answered(listed(*SIZES[5:])))
    report = collector.collect(HALF)
    assert narrow_questions(collector) == [SIZES[5:]]
    assert [row["instance_type"] for row in collector.rows()] == SIZES
    counts = report.counts
    assert (counts["narrow_requests"], counts["healed_sizes"], counts["unconfirmed_sizes"]) == (1, 3, 0)
    assert (counts["rows_read"], report.found) == (8, Findings())


def test_what_is_missing_all_the_same_is_named_and_gets_no_row() -> None:
    collector = Collector(answered(listed(*SIZES[:5])), answered(page()))
    report = collector.collect(HALF)
    assert [row["instance_type"] for row in collector.rows()] == SIZES[:5]
    assert report.counts["unconfirmed_sizes"] == 3
    assert report.found.unconfirmed_sizes == tuple(SIZES[5:])


@pytest.mark.parametrize("answer", [made(400), made(404), answered({"Items": None}), made(200, b"<html>")])
def test_a_narrow_request_that_fails_costs_nothing_of_what_is_known(answer: requests.Response) -> None:
    collector = Collector(answered(listed(*SIZES[:5])), answer)
    report = collector.collect(HALF)
    assert (report.status, report.rows, report.counts["narrow_failures"]) == ("complete", 5, 1)
    assert report.found.unconfirmed_sizes == tuple(SIZES[5:])


def test_time_that_runs_out_before_a_narrow_request_costs_nothing_of_what_is_known() -> None:
    collector = Collector(answered(listed(*SIZES[:5])))
    late = Deadline(lambda: 0.5 if collector.script.sent else 600.0)
    report = collector.collect(HALF, deadline=late)
    assert (report.status, report.rows, report.counts["narrow_failures"]) == ("complete", 5, 1)
    assert len(collector.script.sent) == 1


def test_no_more_than_twenty_narrow_requests_are_sent() -> None:
    sizes = [f"Standard_D{number}s_v5" for number in range(1000, 1700)]
    parts = [sizes[start : start + 15] for start in range(380, 700, 15)]
    collector = Collector(answered(listed(*sizes[:380])), *(answered(listed(*part)) for part in parts))
    report = collector.collect(replace(ITEM, instance_types=tuple(sizes)))
    assert narrow_questions(collector) == parts[:20]
    assert report.counts["unconfirmed_sizes"] == 20


def test_two_narrow_requests_that_find_nothing_end_the_asking() -> None:
    sizes = [f"Standard_D{number}s_v5" for number in range(100, 200)]
    collector = Collector(answered(listed(*sizes[:60])), answered(page()))
    report = collector.collect(replace(ITEM, instance_types=tuple(sizes)))
    assert [len(asked) for asked in narrow_questions(collector)] == [15, 15]
    assert report.counts["unconfirmed_sizes"] == 40


@pytest.mark.parametrize("lacking", [20, 71, 105, 295])
def test_a_hole_of_any_width_heals_in_one_run(lacking: int) -> None:
    sizes = [f"Standard_D{number}s_v5" for number in range(1000, 1700)]
    gone = sizes[100 : 100 + lacking]
    parts = [gone[start : start + 15] for start in range(0, lacking, 15)]
    rest = [size for size in sizes if size not in gone]
    collector = Collector(answered(listed(*rest)), *(answered(listed(*part)) for part in parts))
    report = collector.collect(replace(ITEM, instance_types=tuple(sizes)))
    assert narrow_questions(collector) == parts
    assert (report.rows, report.counts["healed_sizes"], report.found) == (700, lacking, Findings())


def test_what_is_known_to_be_absent_is_named_and_not_asked_for_again() -> None:
    collector = Collector(answered(listed(*SIZES[:5])), answered(listed(SIZES[5])))
    report = collector.collect(replace(HALF, absent_spot=(SIZES[7],)))
    assert narrow_questions(collector) == [SIZES[5:7]]
    assert report.found == Findings(unconfirmed_sizes=tuple(SIZES[6:]), absent_spot=(SIZES[6],))


def test_only_what_was_asked_and_answered_is_known_to_be_absent() -> None:
    sizes = [f"Standard_D{number}s_v5" for number in range(100, 160)]
    collector = Collector(answered(listed(*sizes[:35])), answered(page()), made(404))
    report = collector.collect(replace(ITEM, instance_types=tuple(sizes)))
    assert report.found.unconfirmed_sizes == tuple(sizes[35:])
    assert report.found.absent_spot == tuple(sizes[35:50])


def test_an_absent_ondemand_price_is_known_by_itself() -> None:
    collector = Collector(answered(page(spot(), of_size("Standard_D4s_v3"))), answered(page(spot(), ondemand())))
    item = replace(ITEM, instance_types=("Standard_D2s_v3", "Standard_D4s_v3"), ondemand=True)
    report = collector.collect(item)
    assert (report.found.absent_spot, report.found.absent_ondemand) == ((), ("Standard_D4s_v3",))
    again = Collector(answered(page(spot(), ondemand(), of_size("Standard_D4s_v3"))))
    assert again.collect(replace(item, absent_ondemand=("Standard_D4s_v3",))).counts["narrow_requests"] == 0


def test_no_narrow_request_is_longer_than_the_api_allows() -> None:
    longest = [f"Standard_NC{number}lds_xl_RTXPRO6000BSE_v6" for number in range(128, 143)]
    known = [f"Standard_D{number}s_v5" for number in range(100, 200)]
    collector = Collector(answered(listed(*known)), answered(page()))
    collector.collect(replace(ITEM, instance_types=(*known, *longest)))
    (url,) = [str(request.url) for request, _ in collector.script.sent[1:]]
    assert len(url) < 2048
    assert unquote_plus(url).count(" eq ") + unquote_plus(url).count("contains(") <= 20


def test_an_ondemand_price_that_is_missing_is_asked_for_and_one_that_is_unknown_is_not() -> None:
    unknown = {**of_size("Standard_D4s_v3"), "meterName": "D4s v3", "skuName": "D4s v3", "retailPrice": 0.0}
    first = page(spot(), of_size("Standard_D4s_v3"), unknown)
    collector = Collector(answered(first), answered(page(spot(), ondemand())))
    item = replace(ITEM, instance_types=("Standard_D2s_v3", "Standard_D4s_v3"), ondemand=True)
    report = collector.collect(item)
    assert narrow_questions(collector) == [["Standard_D2s_v3"]]
    assert [row["ondemand_price_usd_per_hour"] for row in collector.rows()] == [0.096, None]
    assert (report.counts["healed_sizes"], report.counts["rejected_duplicate"]) == (1, 1)


def test_rows_of_an_unknown_kind_are_counted_and_shown_in_the_report() -> None:
    collector = Collector(answered(page(spot(), spot(meterName="D2s v3 Spot Plus", skuName="D2s v3 Spot Plus"))))
    report = collector.collect()
    assert report.counts["rejected_unknown_kind"] == 1
    assert [sample["meterName"] for sample in report.found.unknown_kinds] == ["D2s v3 Spot Plus"]
