"""Clocks and deadlines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from spotlake.clock import Deadline, ManualClock, RunClock, WallClock
from spotlake.errors import DeadlineError
from tests.support.errors import says

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_the_wall_clock_is_aware_and_in_utc() -> None:
    now_at = WallClock().now()
    assert now_at.utcoffset() == timedelta()
    assert abs(now_at.timestamp() - datetime.now().astimezone().timestamp()) < 60


def test_a_run_s_clock_begins_at_the_slot_and_runs_as_the_wall_clock() -> None:
    wall = ManualClock(AT + timedelta(hours=5))
    clock = RunClock(slot_at=AT, started_at=AT + timedelta(hours=4), wall=wall)
    assert clock.now() == AT + timedelta(hours=1)
    wall.advance(seconds=90)
    assert clock.now() == AT + timedelta(hours=1, seconds=90)


def test_a_deadline_is_checked_at_its_end() -> None:
    seconds = iter([100.0, 103.0, 105.0, 105.0])
    deadline = Deadline.after(5, lambda: next(seconds))
    assert deadline.seconds_left() == 2.0
    with says(DeadlineError, "merging: 0.0 s left, needs 0.0 s"):
        deadline.check("merging")
    with says(DeadlineError, "merging: 0.0 s left, needs 1.5 s"):
        deadline.check("merging", needs_seconds=1.5)
    Deadline(lambda: 1.6).check("merging", needs_seconds=1.5)
    with says(DeadlineError, "merging: 1.5 s left, needs 1.5 s"):
        Deadline(lambda: 1.5).check("merging", needs_seconds=1.5)
