from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlake.scores.quota import LocationUse, QuotaRules, RouteUse, choose_subscriptions, rest_end

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RULES = QuotaRules.of(quota_calls=10, window_minutes=62)


def after(**duration: float) -> datetime:
    return NOW_AT + timedelta(**duration)


@pytest.mark.parametrize(("share", "calls"), [(0, 10), (50, 5), (30, 3), (100, 10), (1, 1)])
def test_share_of_the_quota(share: int, calls: int) -> None:
    rules = QuotaRules.of(quota_calls=10, window_minutes=62, share_percent=share)
    assert rules.calls == calls


def test_a_window_slides() -> None:
    use = RouteUse().reserve(NOW_AT, 4, RULES).reserve(after(minutes=30), 6, RULES)
    assert use.free(after(minutes=61, seconds=59), RULES) == 0
    assert use.free(after(minutes=62), RULES) == 4
    assert use.free(after(minutes=92), RULES) == 10


def test_entries_of_the_future_count() -> None:
    use = RouteUse().reserve(after(hours=5), 7, RULES)
    assert use.free(NOW_AT, RULES) == 3
    assert use.reserve(NOW_AT, 3, RULES).free(after(hours=5), RULES) == 3


def test_what_is_over_is_forgotten_when_the_item_is_written() -> None:
    use = RouteUse().reserve(NOW_AT, 4, RULES).reserve(after(minutes=62), 1, RULES)
    assert use.entries == ((int(after(minutes=62).timestamp()), 1),)


@pytest.mark.parametrize("calls", [0, 11, -1])
def test_more_than_is_free_cannot_be_reserved(calls: int) -> None:
    with pytest.raises(ValueError, match="cannot reserve"):
        RouteUse().reserve(NOW_AT, calls, RULES)


def test_a_refused_pair_rests_for_one_window_and_never_shorter_than_before() -> None:
    use = RouteUse().rest(rest_end(NOW_AT, RULES))
    assert use.free(after(minutes=61, seconds=59), RULES) == 0
    assert use.free(after(minutes=62), RULES) == 10
    assert use.rest(after(minutes=1)).rest_until == use.rest_until


def test_giving_back_frees_only_that_reservation() -> None:
    use = RouteUse().reserve(NOW_AT, 4, RULES).reserve(after(minutes=1), 6, RULES)
    assert use.give_back(NOW_AT, 3).entries == ((int(NOW_AT.timestamp()), 1), (int(after(minutes=1).timestamp()), 6))
    assert use.give_back(NOW_AT, 4).free(after(minutes=2), RULES) == 4
    assert use.give_back(after(minutes=9), 4).entries == use.entries


def test_an_item_lives_as_long_as_anything_in_it_counts() -> None:
    use = LocationUse().reserve({"a": 1}, NOW_AT, RULES)
    assert use.expires_at(RULES) > after(minutes=62).timestamp() - 1
    resting = use.change("b", RouteUse().rest(after(hours=3)))
    assert resting.expires_at(RULES) > after(hours=3).timestamp()


def test_a_location_refuses_more_than_is_free_with_the_older_items() -> None:
    use = LocationUse(older={"a": RouteUse().reserve(NOW_AT, 4, RULES)})
    assert use.reserve({"a": 6}, NOW_AT, RULES).route("a").free(NOW_AT, RULES) == 0
    with pytest.raises(ValueError, match="cannot reserve 7 calls of 6"):
        use.reserve({"a": 7}, NOW_AT, RULES)


def test_a_reservation_drops_what_counts_no_more_of_every_route() -> None:
    use = LocationUse().reserve({"a": 4}, NOW_AT, RULES).change("b", RouteUse().rest(after(minutes=30)))
    assert set(use.reserve({"c": 1}, after(minutes=29), RULES).routes) == {"a", "b", "c"}
    assert set(use.reserve({"c": 1}, after(minutes=61), RULES).routes) == {"a", "c"}
    assert set(use.reserve({"c": 1}, after(minutes=62), RULES).routes) == {"c"}


@given(free=st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 10)), wanted=st.integers(0, 60))
def test_the_fewest_subscriptions_are_chosen(free: dict[str, int], wanted: int) -> None:
    chosen = choose_subscriptions(free, wanted)
    assert sum(calls for _, calls in chosen) == min(wanted, sum(free.values()))
    assert all(0 < calls <= free[name] for name, calls in chosen)
    assert len({name for name, _ in chosen}) == len(chosen)
    total, fewest = 0, 0
    for calls in sorted(free.values(), reverse=True):
        if total >= min(wanted, sum(free.values())):
            break
        total, fewest = total + calls, fewest + 1
    assert len(chosen) == fewest


# A history: wait so long, want so many calls, and send each of them so long after it was reserved.
_STEPS = st.lists(
    st.tuples(
        st.integers(0, 2400),
        st.integers(1, 12),
        st.lists(st.integers(0, RULES.usable_seconds), min_size=12, max_size=12),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=200, deadline=None)
@given(steps=_STEPS)
def test_azures_hour_never_sees_more_than_the_quota(
    steps: list[tuple[int, int, list[int], int]],
) -> None:
    use, now_at = RouteUse(), NOW_AT
    arrived: list[float] = []
    for wait, wanted, delays, unsent in steps:
        now_at += timedelta(seconds=wait)
        calls = min(wanted, use.free(now_at, RULES))
        if calls == 0:
            continue
        use = use.reserve(now_at, calls, RULES)
        given_back = min(unsent, calls)
        if given_back:
            use = use.give_back(now_at, given_back)
        arrived += [now_at.timestamp() + delay + 14 for delay in delays[: calls - given_back]]
    arrived.sort()
    for index, at in enumerate(arrived):
        assert sum(at - 3600 < other <= at for other in arrived[: index + 1]) <= RULES.calls


def test_the_margin_is_what_keeps_it_so() -> None:
    rules = QuotaRules(calls=10, window_seconds=3600)
    assert rules.usable_seconds == 30  # a window of one hour has no margin: 30 s late may be too many
    assert RULES.usable_seconds == 105
