from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests

from spotlake.clock import Deadline
from spotlake.errors import ReclaimedError, SpotlakeError, StoreError
from spotlake.models import Mode, Run, WorkItem
from spotlake.scores.accounts import AnsweredCall
from spotlake.scores.quota import QuotaRules
from spotlake.settings import Settings
from spotlake.stores.ledger import MemoryLedger
from spotlake.usecases.collect.call_sender import CallSender
from tests.functional.placement_scores.double import RUN, SLOT_AT, Bench, Seen, answer, item

RULES = QuotaRules(calls=10, window_seconds=62 * 60)


def run_after(minutes: int) -> Run:
    slot_at = SLOT_AT + timedelta(minutes=minutes)
    return replace(RUN, run_id=slot_at.strftime("%Y%m%dT%H%MZ"))


def test_nothing_to_do_writes_an_empty_shard() -> None:
    report, rows = Bench().collect(item(0))
    assert (report.status, report.rows, rows) == ("complete", 0, [])


@pytest.mark.parametrize(("calls", "threads"), [(10, 1), (17, 4)])
def test_a_block_is_reserved_with_one_write_for_all_subscriptions(calls: int, threads: int) -> None:
    ledger = MemoryLedger()
    bench = Bench(ledger=ledger, threads=threads)
    bench.collect(item(calls))
    assert ledger.writes == 1
    assert sum(bench.sent().values()) == calls


def test_when_quota_ends_what_came_is_kept_and_the_rest_is_named() -> None:
    bench = Bench(subscriptions=("sub-a",), threads=1)
    report, rows = bench.collect(item(14, fallback=()))
    assert report.status == "partial"
    assert report.unsent_call_ids == ("c0010", "c0011", "c0012", "c0013")  # the most important went first
    assert report.counts["unsent_no_quota"] == 4
    assert len({row["call_id"] for row in rows}) == 10
    assert bench.azure.refused == 0


def test_quota_of_other_locations_is_used_when_its_own_is_short() -> None:
    bench = Bench(subscriptions=("sub-a",), threads=3)
    report, _ = bench.collect(item(14))
    assert report.status == "complete"
    assert bench.azure.refused == 0
    assert sum(seen.location != "koreacentral" for seen in bench.azure.seen) == 4


@pytest.mark.parametrize(("seconds_left", "sent"), [(16.0, 0), (16.1, 1)])
def test_the_last_fifteen_seconds_are_kept_for_the_shard(seconds_left: float, sent: int) -> None:
    bench = Bench(seconds_left=seconds_left)  # and no call begins in the second before
    report, rows = bench.collect(item(1))
    assert (len(bench.azure.seen), report.status, bool(rows)) == (sent, "complete" if sent else "failed", bool(sent))


@pytest.mark.parametrize(("calls", "second_calls"), [(9, 2), (10, 3), (19, 3), (20, 4)])
def test_a_tenth_of_the_calls_and_two_more_may_ask_again(calls: int, second_calls: int) -> None:
    bench, work = Bench(), item(calls)
    every = {size for call in work.calls for size in call.instance_types}
    bench.azure.restricted = {"sub-a": every, "sub-b": every}
    report, _ = bench.collect(work)
    assert report.counts["second_calls"] == second_calls


def test_half_the_quota_beside_production() -> None:
    bench = Bench(subscriptions=("sub-a",))
    report, _ = bench.collect(replace(item(14, fallback=()), quota_share_percent=50))
    assert report.counts["calls_sent"] == 5


def test_two_executions_at_once_never_exceed_the_quota() -> None:
    bench = Bench(subscriptions=("sub-a", "sub-b", "sub-c"), threads=4)
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: bench.collect(item(12))[0], range(4)))
    assert bench.azure.refused == 0
    assert sum(report.counts["calls_sent"] for report in reports) == 48
    assert all(report.status == "complete" for report in reports)


class KilledError(BaseException):
    """Stands for the end of a process: nothing of ours catches it."""


def test_a_lambda_killed_after_reserving_costs_quota_but_exceeds_none() -> None:
    bench = Bench(subscriptions=("sub-a", "sub-b"), threads=1)
    with pytest.raises(KilledError):
        bench.collect(item(8), tokens=_Killer())
    assert bench.azure.seen == []
    report, _ = bench.collect(item(20, fallback=()))
    assert bench.azure.refused == 0
    assert report.counts["calls_sent"] == 12  # the killed one's 8 stay counted
    bench.clock.advance(minutes=63)
    assert bench.collect(item(20, fallback=()))[0].status == "complete"
    assert bench.azure.refused == 0


class _Killer:
    def headers(self) -> dict[str, str]:
        raise KilledError

    def renew(self, refused: object) -> None:
        raise AssertionError


def test_rights_left_at_the_end_are_given_back() -> None:
    bench = Bench(subscriptions=("sub-a",), threads=1)
    bench.azure.invalid_regions = {"koreacentral"}
    report, _ = bench.collect(item(8, regions=("koreacentral",)))
    assert report.counts["calls_sent"] == 1
    free = bench.ledger.free(["koreacentral"], now_at=bench.clock.now(), subscriptions=bench.subscriptions, rules=RULES)
    assert free == {"koreacentral": 9}


def test_a_right_that_waited_too_long_is_renewed_before_it_is_used() -> None:
    bench = Bench(subscriptions=("sub-a",), threads=1)

    def slow(seen: Seen) -> None:
        bench.clock.advance(seconds=40)

    bench.azure.fault = slow
    report, _ = bench.collect(item(10, fallback=()))
    assert report.status == "complete"
    last_at = bench.azure.seen[-1].at
    bench.clock.advance(seconds=(last_at + timedelta(minutes=60) - bench.clock.now()).total_seconds() - 30)
    bench.azure.fault = None
    bench.collect(item(10, fallback=()))
    assert bench.azure.refused == 0


def test_a_days_runs_are_never_refused() -> None:
    bench = Bench(subscriptions=("sub-a", "sub-b"), threads=2)
    sent = 0
    for number in range(36):
        report, _ = bench.collect(item(9), run_after(10 * number))
        sent += report.counts["calls_sent"]
        bench.clock.advance(minutes=10)
    assert bench.azure.refused == 0
    assert sent >= 300  # 3 locations x 20 calls in any 7 slots are 308


def test_where_nobody_expected_calls_blocks_grow() -> None:
    ledger = MemoryLedger()
    bench = Bench(subscriptions=("sub-a",), threads=1, ledger=ledger)
    unsupported = answer(400, "No registered resource provider found for location")
    bench.azure.fault = lambda seen: unsupported if seen.location == "koreacentral" else None
    report, _ = bench.collect(item(10, fallback=("westus",)))
    assert report.status == "complete"
    # At home one block of ten, nine of them given back; elsewhere blocks of 1, 2, 3 and 4.
    assert ledger.writes == 1 + 1 + 4


def test_answered_calls_are_told_and_not_sent_again() -> None:
    bench = Bench(subscriptions=("sub-a",), threads=2)
    done: dict[str, AnsweredCall] = {}
    bench.azure.fault = lambda seen: requests.ConnectionError("lost") if seen.number >= 3 else None
    first, _ = bench.collect(item(6), on_call_done=lambda answer: done.update({answer.call_id: answer}))
    assert len(done) == 3
    assert len(first.unsent_call_ids) == 3
    bench.azure.fault = None
    before = len(bench.azure.seen)
    second, rows = bench.collect(item(6), already=done)
    assert len(bench.azure.seen) - before == 3
    assert (second.status, second.counts["calls_already"], len(rows)) == ("complete", 3, 6 * 2 * 2 * 3)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Only its first call is answered before the collector is stopped."""
    bench = Bench(subscriptions=("sub-a", "sub-b"), threads=2)
    stopped = threading.Event()
    stop = CallSender.stop

    def stop_and_tell(sender: CallSender, why: SpotlakeError) -> None:
        stop(sender, why)
        stopped.set()

    monkeypatch.setattr(CallSender, "stop", stop_and_tell)
    lock = threading.Lock()
    send = bench.azure.send

    def send_held(*args: Any, **kwargs: Any) -> requests.Response:
        with lock:
            is_first = not bench.azure.seen
            answered = send(*args, **kwargs)
        assert is_first or stopped.wait(10)
        return answered

    monkeypatch.setattr(bench.azure, "send", send_held)
    return bench


def test_a_hook_that_raises_stops_the_collector(held: Bench) -> None:
    told: list[str] = []

    def stop(answer: AnsweredCall) -> None:
        told.append(answer.call_id)
        raise ReclaimedError(answer.call_id)

    with pytest.raises(ReclaimedError):
        held.collect(item(15), on_call_done=stop)
    assert len(held.azure.seen) <= 3  # the first, and one under way in each thread
    assert len(told) == len(held.azure.seen)  # what was under way has used quota: its answer is handed over too
    assert held.objects.objects == {}
    free = held.ledger.free(["koreacentral"], now_at=held.clock.now(), subscriptions=held.subscriptions, rules=RULES)
    assert free == {"koreacentral": 20 - len(held.azure.seen)}


def test_a_process_told_to_end_sends_nothing_more(held: Bench) -> None:
    def end(answer: AnsweredCall) -> None:
        raise SystemExit(75)

    with pytest.raises(SystemExit):
        held.collect(item(15), on_call_done=end)
    assert len(held.azure.seen) <= 3


def test_the_deadline_leaves_time_for_the_shard() -> None:
    bench = Bench(threads=1, seconds_left=100.0)

    def slow(seen: Seen) -> None:
        bench.seconds_left -= 20
        bench.clock.advance(seconds=20)

    bench.azure.fault = slow
    report, rows = bench.collect(item(9))
    assert bench.seconds_left >= -5.0
    assert (report.status, report.error) == ("partial", "DeadlineError")
    assert len({row["call_id"] for row in rows}) == 9 - len(report.unsent_call_ids) == 5
    assert report.counts["unsent_deadline"] == 4


def test_no_time_at_all() -> None:
    bench = Bench(seconds_left=5.0)
    report, _ = bench.collect(item(3))
    assert (report.status, report.counts["calls_sent"], len(report.unsent_call_ids)) == ("failed", 0, 3)


class _BrokenLedger(MemoryLedger):
    def reserve(self, *args: object, **kwargs: object) -> Any:
        raise StoreError("cannot read the quota")


def test_without_the_ledger_nothing_is_sent() -> None:
    bench = Bench(ledger=_BrokenLedger())
    report, _ = bench.collect(item(3))
    assert (report.status, report.error, report.counts["calls_sent"]) == ("failed", "StoreError", 0)


def test_a_row_says_when_it_was_answered() -> None:
    bench = Bench(threads=1)

    def slow(seen: Seen) -> None:
        bench.clock.advance(seconds=7)

    bench.azure.fault = slow
    _, rows = bench.collect(item(2))
    said = {row["call_id"]: row["observed_at"] for row in rows}
    assert said == {"c0000": "2026-11-23T10:00:07Z", "c0001": "2026-11-23T10:00:14Z"}


def test_a_pair_in_two_calls_is_one_row_whatever_comes_first() -> None:
    work = item(2)
    twice = replace(work, calls=tuple(replace(call, instance_types=("Standard_D2s_v5",)) for call in work.calls))
    for order in (("High", "Low"), ("Low", "High"), ("Low", "DataNotFoundOrStale"), ("DataNotFoundOrStale", "Low")):
        bench = Bench(threads=1)
        words: Iterator[str] = iter(order)

        def fault(seen: Seen, words: Iterator[str] = words) -> requests.Response:
            word = next(words)
            rows = [{"sku": "Standard_D2s_v5", "region": "eastus", "availabilityZone": "1", "score": word}]
            return answer(200, {"placementScores": rows})

        bench.azure.fault = fault
        report, rows = bench.collect(twice)
        assert [row["score"] for row in rows] == [1]
        assert report.counts["rows_duplicate"] == 1


def test_a_full_run_asks_several_counts_in_one_shard() -> None:
    bench = Bench(subscriptions=("sub-a", "sub-b"))
    work = item(1)
    calls = tuple(replace(work.calls[0], call_id=f"c0000-{count}", desired_count=count) for count in (1, 5, 50))
    run = replace(RUN, mode=Mode.FULL, desired_counts=(1, 5, 50))
    report, rows = bench.collect(replace(work, calls=calls), run)
    assert (report.status, {row["desired_count"] for row in rows}) == ("complete", {1, 5, 50})


def test_a_simulated_source_is_said_in_every_row() -> None:
    bench = Bench(settings=Settings(azure_source="simulated"))
    _, rows = bench.collect(item(1))
    assert {row["source"] for row in rows} == {"simulated"}


def test_threads_share_the_work_and_none_is_lost() -> None:
    bench = Bench(subscriptions=tuple(f"sub-{number}" for number in range(20)), threads=16)
    done: list[str] = []
    work: WorkItem = item(150)
    report, _ = bench.collect(work, on_call_done=lambda answer: done.append(answer.call_id))
    assert sorted(done) == [call.call_id for call in work.calls]
    assert report.counts["calls_sent"] == report.counts["requests"] == 150
    assert bench.azure.refused == 0


def test_a_deadline_of_its_own_can_stop_it() -> None:
    bench = Bench(threads=1)
    left = iter([600.0] * 12)
    report, _ = bench.collect(item(9), deadline=Deadline(lambda: next(left, 0.0)))
    assert report.status == "partial"
    assert report.unsent_call_ids


def test_a_second_call_that_fails_costs_no_answer() -> None:
    bench, work = Bench(threads=1), item(3)
    bench.azure.restricted = {name: {"Standard_D2s_v5"} for name in bench.subscriptions}
    bench.azure.fault = lambda seen: answer(500, "down") if seen.number >= 3 else None
    report, rows = bench.collect(work)
    assert (report.status, report.counts["second_calls"], report.counts["second_calls_answered"]) == ("complete", 1, 0)
    assert {row["call_id"] for row in rows} == {"c0000", "c0001", "c0002"}


def test_a_second_call_that_an_earlier_start_stored_is_not_sent_again_though_it_has_no_rows() -> None:
    stored: list[AnsweredCall] = []
    bench, work = Bench(threads=1), item(3)
    bench.azure.restricted = {name: {"Standard_D2s_v5"} for name in bench.subscriptions}
    first, _ = bench.collect(work, on_call_done=stored.append)
    assert (first.counts["second_calls"], len(stored)) == (1, 4)
    asked = len(bench.azure.seen)
    known = {one.call_id: one if one.call_id.startswith("c0") else replace(one, rows=()) for one in stored}
    again, _ = bench.collect(work, already=known)
    assert (len(bench.azure.seen), again.counts["second_calls"]) == (asked, 0)
