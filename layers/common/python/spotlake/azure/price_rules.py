"""Which row of the price list is the price of a size: written rules, never the order of arrival (pure).

The rules and the samples behind them: docs/prices.md ("Which rows are prices", "Time-bounded
rows"; public captures of 2026). Each row is taken as spot, taken as on-demand, or rejected for one
named reason, so that the counts add up to the rows read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any

from spotlake.models import from_iso
from spotlake.names import is_collected_region, join_key, split_tier

REJECTED_KINDS = (
    "unreadable",
    "reservation",
    "devtest",
    "other_region",
    "not_collected_region",
    "no_size",
    "cloud_services",
    "dedicated_host",
    "windows",
    "low_priority",
    "expired",
    "degenerate",
    "not_yet_valid",
    "no_longer_valid",
    "zero_price",
    "duplicate",
    "losing_candidate",
)


@dataclass(frozen=True, kw_only=True)
class Price:
    """One price in force.

    Attributes:
        usd_per_hour: The price.
        meter_id: Azure's meter.
        effective_start_at: When its tier began (ISO, as served); not an observation time.
        instance_type: Size, ARM casing, without blanks.
        region_name: Billing name of the region ("KR Central").
    """

    usd_per_hour: float
    meter_id: str
    effective_start_at: str
    instance_type: str
    region_name: str


@dataclass
class ChosenPrices:
    """Prices by ``join_key`` of the size, and why the other rows were left out."""

    spot: dict[str, Price] = field(default_factory=dict)
    ondemand: dict[str, Price] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)


def choose_prices(items: Iterable[Mapping[str, Any]], *, region: str, now_at: datetime) -> ChosenPrices:
    """Choose the Linux spot and on-demand price of every size of one region.

    Of several rows for one size the one whose tier began last counts, then the higher meter id, then the
    higher price: a rule that depends on the rows alone.

    Args:
        items: Rows as the API serves them.
        region: ARM code that was asked for.
        now_at: The run's time; rows that are not in force then are left out.
    """
    chosen = ChosenPrices()
    best: dict[tuple[bool, str], tuple[tuple[datetime, str, float], Price]] = {}
    seen: set[tuple[Any, ...]] = set()
    for item in items:
        reason = _reject(item, region, now_at)
        if reason is None and _identity(item) in seen:
            reason = "duplicate"
        if reason is not None:
            chosen.rejected[reason] += 1
            continue
        seen.add(_identity(item))
        price = _price_of(item)
        key = (_is_spot(item), join_key(price.instance_type))
        rank = (from_iso(price.effective_start_at), price.meter_id, price.usd_per_hour)
        known = best.get(key)
        if known is not None:
            chosen.rejected["losing_candidate"] += 1
        if known is None or rank > known[0]:
            best[key] = (rank, price)
    for (spot, size), (_, price) in best.items():
        (chosen.spot if spot else chosen.ondemand)[size] = price
    return chosen


def _reject(item: Mapping[str, Any], region: str, now_at: datetime) -> str | None:
    """The first rule that leaves a row out, or None."""
    try:
        return _reject_by_kind(item, region) or _reject_by_product(item) or _reject_by_value(item, now_at)
    except (KeyError, TypeError, ValueError):
        return "unreadable"  # a field is missing or of another type; when all rows are, no price is left


def _reject_by_kind(item: Mapping[str, Any], region: str) -> str | None:
    kind = item.get("type")
    if kind == "Reservation":
        return "reservation"  # its price is that of the whole term
    if kind != "Consumption":
        return "devtest"
    code = str(item.get("armRegionName", ""))
    if not is_collected_region(code):
        return "not_collected_region"
    if code != region:
        return "other_region"
    size = str(item.get("armSkuName", "")).strip()
    return None if split_tier(join_key(size))[0] in ("standard", "basic") else "no_size"


def _reject_by_product(item: Mapping[str, Any]) -> str | None:
    product = str(item.get("productName", "")).strip()
    meter, sku = str(item.get("meterName", "")).strip(), str(item.get("skuName", "")).strip()
    if "Cloud Services" in product:
        return "cloud_services"  # the same size and meter name as the machine's, at the Windows price
    if "Dedicated Host" in product:
        return "dedicated_host"
    if product.endswith((" Windows", " Win")) or product == "Windows":
        return "windows"
    if "Low Priority" in meter or "Low Priority" in sku:
        return "low_priority"
    return "expired" if "Expired" in meter else None


def _reject_by_value(item: Mapping[str, Any], now_at: datetime) -> str | None:
    start_at = from_iso(str(item["effectiveStartDate"]))
    end = item.get("effectiveEndDate")
    if end:
        end_at = from_iso(str(end))
        if end_at < start_at:
            return "degenerate"
        if end_at < now_at:
            return "no_longer_valid"
    if start_at > now_at:
        return "not_yet_valid"
    price = float(item["retailPrice"] or 0.0)
    if not isfinite(price) or not item["meterId"] or not item["location"]:
        return "unreadable"
    return None if price > 0.0 else "zero_price"


def _is_spot(item: Mapping[str, Any]) -> bool:
    return any(str(item.get(name, "")).strip().endswith(" Spot") for name in ("skuName", "meterName"))


def _identity(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes a row the same row again (pages repeat their boundary)."""
    names = ("armRegionName", "armSkuName", "type", "skuName", "productName", "meterId", "effectiveStartDate")
    return (*(item.get(name) for name in names), item.get("effectiveEndDate"), item.get("retailPrice"))


def _price_of(item: Mapping[str, Any]) -> Price:
    return Price(
        usd_per_hour=float(item["retailPrice"]),
        meter_id=str(item["meterId"]),
        effective_start_at=str(item["effectiveStartDate"]),
        instance_type=str(item["armSkuName"]).strip(),
        region_name=str(item["location"]),
    )
