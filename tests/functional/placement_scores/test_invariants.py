from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import cycle

import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spotlake.errors import SignInError
from spotlake.models import Run
from spotlake.scores.accounts import AnsweredCall
from tests.functional.placement_scores.double import RUN, SLOT_AT, Bench, Seen, answer, arm_error, item, not_valid


class KilledError(BaseException):
    """Stands for the end of a process."""


_ANSWERS: dict[str, Callable[[], requests.Response | Exception]] = {
    "500": lambda: arm_error(500, "InternalServerError", "unknown error"),
    "time-out": lambda: requests.ReadTimeout("slow"),
    "cut": lambda: answer(200, "", raw=b'{"placementScores":[{'),
    "short throttle": lambda: arm_error(429, "SubscriptionRequestsThrottled", "again after '2' seconds"),
    "invalid": lambda: not_valid("desiredLocations", "eastus"),
    "no role": lambda: arm_error(403, "AuthorizationFailed", "no"),
    "401": lambda: arm_error(401, "ExpiredAuthenticationToken", "expired"),
    "bad request": lambda: arm_error(400, "InvalidParameter", "words"),
}
_WAITS = st.integers(0, 60)  # seconds that pass while a request is answered
_RUNS = st.lists(
    st.tuples(
        st.integers(0, 40),  # minutes to the next run
        st.integers(0, 16),  # calls
        st.lists(st.sampled_from(["", "", "", "", "killed", *_ANSWERS]), max_size=12),
        st.lists(_WAITS, min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=6,
)


class Script:
    """Faults in order, and time that passes while each request is answered."""

    def __init__(self, bench: Bench, faults: list[str], waits: list[int]) -> None:
        self.bench = bench
        self.faults = iter(faults)
        self.waits = cycle(waits)

    def __call__(self, seen: Seen) -> requests.Response | Exception | None:
        passed = next(self.waits)
        self.bench.clock.advance(seconds=passed)
        self.bench.seconds_left -= passed
        kind = next(self.faults, "")
        if kind == "killed":
            raise KilledError
        return _ANSWERS[kind]() if kind else None


def note(done: list[str], answer: AnsweredCall) -> None:
    done.append(answer.call_id)


@settings(max_examples=60, deadline=None)
@example(runs=[(0, 1, ["bad request", "", "no role"], [0])], subscriptions=1)
@given(runs=_RUNS, subscriptions=st.integers(1, 3))
def test_no_quota_is_exceeded_and_no_call_is_lost(
    runs: list[tuple[int, int, list[str], list[int]]], subscriptions: int
) -> None:
    bench = Bench(subscriptions=("sub-a", "sub-b", "sub-c")[:subscriptions], threads=1)
    for minutes, number, faults, waits in runs:
        bench.clock.advance(minutes=minutes)
        bench.seconds_left = 600.0
        slot_at = SLOT_AT + timedelta(minutes=int((bench.clock.now() - SLOT_AT).total_seconds() // 600) * 10)
        run: Run = replace(RUN, run_id=slot_at.strftime("%Y%m%dT%H%MZ"))
        bench.azure.fault = Script(bench, faults, waits)
        done: list[str] = []
        work = item(number)
        try:
            report, rows = bench.collect(work, run, on_call_done=partial(note, done))
        except (KilledError, SignInError):  # a token refused twice in a row before any answer
            continue
        planned = {call.call_id for call in work.calls}
        answered = {call_id for call_id in done if call_id in planned}
        assert answered.isdisjoint(report.unsent_call_ids)
        assert answered | set(report.unsent_call_ids) == planned
        assert len(report.unsent_call_ids) == report.counts["calls_unsent"]
        reasons = sum(times for name, times in report.counts.items() if name.startswith("unsent_"))
        assert reasons == report.counts["calls_unsent"]
        assert {row["call_id"] for row in rows} <= set(done)
        # A call in unknown words is split; the parts that nobody answered are in the accounts.
        is_whole = not report.unsent_call_ids and not any(one.unanswered for one in report.accounts)
        assert (report.status == "complete") == is_whole
    assert bench.azure.refused == 0
