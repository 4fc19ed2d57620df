"""The world of the simulated Azure: all that is true at a time (pure). Tests compare with it.

Shapes follow the real data of spring 2026. Discounts are 69 to 84 % with tails, and about 47 spot prices are at or
above on-demand. A wave changes a quarter of all prices on each of the first three days of a month. On days 1 and 2
about 3,000 pairs have no spot price. On other days a hundredth of the prices change.
"""

from __future__ import annotations

import csv
import gzip
import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import permutations
from pathlib import Path
from typing import TextIO

from spotlake.names import is_spot_eligible

DATA = Path(__file__).parent / "data"
BANDS = ("0-5", "5-10", "10-15", "15-20", "20+")
ZONES_OF_A_ZONAL_REGION = 3
_NO_SPOT_SHARE = 0.048  # of the pairs, on days 1 and 2 of a month
_AT_OR_ABOVE_ONDEMAND_SHARE = 0.00075
_PRICE_WITHOUT_ONDEMAND = 1.0  # 68 pairs are listed at 0, which means unknown; their spot prices need a level
_ZONE_MISSING_SHARE = 0.009  # of the pairs of zonal regions
_NO_BAND_SHARE, _EMPTY_BAND_SHARE = 0.06, 0.01
_UNMOVED_SHARE = 0.45  # of the pairs in a month; two such months in a row leave a fifth of the prices as they were
# Share of the pairs with at most this discount: the shape of the real list, no price of it.
_DISCOUNTS = (
    *((0.0, 0.08), (0.01, 0.1), (0.02, 0.2), (0.03, 0.55), (0.05, 0.69), (0.1, 0.8)),
    *((0.2, 0.814), (0.9, 0.817), (0.95, 0.837), (0.99, 0.9), (1.0, 0.95)),
)
_CHANCES = 2**64


@dataclass(frozen=True)
class Region:
    """A region: ARM code, billing name ("KR Central"), display name, zones (0 or 3), geography and its group."""

    code: str
    location: str
    display_name: str
    zones: int
    geography: str
    geography_group: str


def chance(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone, in every process."""
    digest = blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / _CHANCES


class World:
    """The truth, by seed and time."""

    def __init__(self, seed: int = 1) -> None:
        """Read the catalogue (0.1 s); all else is computed when asked."""
        self.seed = seed
        with (DATA / "regions.csv").open(encoding="utf-8") as file:
            self.regions = {
                row["armRegionName"]: Region(
                    code=row["armRegionName"],
                    location=row["location"],
                    display_name=row["arm_display_name"],
                    zones=int(row["zones"]),
                    geography=row["geography"],
                    geography_group=row["geography_group"],
                )
                for row in csv.DictReader(file)
            }
        self.ondemand: dict[str, dict[str, float]] = {}
        with gzip.open(DATA / "azure-ondemand-prices.csv.gz", "rt", encoding="utf-8") as file:
            self._read_ondemand(file)
        # What the first list has wrong (Cloud Services instead of the machine) or lacks (data/ORIGIN.md).
        with (DATA / "captured-ondemand-prices.csv").open(encoding="utf-8") as file:
            self._read_ondemand(file)
        self.sizes = {size.lower(): size for sizes in self.ondemand.values() for size in sizes}
        self._capacities = lru_cache(maxsize=None)(self._capacities_of)

    def _read_ondemand(self, file: TextIO) -> None:
        for row in csv.DictReader(file):
            sizes = self.ondemand.setdefault(row["armRegionName"], {})
            sizes[row["armSkuName"].strip()] = float(row["ondemand_usd_per_hour"])

    def spot_sizes(self, region: str) -> list[str]:
        """Sizes of a region that can be spot."""
        return [size for size in self.ondemand.get(region, {}) if is_spot_eligible(size)]

    def spot_price(self, region: str, size: str, now_at: datetime) -> float | None:
        """Linux spot price in USD per hour; None when the pair has none at that time."""
        ondemand = self.ondemand.get(region, {}).get(size)
        if ondemand is None or not is_spot_eligible(size):
            return None
        if now_at.day <= 2 and chance(self.seed, "gone", region, size, now_at.year, now_at.month) < _NO_SPOT_SHARE:
            return None
        ondemand = ondemand or _PRICE_WITHOUT_ONDEMAND
        drawn = chance(self.seed, "discount", region, size)
        if drawn < _AT_OR_ABOVE_ONDEMAND_SHARE:
            above = max(0.0, chance(self.seed, "above", region, size) - 0.5)
            return round(ondemand * (1.0 + 0.1 * above), 6)
        price = ondemand * (1.0 - _interpolate(drawn)) * self._moved(region, size, now_at)
        return max(round(price, 6), 0.000001)

    def price_began_at(self, region: str, size: str, now_at: datetime) -> datetime:
        """When the present spot price's tier began (the first days of a month)."""
        year, month = divmod(self._price_month(region, size, now_at), 12)
        return datetime(year, month + 1, 1, tzinfo=UTC)

    def eviction_band(self, region: str, size: str, now_at: datetime) -> str | None:
        """The band, or None when Resource Graph has no row for the pair."""
        if not is_spot_eligible(size) or size not in self.ondemand.get(region, {}):
            return None
        if chance(self.seed, "if", region, size) < _NO_BAND_SHARE:
            return None
        week = now_at.toordinal() // 7
        drift = chance(self.seed, "if-week", region, size, week) * 0.1
        level = chance(self.seed, "if-level", region, size) ** 2 * 0.9 + drift
        return BANDS[min(int(level * 5), 4)]

    def is_band_empty(self, region: str, size: str) -> bool:
        """Whether a pair without a band has a row in Resource Graph all the same, an empty one."""
        return chance(self.seed, "if", region, size) < _EMPTY_BAND_SHARE

    def physical_zones(self, region: str) -> tuple[str, ...]:
        """``("koreacentral-az1", ...)``, or nothing for a region without zones."""
        return tuple(f"{region}-az{number}" for number in range(1, self.regions[region].zones + 1))

    def zone_numbers(self, subscription: str, region: str) -> dict[str, str]:
        """A subscription's logical zones: number -> physical zone. The numbers differ between subscriptions."""
        zones = self.physical_zones(region)
        if not zones:
            return {}
        orders = list(permutations(zones))
        order = orders[int(chance(self.seed, "zones", subscription, region) * len(orders))]
        return {str(number): zone for number, zone in enumerate(order, 1)}

    def score(self, region: str, size: str, zone: str, count: int, now_at: datetime) -> str:
        """High, Medium or Low in a physical zone ("" for a regional score): lower for more machines."""
        capacity = self._capacities(region, size)[int(zone[-1]) if zone else 0]
        capacity *= 0.5 + chance(self.seed, "tide", region, zone, int(now_at.timestamp()) // 21_600)
        if count <= capacity:
            return "High"
        return "Medium" if count <= capacity * 3 else "Low"

    def is_restricted(self, subscription: str, region: str, size: str) -> bool:
        """Whether a subscription may not use a size in a region."""
        everywhere = chance(self.seed, "restricted", region, size) < 0.002
        return everywhere or chance(self.seed, "restricted", subscription, region, size) < 0.002

    def is_stale(self, region: str, size: str, zone: str, now_at: datetime) -> bool:
        """Whether a score is DataNotFoundOrStale for a day."""
        return chance(self.seed, "stale", region, size, zone, now_at.date()) < 0.002

    def is_regional_only(self, region: str, size: str) -> bool:
        """Whether a pair of a zonal region is answered without zones all the same."""
        return chance(self.seed, "regional", region, size) < 0.005

    def is_zone_missing(self, region: str, size: str, zone: str) -> bool:
        """Whether a zone has no row for a size: it is in the region's other two only."""
        drawn = chance(self.seed, "zone-missing", region, size)
        return drawn < _ZONE_MISSING_SHARE and zone == self.physical_zones(region)[int(drawn * 1e6) % 3]

    def is_quota_available(self, subscription: str, region: str, size: str, count: int) -> bool:
        """Whether a subscription's vCPU quota holds so many machines; it says nothing about the score."""
        version = size.rpartition("_")[2]
        return count <= 4.0 * math.pow(200.0, chance(self.seed, "quota", subscription, region, version))

    def _capacities_of(self, region: str, size: str) -> tuple[float, ...]:
        levels = (chance(self.seed, "capacity", region, size, zone) for zone in range(ZONES_OF_A_ZONAL_REGION + 1))
        return tuple(0.6 * 150.0**level for level in levels)

    def _moved(self, region: str, size: str, now_at: datetime) -> float:
        """The factor of a spot price from the month's wave and the pair's own day."""
        drawn = chance(self.seed, "wave", region, size, self._price_month(region, size, now_at))
        factor = 1.0 if drawn < _UNMOVED_SHARE else 0.92 + 0.12 * (drawn - _UNMOVED_SHARE) / (1.0 - _UNMOVED_SHARE)
        one_day = chance(self.seed, "day", region, size, now_at.date()) < 0.005
        return factor * 1.03 if one_day else factor

    def _price_month(self, region: str, size: str, now_at: datetime) -> int:
        """Months since year 0 of the price in force: the wave reaches a pair on day 1, 2 or 3."""
        day = 1 + int(chance(self.seed, "wave-day", region, size) * 3)
        month = now_at.year * 12 + now_at.month - 1
        return month if now_at.day >= day else month - 1


def _interpolate(drawn: float) -> float:
    """The discount at a share of the pairs (piecewise linear through ``_DISCOUNTS``)."""
    at = bisect_right(_DISCOUNTS, drawn, key=lambda point: point[0])
    (left, low), (right, high) = _DISCOUNTS[at - 1], _DISCOUNTS[at]
    return low + (high - low) * (drawn - left) / (right - left)
