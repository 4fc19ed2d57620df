"""Rights to send, one by one: what is asked of the ledger, what is handed out, and what goes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake.clock import ManualClock
from spotlake.errors import StoreError
from spotlake.scores.quota import QuotaRules
from spotlake.stores.ledger import Reservation
from spotlake.usecases.collect.call_rights import CallRights

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RULES = QuotaRules(calls=10, window_seconds=3720)  # usable for 105 seconds


@dataclass
class Ledger:
    """Gives each subscription so many calls; notes what is asked, returned and put to rest."""

    has: dict[str, int] = field(default_factory=lambda: {"a": 9, "b": 9})
    reserved: list[tuple[str, int, tuple[str, ...]]] = field(default_factory=list)
    returned: list[tuple[str, str, int]] = field(default_factory=list)
    rested: list[tuple[str, str, datetime]] = field(default_factory=list)
    error: StoreError | None = None

    def reserve(
        self, location: str, wanted: int, *, now_at: datetime, subscriptions: Sequence[str], rules: QuotaRules
    ) -> list[Reservation]:
        assert rules is RULES
        self.reserved.append((location, wanted, tuple(subscriptions)))
        got = []
        for name in subscriptions:
            calls = min(wanted, self.has[name])
            if calls:
                self.has[name] -= calls
                wanted -= calls
                got.append(Reservation(location=location, subscription=name, calls=calls, reserved_at=now_at))
        return got

    def give_back(self, reservation: Reservation, calls: int, *, rules: QuotaRules) -> None:
        assert rules is RULES
        if self.error:
            raise self.error
        self.returned.append((reservation.location, reservation.subscription, calls))

    def rest(self, location: str, subscription: str, *, until_at: datetime, rules: QuotaRules) -> None:
        assert rules is RULES
        self.rested.append((location, subscription, until_at))

    def free(self, *_: Any, **__: Any) -> dict[str, int]:
        raise AssertionError


@dataclass
class Desk:
    expected: Mapping[str, int] = field(default_factory=lambda: {"eastus": 3})
    subscriptions: tuple[str, ...] = ("a", "b")
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        self.clock = ManualClock(AT)
        self.rights = CallRights(
            self.ledger, subscriptions=self.subscriptions, rules=RULES, clock=self.clock, expected=self.expected
        )

    def take(self, location: str = "eastus", **how: Any) -> str | None:
        return self.rights.take(location, **how)


def test_all_calls_that_are_expected_are_reserved_at_once() -> None:
    desk = Desk()
    assert [desk.take() for _ in range(3)] == ["a", "a", "a"]
    assert desk.ledger.reserved == [("eastus", 3, ("a", "b"))]


def test_unexpected_calls_reserve_one_more_each_time() -> None:
    desk = Desk(expected={})
    assert [desk.take() for _ in range(6)] == ["a"] * 6
    assert [wanted for _, wanted, _ in desk.ledger.reserved] == [1, 2, 4]  # of the second and the fourth call
    assert desk.take("westus") == "a"
    assert desk.ledger.reserved[-1] == ("westus", 1, ("a", "b"))


def test_a_call_that_comes_again_needs_one_right_more_than_is_expected() -> None:
    desk = Desk(ledger=Ledger({"a": 1, "b": 0}))
    assert desk.take() == "a"
    desk.ledger.has["a"] = 5
    assert desk.take(again=True) == "a"
    assert [wanted for _, wanted, _ in desk.ledger.reserved] == [3, 3]  # itself, and the two that are still expected
    assert [desk.take(), desk.take()] == ["a", "a"]
    assert len(desk.ledger.reserved) == 2


def test_a_retry_uses_its_own_subscription_and_reserves_one() -> None:
    desk = Desk()
    assert desk.take() == "a"
    assert desk.take(only="b") == "b"
    assert desk.ledger.reserved[-1] == ("eastus", 1, ("b",))
    assert desk.take(only="a") == "a"  # of those that were reserved
    assert len(desk.ledger.reserved) == 2


def test_a_subscription_that_is_avoided_is_not_used_and_dries_nothing() -> None:
    desk = Desk(ledger=Ledger({"a": 9, "b": 0}))
    assert desk.take(avoid={"a"}) is None
    assert desk.ledger.reserved == [("eastus", 1, ("b",))]
    assert desk.take() == "a"  # the location is not dry
    assert desk.take(avoid={"a", "b"}) is None
    assert len(desk.ledger.reserved) == 2  # nobody is asked for nothing


def test_a_location_without_quota_is_asked_once() -> None:
    desk = Desk(ledger=Ledger({"a": 0, "b": 0}))
    assert [desk.take(), desk.take()] == [None, None]
    assert len(desk.ledger.reserved) == 1
    desk.ledger.has["a"] = 5
    assert [desk.take(), desk.take(only="a")] == [None, None]


def test_a_shunned_subscription_is_used_when_there_is_no_other() -> None:
    desk = Desk(ledger=Ledger({"a": 9, "b": 1}))
    assert desk.take(shun={"a"}) == "b"
    assert desk.ledger.reserved == [("eastus", 3, ("b",))]
    assert desk.take(shun={"a"}) == "a"
    assert desk.ledger.reserved[1:] == [("eastus", 2, ("b",)), ("eastus", 2, ("a", "b"))]


def test_rights_of_others_serve_later_calls_so_one_of_the_better_is_enough() -> None:
    desk = Desk()
    assert desk.take() == "a"
    assert desk.take(shun={"a"}) == "b"
    assert desk.ledger.reserved == [("eastus", 3, ("a", "b")), ("eastus", 1, ("b",))]
    assert desk.take() == "a"


def test_a_refused_subscription_is_used_nowhere_any_more() -> None:
    desk = Desk()
    assert desk.rights.usable_subscriptions == ["a", "b"]
    assert desk.take() == "a"
    desk.rights.refuse("a")
    assert desk.rights.usable_subscriptions == ["b"]
    assert [desk.take(), desk.take("westus")] == ["b", "b"]
    assert desk.ledger.reserved[1:] == [("eastus", 2, ("b",)), ("westus", 1, ("b",))]


@pytest.mark.parametrize(("seconds", "is_stale"), [(105, False), (105.001, True)])
def test_a_right_is_used_within_its_time_or_goes_back(seconds: float, *, is_stale: bool) -> None:
    desk = Desk(ledger=Ledger({"a": 2, "b": 9}))
    assert desk.take() == "a"  # two of a, one of b
    desk.clock.advance(seconds=seconds)
    taken = desk.take()
    assert desk.ledger.returned == ([("eastus", "a", 1), ("eastus", "b", 1)] if is_stale else [])
    assert taken == ("b" if is_stale else "a")


def test_what_is_not_used_is_given_back_and_nothing_twice() -> None:
    desk = Desk(expected={"eastus": 3, "westus": 2}, ledger=Ledger({"a": 2, "b": 9}))
    desk.take()
    desk.take("westus")
    desk.take("westus")
    assert desk.rights.give_back()
    assert desk.ledger.returned == [("eastus", "a", 1), ("eastus", "b", 1)]  # of westus every right was used
    assert desk.rights.give_back()
    assert len(desk.ledger.returned) == 2


def test_a_ledger_that_takes_nothing_back_is_told() -> None:
    desk = Desk()
    desk.take()
    desk.ledger.error = StoreError("slow")
    assert not desk.rights.give_back()


# -- rest --------------------------------------------------------------------------------------------


def test_a_refused_route_rests_for_its_window_and_its_rights_are_gone() -> None:
    desk = Desk(ledger=Ledger({"a": 2, "b": 9}))
    desk.take()
    desk.rights.rest("eastus", "a")
    assert desk.ledger.rested == [("eastus", "a", AT + timedelta(seconds=3720))]
    assert desk.take() == "b"
    assert desk.ledger.returned == []  # what Azure refuses is not free


def test_a_route_rests_as_long_as_it_is_asked_to() -> None:
    desk = Desk()
    desk.rights.rest("eastus", "a", seconds=400.0)
    assert desk.ledger.rested == [("eastus", "a", AT + timedelta(seconds=400))]


@pytest.mark.parametrize(
    ("first", "later", "second", "is_written"),
    [
        (400.0, 0, 400.0, False),
        (400.0, 0, 460.0, False),
        (400.0, 0, 461.0, True),
        (400.0, 60, 400.0, False),
        (400.0, 61, 400.0, True),
        (400.0, 0, 10.0, False),
        (400.0, 400, 10.0, True),  # it has rested meanwhile
        (400.0, 399, 10.0, False),
    ],
)
def test_calls_that_were_refused_together_rest_once(
    first: float, later: int, second: float, *, is_written: bool
) -> None:
    desk = Desk()
    desk.rights.rest("eastus", "a", seconds=first)
    desk.clock.advance(seconds=later)
    desk.rights.rest("eastus", "a", seconds=second)
    desk.rights.rest("westus", "a", seconds=second)
    desk.rights.rest("eastus", "b", seconds=second)
    until_at = AT + timedelta(seconds=later + second)
    expected = [("eastus", "a", until_at)] if is_written else []
    assert desk.ledger.rested[1:] == [*expected, ("westus", "a", until_at), ("eastus", "b", until_at)]


def test_a_dry_location_stays_dry_whatever_a_single_call_asks_for() -> None:
    desk = Desk(ledger=Ledger(has={"a": 0, "b": 0}))
    assert [desk.take(), desk.take(avoid={"a"}), desk.take(only="b"), desk.take()] == [None] * 4
    assert [wanted for _, wanted, _ in desk.ledger.reserved] == [3]
