"""Arithmetic of the placement-score quota: a sliding window for each route (pure).

A route is a subscription and a routing location. Azure allows about 10 calls an hour for each route, and then refuses
the route for an hour (observed 2025-09; undocumented). A call counts from its reservation on, for a window that is two
minutes longer than Azure's. A reservation may be used only within that margin. So a call that is sent late still counts
for a full hour of Azure's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

AZURE_WINDOW_SECONDS = 3600  # "Please try again after 3600 seconds", PowerShell dump of 2025-10-28
_NETWORK_SECONDS = 15  # between our clock's reading and the request's arrival at Azure
_SHORTEST_USE_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class QuotaRules:
    """How many calls a route may get, and how long each call counts.

    Attributes:
        calls: Calls per route and window that this deployment may send.
        window_seconds: Seconds that a reserved call counts.
    """

    calls: int
    window_seconds: int

    @classmethod
    def of(cls, *, quota_calls: int, window_minutes: int, share_percent: int = 0) -> Self:
        """From the settings. A share of 0 percent means that the share is not limited.

        >>> QuotaRules.of(quota_calls=10, window_minutes=62, share_percent=50).calls
        5
        """
        return cls(calls=max(1, quota_calls * (share_percent or 100) // 100), window_seconds=window_minutes * 60)

    @property
    def usable_seconds(self) -> int:
        """Seconds after the reservation in which a call may be sent (105 by default)."""
        return max(_SHORTEST_USE_SECONDS, self.window_seconds - AZURE_WINDOW_SECONDS - _NETWORK_SECONDS)


@dataclass(frozen=True, kw_only=True)
class RouteUse:
    """The calls that one route has used.

    Attributes:
        entries: (epoch seconds of the reservation, calls), oldest first.
        rest_until: Epoch seconds until which no call uses the route, because Azure refused the route.
    """

    entries: tuple[tuple[int, int], ...] = ()
    rest_until: int = 0

    def free(self, now_at: datetime, rules: QuotaRules) -> int:
        """Calls that may be reserved now.

        An entry later than ``now_at`` counts too: local runs may collect slots out of order.
        """
        now = int(now_at.timestamp())
        if self.rest_until > now:
            return 0
        return max(0, rules.calls - sum(calls for at, calls in self.entries if at > now - rules.window_seconds))

    def reserve(self, now_at: datetime, calls: int, rules: QuotaRules) -> RouteUse:
        """Add ``calls``, and drop calls whose window is over. Raises ValueError when fewer calls are free."""
        if not 0 < calls <= self.free(now_at, rules):
            raise ValueError(f"cannot reserve {calls} calls of {self.free(now_at, rules)}")
        now = int(now_at.timestamp())
        counted = dict(self.counting(now_at, rules).entries)
        counted[now] = counted.get(now, 0) + calls
        return replace(self, entries=tuple(sorted(counted.items())))

    def counting(self, now_at: datetime, rules: QuotaRules) -> RouteUse:
        """Without calls whose window is over."""
        oldest = int(now_at.timestamp()) - rules.window_seconds
        return replace(self, entries=tuple(entry for entry in self.entries if entry[0] > oldest))

    def give_back(self, reserved_at: datetime, calls: int) -> RouteUse:
        """Remove ``calls`` that were never sent from the reservation of ``reserved_at``."""
        at = int(reserved_at.timestamp())
        entries = tuple((when, n - calls if when == at else n) for when, n in self.entries)
        return replace(self, entries=tuple(entry for entry in entries if entry[1] > 0))

    def rest(self, until_at: datetime) -> RouteUse:
        """Rest until then, and never shorter than before."""
        until = max(self.rest_until, int(until_at.timestamp()))
        return replace(self, rest_until=until)


@dataclass(frozen=True, kw_only=True)
class LocationUse:
    """The calls that all routes through one location have used: the ledger's item without its key.

    Attributes:
        routes: Digest of a subscription -> what its route has used.
        version: Grows with every write, so that each of two writers notices the other.
        older: The same, as versions before 2026-11-26 wrote it, an item a route. It counts, and is only read.
    """

    routes: Mapping[str, RouteUse] = field(default_factory=dict)
    version: int = 0
    older: Mapping[str, RouteUse] = field(default_factory=dict)

    def route(self, digest: str) -> RouteUse:
        """Everything that counts for one route."""
        own, older = self.routes.get(digest, RouteUse()), self.older.get(digest, RouteUse())
        return RouteUse(
            entries=tuple(sorted(own.entries + older.entries)), rest_until=max(own.rest_until, older.rest_until)
        )

    def reserve(self, chosen: Mapping[str, int], now_at: datetime, rules: QuotaRules) -> LocationUse:
        """Add calls of some routes, and drop what no longer counts of all. Raises ValueError when fewer are free."""
        routes = {digest: use.counting(now_at, rules) for digest, use in self.routes.items()}
        for digest, calls in chosen.items():
            if calls > self.route(digest).free(now_at, rules):
                raise ValueError(f"cannot reserve {calls} calls of {self.route(digest).free(now_at, rules)}")
            routes[digest] = routes.get(digest, RouteUse()).reserve(now_at, calls, rules)
        now = int(now_at.timestamp())
        lasting = {digest: use for digest, use in routes.items() if use.entries or use.rest_until > now}
        return replace(self, routes=lasting, version=self.version + 1)

    def change(self, digest: str, use: RouteUse) -> LocationUse:
        """With another use of one route."""
        return replace(self, routes={**self.routes, digest: use}, version=self.version + 1)

    def expires_at(self, rules: QuotaRules) -> int:
        """Epoch seconds after which no part of this item counts."""
        counted = [at + rules.window_seconds for use in self.routes.values() for at, _ in use.entries]
        rests = [use.rest_until for use in self.routes.values()]
        return max(counted + rests, default=0) + 1


def choose_subscriptions(free: Mapping[str, int], wanted: int) -> list[tuple[str, int]]:
    """Choose subscriptions to reserve from, so that as few routes as possible are used.

    The subscriptions with the most free calls come first. The last one is the one with the fewest free calls that still
    cover the rest. Ties keep the given order.

    >>> choose_subscriptions({"a": 3, "b": 10, "c": 4, "d": 10}, 13)
    [('b', 10), ('a', 3)]
    """
    chosen: list[tuple[str, int]] = []
    left = {name: calls for name, calls in free.items() if calls > 0}
    while wanted > 0 and left:
        enough = [name for name, calls in left.items() if calls >= wanted]
        name = min(enough, key=left.__getitem__) if enough else max(left, key=left.__getitem__)
        calls = min(left.pop(name), wanted)
        chosen.append((name, calls))
        wanted -= calls
    return chosen


def rest_end(now_at: datetime, rules: QuotaRules) -> datetime:
    """End of a refused route's rest: one whole window from now."""
    return now_at + timedelta(seconds=rules.window_seconds)
