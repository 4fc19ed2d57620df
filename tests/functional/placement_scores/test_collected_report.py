"""The report of one collector in every field, and what it hands to the search for second calls."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pytest

from spotlake.errors import ReclaimedError
from spotlake.models import Dataset, Mode
from spotlake.planning.lessons import Restrictions
from spotlake.reports import CollectorReport, Findings, LocationAnswers, PairAccount
from spotlake.scores.accounts import AnsweredCall
from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect import placement_scores
from tests.functional.placement_scores.double import RUN, Bench, arm_error, item
from tests.support.errors import says

A, B = "Standard_D2s_v5", "Standard_E4s_v5"
# Counts of rows that something is wrong with (scores/rows.py).
ROWS = (
    "invalid_rows", "rows_duplicate", "rows_restricted", "rows_stale", "rows_unknown_word", "rows_without_quota",
    "rows_zone_unknown",
)  # fmt: skip


def test_a_report_in_every_field() -> None:
    report, rows = Bench().collect(item(2))
    assert report == CollectorReport(
        dataset=Dataset.SPS,
        region="koreacentral",
        status="complete",
        rows=24,
        counts={
            "answers_scored": 2, "calls_already": 0, "calls_answered": 2, "calls_planned": 2, "calls_sent": 2,
            "calls_unsent": 0, "give_back_failures": 0, "pairs_unanswered": 0, "requests": 2, "retries": 0,
            "rows_dropped": 0, "second_calls": 0, "second_calls_answered": 0, "throttles": 0, **dict.fromkeys(ROWS, 0),
        },
        accounts=tuple(
            PairAccount(region=region, desired_count=1, scored=4) for region in ("eastus", "koreacentral")
        ),
        found=Findings(locations={"koreacentral": LocationAnswers(sent=2, failed=0, slow=0, median_seconds=0.0)}),
    )  # fmt: skip
    assert len(rows) == 24  # 2 calls x 2 regions x 2 sizes x 3 zones


def test_a_report_of_calls_without_quota() -> None:
    bench = Bench(subscriptions=("sub-a",))
    bench.azure.quota_calls = 1
    bench.settings = replace(bench.settings, quota_calls=1)
    report, _ = bench.collect(item(3, fallback=()))
    assert (report.status, report.error, report.rows) == ("partial", None, 12)
    assert report.unsent_call_ids == ("c0001", "c0002")
    assert report.cause == "2 of 3 calls got no answer (2 no_quota); 8 pairs are without an answer"
    counts = ("calls_planned", "calls_answered", "calls_unsent", "calls_sent", "unsent_no_quota")
    assert [report.counts[name] for name in counts] == [3, 1, 2, 1, 2]
    assert report.counts["pairs_unanswered"] == 0  # of the answer that came; the accounts have the others
    assert sum(one.missing for one in report.accounts) == 8
    assert "second_calls" not in report.counts


def test_a_report_of_calls_that_all_fail() -> None:
    bench = Bench()
    bench.azure.fault = lambda _: arm_error(500, "InternalError", "down")
    report, rows = bench.collect(item(1, fallback=()))
    assert (report.status, report.error, report.rows, rows) == ("failed", "AzureUnavailableError", 0, [])
    assert report.cause == (
        "1 of 1 calls got no answer (1 unavailable); 4 pairs are without an answer;"
        " last: placement scores: HTTP 500 InternalError: down"
    )
    assert report.found.locations == {"koreacentral": LocationAnswers(sent=1, failed=1, slow=0)}
    assert (report.counts["requests"], report.counts["retries"]) == (2, 1)


def test_a_machine_that_is_taken_away_writes_no_shard() -> None:
    bench = Bench()
    with says(ReclaimedError, "koreacentral: the machine is taken away before its shard was written"):
        bench.collect(item(1), stopping=lambda: True)
    assert [key for key in bench.objects.objects if key.startswith("rawdata/")] == []


@pytest.mark.parametrize(
    ("calls", "percent", "most"), [(1, 10, 2), (9, 10, 2), (10, 10, 3), (19, 10, 3), (10, 1000, 102)]
)
def test_second_calls_are_two_and_a_tenth_of_the_calls(
    monkeypatch: pytest.MonkeyPatch, calls: int, percent: int, most: int
) -> None:
    monkeypatch.setattr(placement_scores, "_SECOND_CALLS_PERCENT", percent)
    asked: list[dict[str, Any]] = []

    def second_calls(rows: Any, **given: Any) -> list[Any]:
        asked.append({**given, "rows": len(rows)})
        return []

    monkeypatch.setattr(placement_scores, "second_calls", second_calls)
    bench = Bench()
    bench.settings = replace(bench.settings, quota_calls=1000)
    bench.azure.quota_calls = 1000
    bench.collect(item(calls, regions=("eastus",), sizes=(A,)))
    assert asked == [
        {
            "rows": 3 * calls, "remembered": frozenset(), "location": "koreacentral", "most": most,
            "digests": [subscription_digest(name) for name in ("sub-a", "sub-b")],
        }
    ]  # fmt: skip


def test_a_restricted_pair_is_improved_and_found() -> None:
    bench = Bench()
    bench.azure.restricted = {"sub-a": {B}}
    report, rows = bench.collect(item(1, regions=("eastus",)))
    a, b = (subscription_digest(name) for name in ("sub-a", "sub-b"))
    assert (report.counts["second_calls"], report.counts["second_calls_answered"]) == (1, 1)
    assert report.accounts == (PairAccount(region="eastus", desired_count=1, scored=2),)
    assert report.found.restricted_for == {a: (("eastus", B),)}
    assert report.found.restricted_pairs == ()
    assert {row["subscription"] for row in rows if row["instance_type"] == B and row["score"]} == {b}


def test_a_pair_that_is_restricted_everywhere_is_found_once() -> None:
    bench = Bench()
    bench.azure.restricted = {"sub-a": {B}, "sub-b": {B}}
    report, _ = bench.collect(item(1, regions=("eastus",)))
    assert report.found.restricted_pairs == (("eastus", B),)
    assert report.accounts == (
        PairAccount(region="eastus", desired_count=1, scored=1, without_score={"restricted": (B,)}),
    )


def test_refused_names_are_told_as_they_were_sent() -> None:
    bench = Bench()
    bench.azure.invalid_regions, bench.azure.invalid_sizes = {"eastus"}, {B}
    report, rows = bench.collect(item(1))
    assert (report.found.invalid_regions, report.found.invalid_instance_types) == (("eastus",), (B,))
    assert report.accounts == (
        PairAccount(region="eastus", desired_count=1, without_score={"invalid_name": (A, B)}),
        PairAccount(region="koreacentral", desired_count=1, scored=1, without_score={"invalid_name": (B,)}),
    )
    assert {(row["region"], row["instance_type"]) for row in rows} == {("koreacentral", A)}


def test_subscriptions_that_azure_refuses_are_told() -> None:
    bench = Bench()
    bench.azure.fault = lambda seen: arm_error(403, "Denied", "no") if seen.subscription == "sub-a" else None
    report, _ = bench.collect(item(1))
    assert report.found.refused_subscriptions == {subscription_digest("sub-a"): "Denied"}


def test_what_is_owed_alone_is_accounted_for() -> None:
    report, rows = Bench().collect(item(1), owed={"eastus": {A}})
    assert report.accounts == (PairAccount(region="eastus", desired_count=1, scored=1),)
    assert len(rows) == 12


def test_a_shard_of_this_attempt_is_not_collected_again() -> None:
    bench = Bench()
    report, _ = bench.collect(item(1))
    bench.attempts = 0
    again, _ = bench.collect(item(2))
    assert (again, len(bench.azure.seen)) == (report, 1)


def test_subscriptions_without_zones_are_used_last() -> None:
    bench = Bench()
    digest = subscription_digest("sub-b")
    numbers = {"eastus": {"1": "b1", "2": "b2", "3": "b3"}, "koreacentral": {"1": "b1"}}
    bench.collect(item(1), zones=ZoneMap({digest: numbers}, reference=digest))
    assert {seen.subscription for seen in bench.azure.seen} == {"sub-b"}


def test_our_share_of_the_quota_is_that_of_the_work_and_else_of_the_setting() -> None:
    for share, setting, sent in ((20, 100, 2), (0, 30, 3), (0, 0, 10)):
        bench = Bench(subscriptions=("sub-a",))
        bench.settings = replace(bench.settings, quota_share_percent=setting)
        bench.collect(replace(item(12, fallback=()), quota_share_percent=share))
        assert len(bench.azure.seen) == sent


def test_the_time_of_the_shard_is_the_clocks_and_its_source_the_settings() -> None:
    bench = Bench()
    bench.settings = replace(bench.settings, azure_source="simulated")
    _, rows = bench.collect(item(1), run=replace(RUN, mode=Mode.FULL), objects=bench.objects)
    assert {row["source"] for row in rows} == {"simulated"}
    assert isinstance(bench.objects, MemoryObjects)


def test_the_time_of_a_collector_is_told_to_the_millisecond() -> None:
    ticks = chain([1.0], repeat(2.23456))
    report, _ = Bench().collect(item(1), monotonic=lambda: next(ticks))
    assert report.seconds == 1.235


def test_calls_of_an_earlier_start_are_answered_and_second_calls_are_rows_alone() -> None:
    bench = Bench()
    answered: list[AnsweredCall] = []
    bench.collect(item(2), on_call_done=answered.append)
    sent = len(bench.azure.seen)
    already = {one.call_id: one for one in answered}
    already["again-1"] = replace(answered[0], call_id="again-1")
    report, rows = bench.collect(item(3), already=already)
    assert len(bench.azure.seen) - sent == 1
    assert [report.counts[name] for name in ("calls_planned", "calls_answered", "calls_already", "calls_sent")] == [
        3, 3, 2, 1
    ]  # fmt: skip
    assert len(rows) == 36
    assert sum(one.scored for one in report.accounts) == 12


def test_a_pair_that_is_known_to_be_restricted_is_not_found_again() -> None:
    bench = Bench()
    bench.azure.restricted = {"sub-a": {B}, "sub-b": {B}}
    known = Restrictions(frozenset({("eastus", "standard_e4s_v5"), ("eastus", "standard_d2s_v5")}), {})
    report, _ = bench.collect(item(1, regions=("eastus",)), restrictions=lambda _: known)
    assert report.found.restricted_pairs == ()
    assert report.found.unrestricted_pairs == (("eastus", "standard_d2s_v5"),)
