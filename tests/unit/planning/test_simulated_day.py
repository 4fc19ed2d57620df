from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.simulated_day import OLDEST_SHARE_ALLOWED, RUNS_A_DAY, EnforcedQuota, simulate
from spotlake.planning.cover import cover_pairs

NOW_AT = datetime(2025, 12, 15, tzinfo=UTC)
# Eight routing locations; 24 calls cover the pairs.
PAIRS = {f"region{region}": {f"Standard_D{size}" for size in range(120)} for region in range(8)}
BLOCKS = cover_pairs(PAIRS).blocks


def test_the_enforced_quota_refuses_the_eleventh_call_in_an_hour() -> None:
    quota = EnforcedQuota()
    assert all(quota.ask("s", "eastus", NOW_AT + timedelta(minutes=number)) for number in range(10))
    assert not quota.ask("s", "eastus", NOW_AT + timedelta(minutes=59))
    assert quota.ask("s", "westus", NOW_AT)
    assert quota.ask("s", "eastus", NOW_AT + timedelta(minutes=60))
    assert quota.refused == 1


@pytest.mark.parametrize(("subscriptions", "failing"), [(1, 0.0), (2, 0.0), (3, 0.0), (1, 0.05)])
def test_a_day_is_never_refused_and_as_fresh_as_the_quota_allows(subscriptions: int, failing: float) -> None:
    day = simulate(PAIRS, BLOCKS, subscriptions=subscriptions, failing=failing)
    assert day.refused == 0
    slack = OLDEST_SHARE_ALLOWED + 10 * failing
    assert day.oldest[1] <= slack * day.theory_minutes + 10


def test_all_calls_of_a_day_are_sent_when_everything_fits() -> None:
    day = simulate(PAIRS, BLOCKS, subscriptions=20, failing=0.0)
    assert day.refused == 0
    assert day.calls == RUNS_A_DAY * len(BLOCKS)
    assert day.pairs == RUNS_A_DAY * 8 * 120
    assert day.oldest[1] <= 110
