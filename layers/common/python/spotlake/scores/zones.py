"""Zones that mean the same building (pure).

A zone number is logical: "1" of two subscriptions may be different buildings. Azure names the building
for each subscription (``availabilityZoneMappings``); scores are reported under the numbers of the
reference subscription, the first one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from spotlake.models import REGIONAL_ZONE

type ZoneNumbers = Mapping[str, Mapping[str, str]]  # region -> logical zone -> physical zone


def subscription_digest(subscription: str) -> str:
    """What stands for a subscription in files: the first 8 hex digits of its SHA-256.

    >>> subscription_digest("00000000-0000-0000-0000-000000000001")
    '7ac1b8d7'
    """
    return hashlib.sha256(subscription.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class PlacedZone:
    """Where a score belongs.

    Attributes:
        zone: The reference subscription's number, "Single" for a regional score, or None when the
            building is not known: it is not guessed, and such a row is no part of the merged data.
        logical_zone: As answered.
        physical_zone: The building ("koreacentral-az2"), or None.
    """

    zone: str | None
    logical_zone: str | None
    physical_zone: str | None


class ZoneMap:
    """Logical zones of every subscription to physical ones, and those to the reference's numbers."""

    def __init__(self, numbers: Mapping[str, ZoneNumbers], *, reference: str) -> None:
        """Set up.

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

    def knows(self, subscription: str) -> bool:
        """Whether answers of a subscription (digest) with zones can be placed at all."""
        return subscription == self._reference or subscription in self._numbers

    def place(self, subscription: str, region: str, logical_zone: str | None) -> PlacedZone:
        """Where an answer of ``subscription`` (digest) for that region and zone belongs.

        * No zone in the answer: a regional score, "Single".
        * Asked through the reference subscription: its own number, whether or not the building is known.
        * Else by the building. When either side does not know it, the zone is None.
        """
        if logical_zone is None:
            return PlacedZone(REGIONAL_ZONE, None, None)
        physical = self._numbers.get(subscription, {}).get(region, {}).get(logical_zone)
        if subscription == self._reference:
            return PlacedZone(logical_zone, logical_zone, physical)
        reported = self._reported.get(region, {}).get(physical) if physical else None
        return PlacedZone(reported, logical_zone, physical)
