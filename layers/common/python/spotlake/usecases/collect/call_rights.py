"""Rights to send: calls that a collector has reserved in the ledger and not sent yet."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from spotlake.clock import Clock
from spotlake.errors import StoreError
from spotlake.scores.quota import QuotaRules, rest_end
from spotlake.stores.ledger import QuotaLedger, Reservation

# Calls that were under way together are refused together, so the rest that is already stored is enough.
_SAME_REFUSAL = timedelta(seconds=60)


@dataclass
class _Held:
    reservation: Reservation
    left: int


@dataclass
class _AtLocation:
    """The rights held at one location. Its lock is held while the ledger is asked for more."""

    expected: int = 0
    unexpected: int = 0
    is_dry: bool = False
    rested: dict[str, datetime] = field(default_factory=dict)
    held: list[_Held] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class CallRights:
    """Hands out rights one by one, and reserves several at a time. Safe for threads.

    A right allows one send; a retry needs a right of its own. A right that is not used within
    ``QuotaRules.usable_seconds`` goes back to the ledger, because its call was certainly never sent.
    """

    def __init__(
        self,
        ledger: QuotaLedger,
        *,
        subscriptions: Sequence[str],
        rules: QuotaRules,
        clock: Clock,
        expected: Mapping[str, int],
    ) -> None:
        """Start without any reservation.

        Args:
            ledger: Ledger to reserve from.
            subscriptions: Ids of the subscriptions that may be used.
            rules: Rules of the quota.
            clock: Clock of the run.
            expected: Location -> number of calls to send; so many are reserved at once.
        """
        self._ledger = ledger
        self._subscriptions = subscriptions
        self._rules = rules
        self._clock = clock
        self._refused: set[str] = set()
        self._at = {location: _AtLocation(expected=calls) for location, calls in expected.items()}
        self._lock = threading.Lock()

    @property
    def usable_subscriptions(self) -> list[str]:
        """Subscriptions that Azure has not refused in this run."""
        return [name for name in self._subscriptions if name not in self._refused]

    def take(
        self,
        location: str,
        *,
        avoid: Collection[str] = (),
        shun: Collection[str] = (),
        only: str | None = None,
        again: bool = False,
    ) -> str | None:
        """Take a right: the subscription to send one call through, or None when there is no quota.

        Args:
            location: Routing location.
            avoid: Subscriptions that must not be used.
            shun: Subscriptions to use only if there is no other.
            only: The one subscription to use, for a retry through the same route.
            again: Whether the call had a right at this location before.

        Raises:
            StoreError: The ledger does not answer.
        """
        allowed = [name for name in self.usable_subscriptions if name not in avoid and only in (None, name)]
        better = [name for name in allowed if name not in shun]
        there = self._location(location)
        with there.lock:
            self._drop_stale(there)
            special = bool(avoid) or only is not None
            wanted = 1 if special else self._calls_to_reserve(there, again=again)
            if len(better) < len(allowed):
                # Rights of other subscriptions serve the later calls, so one more right is enough for this call.
                more = 1 if any(one.left for one in there.held) else wanted
                taken = self._take_held(there, better) or self._reserve(location, there, more, better)
                if taken is not None:
                    return taken
            taken = self._take_held(there, allowed) or self._reserve(location, there, wanted, allowed)
            there.is_dry = there.is_dry or (taken is None and not special)
            return taken

    def rest(self, location: str, subscription: str, *, seconds: float = 0.0) -> None:
        """Let a refused route rest for ``seconds``; 0: until its window is over."""
        there = self._location(location)
        with there.lock:
            there.held = [one for one in there.held if one.reservation.subscription != subscription]
            now = self._clock.now()
            until_at = now + timedelta(seconds=seconds) if seconds else rest_end(now, self._rules)
            known = there.rested.get(subscription)
            if known is None or known <= now or until_at - known > _SAME_REFUSAL:
                self._ledger.rest(location, subscription, until_at=until_at, rules=self._rules)
                there.rested[subscription] = until_at

    def refuse(self, subscription: str) -> None:
        """Stop using a subscription in this run, because Azure refused it everywhere."""
        self._refused.add(subscription)

    def give_back(self) -> bool:
        """Give back all rights at the end. False when the ledger did not take them; they then lapse by themselves."""
        with self._lock:
            places = list(self._at.values())
        try:
            for there in places:
                with there.lock:
                    held, there.held = there.held, []
                    self._return(held)
        except StoreError:
            return False
        return True

    def _location(self, location: str) -> _AtLocation:
        with self._lock:
            return self._at.setdefault(location, _AtLocation())

    def _calls_to_reserve(self, there: _AtLocation, *, again: bool) -> int:
        """Number of calls to reserve: all that are still expected here; for unexpected calls one more each time."""
        expected = max(0, there.expected)
        if again:
            return expected + 1
        there.expected = expected - 1 if expected else 0
        there.unexpected += not expected
        return expected or there.unexpected

    def _take_held(self, there: _AtLocation, allowed: Sequence[str]) -> str | None:
        for one in there.held:
            if one.left > 0 and one.reservation.subscription in allowed:
                one.left -= 1
                return one.reservation.subscription
        return None

    def _reserve(self, location: str, there: _AtLocation, wanted: int, allowed: Sequence[str]) -> str | None:
        """Reserve calls and take one of them."""
        if there.is_dry or not allowed:
            return None
        got = self._ledger.reserve(location, wanted, now_at=self._clock.now(), subscriptions=allowed, rules=self._rules)
        there.held.extend(_Held(reservation, reservation.calls) for reservation in got)
        return self._take_held(there, allowed)

    def _drop_stale(self, there: _AtLocation) -> None:
        now = self._clock.now()
        held, there.held = there.held, []
        stale: list[_Held] = []
        for one in held:
            age_seconds = (now - one.reservation.reserved_at).total_seconds()
            (stale if age_seconds > self._rules.usable_seconds else there.held).append(one)
        self._return(stale)

    def _return(self, held: Sequence[_Held]) -> None:
        for one in held:
            if one.left > 0:
                self._ledger.give_back(one.reservation, one.left, rules=self._rules)
