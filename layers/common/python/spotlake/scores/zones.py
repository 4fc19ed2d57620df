"""Maps zone numbers of different subscriptions to the same buildings (pure).

A zone number is logical: zone "1" of two subscriptions may be two buildings. Azure names the building for each
subscription (``availabilityZoneMappings``). Rows use the numbers of the reference subscription, which is the first one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from spotlake.models import REGIONAL_ZONE, ZONE_NUMBERS

type ZoneNumbers = Mapping[str, Mapping[str, str]]  # region -> logical zone -> physical zone


def subscription_digest(subscription: str) -> str:
    """Digest that stands for a subscription in files: the first 8 hex digits of the SHA-256 of its id.

    >>> subscription_digest("00000000-0000-0000-0000-000000000001")
    '7ac1b8d7'
    """
    return hashlib.sha256(subscription.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class PlacedZone:
    """The zone that a score belongs to.

    Attributes:
        zone: Number of the reference subscription; "Single" for a regional score. None when the building is not known:
            such a row is not merged.
        logical_zone: Number in the answer.
        physical_zone: Name of the building ("koreacentral-az2"), or None.
    """

    zone: str | None
    logical_zone: str | None
    physical_zone: str | None


class ZoneMap:
    """Maps logical zones of every subscription to buildings, and buildings to the reference's numbers."""

    def __init__(self, numbers: Mapping[str, ZoneNumbers], *, reference: str) -> None:
        """Index the zone numbers.

        Args:
            numbers: Digest of a subscription -> region -> logical zone -> physical zone.
            reference: Digest of the subscription whose numbers are reported.
        """
        self._numbers = numbers
        self._reference = reference
        self._reported = {
            region: {physical: logical for logical, physical in zones.items()}
            for region, zones in numbers.get(reference, {}).items()
        }

    @classmethod
    def of(cls, numbers: Mapping[str, ZoneNumbers], reference: str, subscriptions: Sequence[str]) -> Self:
        """The map of these subscriptions (ids); the first is the reference where none was chosen before ("")."""
        return cls(numbers, reference=reference or subscription_digest(subscriptions[0]))

    def knows(self, subscription: str) -> bool:
        """Whether zones in the answers of a subscription (digest) can be mapped."""
        return subscription == self._reference or subscription in self._numbers

    def place(self, subscription: str, region: str, logical_zone: str | None) -> PlacedZone:
        """Map an answer of ``subscription`` (digest) for a region and a logical zone.

        * The answer names no zone: the score is regional, "Single".
        * The reference subscription was asked: the zone keeps its number, whether or not the building is known.
        * Otherwise the building decides. The zone is None when either side does not know the building.
        * A number that no table has ("4") is None too, so that it costs its own row alone.
        """
        if logical_zone is None:
            return PlacedZone(REGIONAL_ZONE, None, None)
        physical = self._numbers.get(subscription, {}).get(region, {}).get(logical_zone)
        reported = self._reported.get(region, {}).get(physical) if physical else None
        if subscription == self._reference:
            reported = logical_zone
        return PlacedZone(reported if reported in ZONE_NUMBERS else None, logical_zone, physical)
