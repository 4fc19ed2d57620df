"""A second source of spot prices: Resource Graph's history, compared with the price list (pure).

Table ``SpotResources``, type ``microsoft.compute/skuspotpricehistory/ostype/location`` (Microsoft Learn, Resource Graph
table reference, read 2026-11): Linux and Windows, the last 90 days. In 2021 the two sources differed by a factor of 6
(MicrosoftDocs/azure-docs#72349). So neither source corrects the other; disagreements are counted and named. A region
has about 3,400 rows on four pages, which ``resource_graph.GraphPages`` reads.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING

from spotlake.models import from_iso
from spotlake.names import join_key, region_key

if TYPE_CHECKING:  # the merge reads histories, and would pay 0.1 s and 15 MB for an HTTP client
    from spotlake.azure.resource_graph import GraphRow

SYSTEMS = ("linux", "windows")
TOLERANCE = 0.01  # of the list's price
MOST_NAMED = 20
_LONGEST_HISTORY = 1000  # prices of one size; 90 days hold a few


@dataclass(frozen=True, order=True)
class PastPrice:
    """A price, and the time from which it held."""

    effective_at: datetime
    usd_per_hour: float


@dataclass
class PriceHistory:
    """Prices of one region by operating system and ``join_key`` of the size, oldest first.

    Attributes:
        prices: The prices.
        counts: Rows that could not be used: invalid_rows, contradicted_sizes.
    """

    prices: dict[tuple[str, str], tuple[PastPrice, ...]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def at(self, system: str, size: str, moment: datetime) -> float | None:
        """The price that held at a time; None when no price is known for that time."""
        past = [one for one in self.prices.get((system, join_key(size)), ()) if one.effective_at <= moment]
        return past[-1].usd_per_hour if past else None


@dataclass(frozen=True)
class Disagreement:
    """Two prices of one size that differ by more than the tolerance."""

    instance_type: str
    listed_usd_per_hour: float
    history_usd_per_hour: float


@dataclass(frozen=True)
class Comparison:
    """The price list beside the history.

    Attributes:
        agreeing: Number of sizes whose prices agree.
        disagreeing: Number of sizes whose prices differ.
        worst: At most ``MOST_NAMED`` of the disagreeing sizes, largest difference first.
        only_listed: Number of sizes that only the list has.
        only_in_history: Number of sizes that only the history has.
    """

    agreeing: int
    disagreeing: int
    worst: tuple[Disagreement, ...]
    only_listed: int
    only_in_history: int


def price_history_query(region: str) -> str:
    """The query for one region's history: every column as text, ordered by a unique key.

    The region is an ARM code that has been checked: nothing else can be in the text.
    """
    if not region.isalnum():
        raise ValueError(f"{region!r} is not an ARM code")
    return (
        "spotresources | where type =~ 'microsoft.compute/skuspotpricehistory/ostype/location'"
        f" | where location =~ '{region}'"
        " | project skuName=tostring(sku.name), osType=tostring(properties.osType), location,"
        " spotPrices=tostring(properties.spotPrices)"
        " | where isnotempty(skuName) and isnotempty(osType) and isnotempty(spotPrices)"
        " | order by skuName asc, osType asc, location asc"
    )


def read_history(rows: Iterable[GraphRow], *, region: str) -> PriceHistory:
    """Read the history from rows ``{"skuName", "osType", "location", "spotPrices"}``.

    A malformed row is dropped alone.
    """
    found = PriceHistory()
    torn: set[tuple[str, str]] = set()
    for row in rows:
        system, size = str(row.get("osType")).strip().lower(), join_key(str(row.get("skuName") or ""))
        prices = _prices_of(row.get("spotPrices"))
        if not size or system not in SYSTEMS or not prices or region_key(str(row.get("location"))) != region:
            found.counts["invalid_rows"] += 1
        elif found.prices.setdefault((system, size), prices) != prices:
            torn.add((system, size))
    for key in torn:
        del found.prices[key]
    found.counts["contradicted_sizes"] = len(torn)
    return found


def compare_prices(
    listed: Mapping[str, float],
    history: PriceHistory,
    *,
    at: datetime,
    system: str = "linux",
    tolerance: float = TOLERANCE,
) -> Comparison:
    """Compare the list's spot prices with the history's at the same time.

    Args:
        listed: Size (any casing) -> USD per hour, from the price list.
        history: From ``read_history``.
        at: Time of the slot.
        system: "linux" or "windows": whose prices ``listed`` are.
        tolerance: Share of the list's price by which the two may differ.
    """
    theirs = {
        size: price
        for of_system, size in history.prices
        if of_system == system and (price := history.at(system, size, at)) is not None
    }
    ours = {join_key(size): (size, price) for size, price in listed.items() if price > 0.0}
    apart = [
        Disagreement(size, price, theirs[key])
        for key, (size, price) in ours.items()
        if key in theirs and abs(theirs[key] - price) > tolerance * price
    ]
    apart.sort(key=lambda one: (-abs(one.history_usd_per_hour / one.listed_usd_per_hour - 1.0), one.instance_type))
    both = len(ours.keys() & theirs.keys())
    return Comparison(
        agreeing=both - len(apart),
        disagreeing=len(apart),
        worst=tuple(apart[:MOST_NAMED]),
        only_listed=len(ours) - both,
        only_in_history=len(theirs) - both,
    )


def _prices_of(text: object) -> tuple[PastPrice, ...]:
    """Prices in the JSON text of ``spotPrices``, oldest first; empty when any part cannot be read."""
    try:
        listed = json.loads(text) if isinstance(text, str) else text
        if not isinstance(listed, list) or len(listed) > _LONGEST_HISTORY:
            return ()
        prices = {PastPrice(from_iso(one["effectiveDate"]), float(one["priceUSD"])) for one in listed}
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return ()
    readable = all(isfinite(one.usd_per_hour) and one.usd_per_hour > 0.0 for one in prices)
    is_clear = len({one.effective_at for one in prices}) == len(prices)
    return tuple(sorted(prices)) if readable and is_clear else ()
