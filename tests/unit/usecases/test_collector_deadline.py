"""A collector ends before its Lambda's time-out, and before its group of regions does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from spotlake.clock import Deadline, ManualClock
from spotlake.events import CollectEvent
from spotlake.models import Mode, Run
from spotlake.usecases.collect.region import collector_deadline

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RUN = Run(run_id="20261123T1000Z", attempt=1, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=NOW_AT, owner="me")
EVENT: CollectEvent = {"run": RUN.to_dict(), "region": "eastus"}


# JSONata's $fromMillis writes milliseconds and "Z" (docs.jsonata.org, read 2026-11).
@pytest.mark.parametrize(
    ("ends_at", "left"),
    [("2026-11-23T10:04:30.500Z", 235.0), ("2026-11-23T10:01:00.000Z", 55.0), ("2026-11-23T09:59:00.000Z", -65.0)],
)
def test_the_earlier_of_both_ends_counts(ends_at: str, left: float) -> None:
    deadline = collector_deadline({**EVENT, "ends_at": ends_at}, Deadline(lambda: 235.0), ManualClock(NOW_AT))
    assert deadline.seconds_left() == left


def test_the_time_of_the_group_runs_on() -> None:
    clock = ManualClock(NOW_AT)
    ends_at = (NOW_AT + timedelta(seconds=30)).isoformat()
    deadline = collector_deadline({**EVENT, "ends_at": ends_at}, Deadline(lambda: 235.0), clock)
    clock.advance(seconds=20)
    assert deadline.seconds_left() == 5.0


def test_without_a_group_the_lambda_s_own_time_counts() -> None:
    own = Deadline(lambda: 235.0)
    assert collector_deadline(EVENT, own, ManualClock(NOW_AT)) is own
