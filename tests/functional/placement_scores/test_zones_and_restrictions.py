"""Zones give one series per building, and restricted pairs are asked through another subscription."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from spotlake.models import Run
from spotlake.scores.quota import QuotaRules
from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.state.lessons import learn_from
from spotlake.stores.ledger import MemoryLedger
from tests.functional.placement_scores.double import RUN, SLOT_AT, Bench, item

RULES = QuotaRules(calls=10, window_seconds=62 * 60)


def run_after(minutes: int) -> Run:
    slot_at = SLOT_AT + timedelta(minutes=minutes)
    return replace(RUN, run_id=slot_at.strftime("%Y%m%dT%H%MZ"))


def test_zones_of_different_subscriptions_give_one_series_per_building() -> None:
    bench = Bench(threads=1)
    bench.azure.physical = {
        "sub-a": {"1": "b1", "2": "b2", "3": "b3"},
        "sub-b": {"1": "b3", "2": "b1", "3": "b2"},
    }
    bench.azure.words = {"b1": "High", "b2": "Medium", "b3": "Low"}
    series = []
    for subscription in bench.subscriptions:
        _, rows = bench.collect(item(2), subscriptions=(subscription,))
        series.append([(row["instance_type"], row["zone"], row["physical_zone"], row["score"]) for row in rows])
    assert series[0] == series[1]
    assert {entry[1:] for entry in series[0]} == {("1", "b1", 3), ("2", "b2", 2), ("3", "b3", 1)}


def test_a_building_that_is_not_known_is_not_guessed() -> None:
    bench = Bench()
    bench.azure.regional = {"eastus"}
    nothing_known = ZoneMap({}, reference=subscription_digest("sub-a"))
    report, rows = bench.collect(item(1), subscriptions=("sub-b",), zones=nothing_known)
    assert {(row["region"], row["zone"]) for row in rows} == {("eastus", "Single")}
    assert report.counts["rows_zone_unknown"] == 2 * 3
    report, rows = bench.collect(item(1), subscriptions=("sub-a",), zones=nothing_known)
    assert {row["zone"] for row in rows} == {"1", "2", "3", "Single"}  # the reference's own numbers need no map


def test_a_subscription_whose_zones_are_not_known_is_used_last() -> None:
    ledger = MemoryLedger()
    bench = Bench(subscriptions=("sub-a", "sub-b", "sub-c"), threads=1, ledger=ledger)
    numbers = {subscription_digest("sub-c"): {"koreacentral": {"1": "b1"}}}
    zones = ZoneMap(numbers, reference=subscription_digest("sub-a"))
    bench.collect(item(20, fallback=()), zones=zones)
    assert bench.sent() == {"sub-a@koreacentral": 10, "sub-c@koreacentral": 10}
    assert ledger.writes == 1
    report, _ = bench.collect(item(5, fallback=()), zones=zones)
    assert report.status == "complete"
    assert bench.sent()["sub-b@koreacentral"] == 5


def test_a_restricted_pair_is_asked_again_through_another_subscription() -> None:
    bench = Bench(threads=1)
    bench.azure.restricted = {"sub-a": {"Standard_D2s_v5", "Standard_E4s_v5"}}
    report, rows = bench.collect(item(3))
    assert report.status == "complete"
    assert report.counts["second_calls"] == report.counts["second_calls_answered"] == 1
    assert {row["score_text"] for row in rows} == {"High"}
    assert report.found.restricted_pairs == ()
    assert {row["subscription"] for row in rows if row["call_id"].startswith("again")} == {subscription_digest("sub-b")}


def test_a_pair_that_two_subscriptions_refuse_is_restricted_and_remembered() -> None:
    bench = Bench(threads=1)
    bench.azure.restricted = {name: {"Standard_D2s_v5"} for name in bench.subscriptions}
    report, rows = bench.collect(item(2))
    assert report.found.restricted_pairs == (("eastus", "Standard_D2s_v5"), ("koreacentral", "Standard_D2s_v5"))
    assert report.counts["second_calls"] == 1
    restricted = [row for row in rows if row["instance_type"] == "Standard_D2s_v5"]
    assert {(row["score"], row["score_text"]) for row in restricted} == {(None, "RestrictedSkuNotAvailable")}
    assert report.counts["rows_restricted"] == len(restricted) == 6
    learn_from(bench.objects, RUN, [report])
    report, _ = bench.collect(item(2), run_after(10))
    assert report.counts["second_calls"] == 0
    assert report.found.restricted_pairs == ()
    bench.azure.restricted = {}
    report, _ = bench.collect(item(2), run_after(20))
    assert report.found.unrestricted_pairs == (("eastus", "standard_d2s_v5"), ("koreacentral", "standard_d2s_v5"))
    learn_from(bench.objects, run_after(20), [report])
    bench.azure.restricted = {name: {"Standard_D2s_v5"} for name in bench.subscriptions}
    report, _ = bench.collect(item(2), run_after(30))
    assert report.counts["second_calls"] == 1


def test_a_pair_that_one_subscription_may_not_use_is_asked_through_another_from_then_on() -> None:
    bench = Bench(threads=1)
    bench.azure.restricted = {"sub-a": {"Standard_D2s_v5"}}
    report, _ = bench.collect(item(3))
    assert report.counts["second_calls"] == 1
    digest = subscription_digest("sub-a")
    assert [pair[1] for pair in report.found.restricted_for[digest]] == ["Standard_D2s_v5", "Standard_D2s_v5"]
    learn_from(bench.objects, RUN, [report])
    bench.clock.advance(minutes=70)
    report, rows = bench.collect(item(3), run_after(70))
    assert (report.counts["second_calls"], report.counts["calls_sent"]) == (0, 3)
    assert {row["subscription"] for row in rows if row["call_id"] == "c0000"} == {subscription_digest("sub-b")}
    assert {row["score_text"] for row in rows} == {"High"}


def test_a_shunned_subscription_is_used_when_there_is_no_other() -> None:
    bench = Bench(threads=1)
    bench.azure.restricted = {"sub-a": {"Standard_D2s_v5"}}
    report, _ = bench.collect(item(1))
    learn_from(bench.objects, RUN, [report])
    report, _ = bench.collect(item(1), run_after(10), subscriptions=("sub-a",))
    assert (report.status, report.counts["calls_sent"]) == ("complete", 1)


def test_with_one_subscription_nothing_is_asked_again() -> None:
    bench = Bench(subscriptions=("sub-a",))
    bench.azure.restricted = {"sub-a": {"Standard_D2s_v5"}}
    report, _ = bench.collect(item(2))
    assert report.counts["calls_sent"] == 2
    assert report.found.restricted_pairs == ()


def test_asking_again_is_bounded() -> None:
    sizes = tuple(f"Standard_D{number}s_v5" for number in range(5))
    bench = Bench(threads=1)
    bench.azure.restricted = {"sub-a": {f"{size}{'x' * number}" for size in sizes for number in range(9)}}
    report, _ = bench.collect(item(9, sizes=sizes))
    assert report.counts["second_calls"] == 2


def test_nothing_is_asked_again_while_planned_calls_wait() -> None:
    bench = Bench(threads=1)
    bench.azure.restricted = {"sub-a": {"Standard_D2s_v5"}, "sub-b": {"Standard_D2s_v5"}}
    report, _ = bench.collect(item(21, fallback=()))
    assert report.status == "partial"
    assert "second_calls" not in report.counts
