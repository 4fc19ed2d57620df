from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from spotlake.errors import RunInProgressError
from spotlake.stores.claims import Claims, MemoryClaims

NOW_AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
LEASE = timedelta(minutes=20)


def take(claims: Claims, owner: str, *, now_at: datetime = NOW_AT, running: bool = True) -> int:
    return claims.acquire(
        owner=owner, run_id="20251215T1000Z", now_at=now_at, lease=LEASE, is_running=lambda _: running
    )


def test_one_collection_at_a_time() -> None:
    claims = MemoryClaims()
    take(claims, "first")
    with pytest.raises(RunInProgressError, match="20251215T1000Z"):
        take(claims, "second")


def test_the_same_owner_gets_the_same_fence() -> None:
    claims = MemoryClaims()
    assert take(claims, "first") == take(claims, "first", now_at=NOW_AT + timedelta(minutes=5))


def test_the_fence_grows_with_every_new_owner() -> None:
    claims = MemoryClaims()
    fences = []
    for owner in ("first", "second", "third"):
        fences.append(take(claims, owner))
        assert claims.release(owner=owner)
    assert fences == sorted(set(fences))


def test_a_lease_that_ran_out_and_an_owner_that_died_are_no_obstacle() -> None:
    claims = MemoryClaims()
    take(claims, "first")
    take(claims, "second", now_at=NOW_AT + LEASE + timedelta(seconds=1))
    take(claims, "third", running=False)


def test_only_the_owner_releases() -> None:
    claims = MemoryClaims()
    take(claims, "first")
    assert not claims.release(owner="second")
    with pytest.raises(RunInProgressError):
        take(claims, "second")
