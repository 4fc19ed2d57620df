"""Odd rows of the eviction table: each costs itself, never the region."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spotlake.azure.resource_graph import BANDS
from spotlake.errors import DeadlineError, UntrustedAnswerError
from tests.support.scripted import answered
from tests.unit.usecases.test_collect_eviction_rates import ITEM, REGION, Collector, page, rate

SIZES = tuple(f"standard_d{number}s_v5" for number in range(20))
WHOLE = [rate(size) for size in SIZES]


def collected(*rows: dict[str, Any], total: int | None = None) -> tuple[dict[str, float | None], dict[str, int]]:
    collector = Collector(answered(page(*rows, total=total)))
    counts = collector.collect(replace(ITEM, instance_types=SIZES)).counts
    return {row["instance_type"]: row["interruption_frequency"] for row in collector.rows()}, counts


TRUE = dict.fromkeys(SIZES, 3.0)


@pytest.mark.parametrize(
    "again",
    [
        WHOLE[0],
        {**WHOLE[0], "skuName": "Standard_D0s_v5"},
        {**WHOLE[0], "location": "KoreaCentral"},
        {**WHOLE[0], "evictionRate": "0 - 5"},
    ],
    ids=["word for word", "another casing of the size", "of the region", "another spelling of the band"],
)
def test_a_row_that_comes_twice_counts_once(again: dict[str, Any]) -> None:
    for total in (20, 21):
        rates, counts = collected(*WHOLE, again, total=total)
        assert rates == TRUE
        assert (counts["contradicted_sizes"], counts.get("invalid_rows", 0)) == (0, 0)


@pytest.mark.parametrize("other", ["5-10", "20+", "unheard"])
def test_a_size_with_two_bands_has_none_and_the_others_keep_theirs(other: str) -> None:
    rates, counts = collected(*WHOLE, rate(SIZES[3], other))
    assert rates == {size: 3.0 for size in SIZES if size != SIZES[3]}
    assert counts["contradicted_sizes"] == 1


@pytest.mark.parametrize(
    ("text", "band"), [("0-5%", "0-5"), ("5 - 10", "5-10"), ("15\u201320", "15-20"), ("20+ %", "20+")]
)
def test_bands_in_other_spellings_are_known(text: str, band: str) -> None:
    rates, counts = collected(*WHOLE[1:], rate(SIZES[0], text))
    assert (rates[SIZES[0]], counts["unknown_bands"]) == (BANDS[band], 0)


@pytest.mark.parametrize("band", ["25-30", "5-0", "high", "7.5", "0-5-10", "20"])
def test_a_band_that_is_not_known_costs_itself(band: str) -> None:
    rates, counts = collected(*WHOLE[1:], rate(SIZES[0], band))
    assert rates == {**TRUE, SIZES[0]: None}
    assert counts["unknown_bands"] == 1


@pytest.mark.parametrize(
    "odd",
    [
        {"skuName": "standard_d9s_v9", "location": "eastus2euap", "evictionRate": "0-5"},
        {"skuName": "", "location": REGION, "evictionRate": "0-5"},
        {"skuName": "d2s", "location": REGION, "evictionRate": "0-5"},  # the merge refuses a shard with such a name
        {"skuName": None, "location": None, "evictionRate": None},
        {"location": REGION},
        {},
        {"skuName": ["a"], "location": {"b": 1}, "evictionRate": 5},
    ],
)
def test_a_row_of_elsewhere_or_without_its_fields_costs_itself(odd: dict[str, Any]) -> None:
    rates, counts = collected(*WHOLE, odd)
    assert rates == TRUE
    assert counts["invalid_rows"] == 1


@pytest.mark.parametrize(("kept", "believed"), [(19, True), (15, True), (5, False)])
def test_rows_that_do_not_come_are_counted_and_cost_themselves_as_long_as_they_are_few(
    kept: int, *, believed: bool
) -> None:
    if believed:
        rates, counts = collected(*WHOLE[:kept], total=20)
        assert (len(rates), counts["missing_rows"]) == (kept, 20 - kept)
        return
    with pytest.raises(UntrustedAnswerError, match="5 usable rows came of 20"):
        collected(*WHOLE[:kept], total=20)


@pytest.mark.parametrize("total", [None, "20", 20.0, True, 0, -5])
def test_a_total_that_is_none_or_too_small_costs_nothing(total: Any) -> None:
    collector = Collector(answered(page(*WHOLE) | {"totalRecords": total}))
    assert collector.collect(replace(ITEM, instance_types=SIZES)).rows == 20


@pytest.mark.parametrize("truncated", ["true", "True", True])
def test_a_truncated_result_is_known_in_any_casing_and_type(truncated: Any) -> None:
    with pytest.raises(UntrustedAnswerError, match="truncated"):
        Collector(answered(page(*WHOLE) | {"resultTruncated": truncated})).collect()


ELSEWHERE = [{**row, "location": "eastus"} for row in WHOLE]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ELSEWHERE, "no eviction rate"),
        ([*ELSEWHERE[:15], *WHOLE[15:]], "5 usable rows came of 20"),
        ([*WHOLE, *(rate(size, "20+") for size in SIZES)], "no eviction rate"),
        ([*WHOLE, *(rate(size, "20+") for size in SIZES[:15])], "5 usable rows came of 35"),
        ([{**row, "skuName": str(row["skuName"]).replace("_", "")} for row in WHOLE], "no eviction rate"),
    ],
    ids=["of another region", "mostly of another region", "contradicted", "mostly contradicted", "of no size"],
)
def test_a_listing_of_rows_that_cannot_be_used_is_no_look_at_the_region(rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(UntrustedAnswerError, match=said):
        collected(*rows)


def test_a_wait_of_5000_digits_ends_the_attempt_by_its_name() -> None:
    headers = {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "9" * 5000 + ":00:01"}
    more = page(*WHOLE) | {"$skipToken": "next"}
    with pytest.raises(DeadlineError, match="quota"):
        Collector(answered(more, **headers)).collect(replace(ITEM, instance_types=SIZES))


def test_nobody_waits_for_quota_after_the_last_page() -> None:
    headers = {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "23:00:00"}
    assert Collector(answered(page(*WHOLE), **headers)).collect(replace(ITEM, instance_types=SIZES)).rows == 20
