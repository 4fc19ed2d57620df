"""Refused names: they are left out of this and all further calls, and the rest is asked again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests

from spotlake.models import Dataset, Mode
from spotlake.reports import CollectorReport, Findings
from spotlake.state.lessons import learn_from, read_invalid_names
from tests.functional.placement_scores.double import (
    RUN,
    Bench,
    Seen,
    answer,
    arm_error,
    item,
    not_valid,
)
from tests.functional.placement_scores.faults import once


def test_unknown_regions_are_taken_out_one_by_one_and_the_rest_is_asked() -> None:
    bench = Bench(threads=1)
    bench.azure.invalid_regions = {"korea", "asia"}
    report, rows = bench.collect(item(2, regions=("korea", "koreacentral", "asia")))
    assert report.status == "complete"
    assert report.found.invalid_regions == (
        "asia",
        "korea",
    )
    assert report.counts["calls_sent"] == 4  # two refusals, and the second call knows both names
    assert {row["region"] for row in rows} == {"koreacentral"}


@pytest.mark.parametrize("name", ["Standard_X", "Standard X v2 ", "Standard.X", "Standard_X(v2)"])
def test_unknown_sizes_are_taken_out_whatever_they_are_called(name: str) -> None:
    bench = Bench()
    bench.azure.invalid_sizes = {name}
    report, rows = bench.collect(item(1, sizes=("Standard_D2s_v5", name)))
    assert report.status == "complete"
    assert report.found.invalid_instance_types == (name,)
    assert {row["instance_type"] for row in rows} == {"Standard_D2s_v5"}
    assert report.counts["calls_sent"] == 2


def test_a_refusal_that_says_its_name_twice_counts_once() -> None:
    text = "The value 'korea' provided for the input parameter 'desiredLocations' is not valid."
    bench = Bench()
    bench.azure.fault = once(lambda: arm_error(400, "InvalidParameter", f"{text} {text}"))
    report, _ = bench.collect(item(1, regions=("korea", "koreacentral")))
    assert report.counts["answers_invalid_region"] == 1
    assert report.counts["calls_sent"] == 2


def test_a_refusal_with_escaped_quotes_is_read() -> None:
    body = (
        rb'{"error":{"code":"InvalidParameter","message":"The value \u0027korea\u0027 provided for the input '
        rb'parameter \u0027desiredLocations\u0027 is not valid."}}'
    )
    bench = Bench()
    bench.azure.fault = once(lambda: answer(400, "", raw=body))
    report, _ = bench.collect(item(1, regions=("korea", "koreacentral")))
    assert report.found.invalid_regions == ("korea",)


def test_a_call_of_nothing_but_invalid_names_is_answered_with_no_rows() -> None:
    bench = Bench()
    bench.azure.invalid_regions = {"korea"}
    report, rows = bench.collect(item(1, regions=("korea",)))
    assert (report.status, rows, report.counts["calls_sent"]) == ("complete", [], 1)


def test_a_name_that_was_never_sent_ends_the_call() -> None:
    bench = Bench()
    bench.azure.fault = lambda seen: not_valid("desiredLocations", "atlantis")
    report, _ = bench.collect(item(1))
    assert (report.status, report.unsent_call_ids, report.error) == ("failed", ("c0000",), "AzureRefusedError")
    assert (report.found.invalid_regions, report.found.invalid_instance_types) == ((), ())


def test_other_bad_input_is_not_repeated_for_ever() -> None:
    bench = Bench()
    bench.azure.quota_calls = 1000
    bench.azure.fault = lambda _: arm_error(400, "InvalidParameter", "desiredCount is out of range")
    report, _ = bench.collect(item(9), threads=1)
    assert report.counts["calls_for_parts"] == 24
    assert report.counts["calls_sent"] <= 9 + 24
    assert (report.status, report.counts["unsent_invalid_request"]) == ("failed", 9)
    assert "desiredCount is out of range" in (report.cause or "")


@pytest.mark.parametrize("refused", ["Standard_D2s_v5", "eastus"])
def test_a_name_refused_in_unknown_words_is_found_and_the_others_are_answered(refused: str) -> None:
    bench = Bench()
    regions, sizes = ("koreacentral", "eastus", "westus"), tuple(f"Standard_D{n}s_v5" for n in (2, 4, 8, 16, 32))

    def fault(seen: Seen) -> requests.Response | None:
        if refused in (*seen.regions, *seen.instance_types):
            return arm_error(400, "SomethingNew", "words that nobody knows")
        return None

    bench.azure.fault = fault
    report, rows = bench.collect(item(1, regions=regions, sizes=sizes), threads=1)
    answered = {(row["region"], row["instance_type"]) for row in rows if row["score"]}
    assert answered == {(region, size) for region in regions for size in sizes if refused not in (region, size)}
    assert (*report.found.invalid_regions, *report.found.invalid_instance_types) == (refused,)
    assert report.status == "complete"


def test_a_name_that_was_refused_once_is_healed_by_an_answer() -> None:
    bench = Bench()
    found = Findings(invalid_regions=("eastus",))
    refused = CollectorReport(dataset=Dataset.SPS, region="eastus", status="complete", rows=0, found=found)
    learn_from(bench.objects, RUN, [refused])
    full = replace(RUN, mode=Mode.FULL, run_id="20261123T1010Z")
    report, _ = bench.collect(item(1), full)
    assert report.found.answered_regions == ("eastus",)
    learn_from(bench.objects, full, [report])
    assert read_invalid_names(bench.objects).regions == {}
