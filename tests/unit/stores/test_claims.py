from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from spotlake.errors import RunInProgressError
from spotlake.stores.claims import COLLECTION, FULL_RUN, Claim, Claims, MemoryClaims, own_lane

NOW_AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
LEASE = timedelta(minutes=20)


def take(claims: Claims, owner: str, *, now_at: datetime = NOW_AT, running: bool = True, lane: str = COLLECTION) -> int:
    return claims.acquire(
        lane, owner=owner, run_id="20251215T1000Z", now_at=now_at, lease=LEASE, is_running=lambda _: running
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


def test_a_full_run_and_a_part_by_hand_keep_no_collection_out() -> None:
    claims = MemoryClaims()
    fences = [take(claims, owner, lane=lane) for owner, lane in (("full", FULL_RUN), ("hand", own_lane("hand")))]
    fences.append(take(claims, "slot"))
    assert len(set(fences)) == 3  # each names an attempt
    assert claims.holder(FULL_RUN, now_at=NOW_AT, is_running=lambda _: True) == "full"
    assert claims.holder(FULL_RUN, now_at=NOW_AT, is_running=lambda _: False) is None
    assert claims.release(owner="full")
    assert claims.holder(FULL_RUN, now_at=NOW_AT, is_running=lambda _: True) is None


class LostAnswer(MemoryClaims):
    """A table whose first write takes effect, and is answered as if somebody else had been quicker."""

    lost = False

    def _write(self, lane: str, claim: Claim, *, expected: Claim | None) -> bool:
        written = super()._write(lane, claim, expected=expected)
        self.lost, first = True, not self.lost
        return written and not first


def test_a_claim_whose_own_write_was_answered_twice_is_its_own() -> None:
    claims = LostAnswer()
    fence = take(claims, "first")
    assert take(claims, "first") == fence
    with pytest.raises(RunInProgressError):
        take(claims, "second")
