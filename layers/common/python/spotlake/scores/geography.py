"""Azure's geography as the subscriptions report it: routing locations and zone numbers (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.sizes.geography import Geography

REFRESH = timedelta(days=1)
type RegionZones = dict[str, dict[str, str]]  # region -> logical zone -> physical zone


@dataclass(frozen=True, kw_only=True)
class Locations:
    """Routing locations and zone numbers, as the subscriptions reported them.

    Attributes:
        fetched_at: When the subscriptions were asked.
        routing: Physical public locations of the reference subscription, sorted.
        zones: Digest of each subscription -> region -> logical zone -> physical zone.
        reference: Digest of the subscription whose zone numbers are reported: chosen once, "" before.
        failed: Digest of each subscription that did not answer -> cause. Such a subscription keeps its last known
            zones.
        geographies: Region -> geography and group, as any subscription's list said last.
    """

    fetched_at: datetime
    routing: tuple[str, ...]
    zones: Mapping[str, RegionZones]
    reference: str = ""
    failed: Mapping[str, str] = field(default_factory=dict)
    geographies: Mapping[str, Geography] = field(default_factory=dict)

    def is_fresh(self, now_at: datetime, subscriptions: Sequence[str]) -> bool:
        """Whether this is new enough: less than a day old, and every subscription was asked."""
        asked = set(self.zones) | set(self.failed)
        is_new = abs(now_at - self.fetched_at) < REFRESH
        return is_new and asked.issuperset(map(subscription_digest, subscriptions))

    def zone_map(self, subscriptions: Sequence[str]) -> ZoneMap:
        """The zone map of these subscriptions; the first one is the reference where none was chosen before."""
        return ZoneMap.of(self.zones, self.reference, subscriptions)
