"""Azure's geography as the subscriptions tell it: routing locations and zone numbers (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from spotlake.scores.zones import ZoneMap, subscription_digest

REFRESH = timedelta(days=1)
type RegionZones = dict[str, dict[str, str]]  # region -> logical zone -> physical zone


@dataclass(frozen=True, kw_only=True)
class Locations:
    """What the subscriptions say of Azure's geography.

    Attributes:
        fetched_at: When it was learnt.
        routing: Physical public locations of the reference subscription, in alphabetical order.
        zones: Digest of each subscription -> region -> logical zone -> physical zone.
        failed: Digest of each subscription that did not answer -> why (its zones are the last known ones).
    """

    fetched_at: datetime
    routing: tuple[str, ...]
    zones: Mapping[str, RegionZones]
    failed: Mapping[str, str] = field(default_factory=dict)

    def is_fresh(self, now_at: datetime, subscriptions: Sequence[str]) -> bool:
        """Whether a caller can do with these: of the last day, and every subscription was asked."""
        asked = set(self.zones) | set(self.failed)
        is_new = abs(now_at - self.fetched_at) < REFRESH
        return is_new and asked.issuperset(map(subscription_digest, subscriptions))

    def zone_map(self, subscriptions: Sequence[str]) -> ZoneMap:
        """The zones of these subscriptions; the first is the reference."""
        return ZoneMap(self.zones, reference=subscription_digest(subscriptions[0]))
