"""Chooses the row of the price list that is the price of a size, by written rules (pure).

A row is a price only if all its fields pass the rules: type, service, currency, unit, tier, region, size, product,
meter, validity, value (docs/prices.md; captures of 2026). Any other row is rejected under the name of the first rule
that it breaks; a row that no rule knows is ``unknown_kind``. So the counts add up to the rows read. The order of the
rows never matters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite

from spotlake.azure.price_names import Meter, Product, read_meter, read_product, without_windows, words_of_kind
from spotlake.azure.retail import RetailItem, number_of
from spotlake.models import from_iso
from spotlake.names import is_collected_region, join_key, printable, region_key, split_tier
from spotlake.reports import RowSample

REJECTED_KINDS = (
    "unreadable",
    "reservation",
    "devtest",
    "other_service",
    "other_currency",
    "other_unit",
    "higher_tier",
    "other_region",
    "not_collected_region",
    "cloud_services",
    "dedicated_host",
    "windows",
    "promo",
    "no_size",
    "low_priority",
    "expired",
    "unknown_kind",
    "degenerate",
    "not_yet_valid",
    "no_longer_valid",
    "zero_price",
    "duplicate",
    "losing_candidate",
)
MOST_SAMPLES, MOST_DISAGREEING, _LONGEST_SAMPLE_TEXT = 5, 20, 80
ROUNDING = 0.001  # share of a price; candidates that are closer agree
_SAMPLE_FIELDS = ("productName", "skuName", "meterName", "armSkuName", "type", "retailPrice")
_SIZE = re.compile(r"(?:standard|basic)_[a-z]{1,4}[0-9][a-z0-9_-]{0,60}")
# USD per hour. The table keeps six digits, and the dearest machine of 2026 costs some hundreds.
_SMALLEST_PRICE, _LARGEST_PRICE = 1e-6, 1e5
_HOST_SIZE = re.compile(r"[_\s-]type\s?\d+$")


@dataclass(frozen=True, kw_only=True)
class Price:
    """A price that is in force.

    Attributes:
        usd_per_hour: The price, in USD per hour.
        meter_id: Id of Azure's meter.
        effective_start_at: When the price tier began (ISO, as served). This is no observation time.
        instance_type: Size, ARM casing, without blanks.
        region_name: Billing name of the region ("KR Central").
    """

    usd_per_hour: float
    meter_id: str
    effective_start_at: str
    instance_type: str
    region_name: str


type Sample = dict[str, str | float | None]  # field -> value, shortened


@dataclass
class ChosenPrices:
    """Prices by ``join_key`` of the size, and the reasons why other rows were rejected.

    Attributes:
        spot, ondemand: The prices.
        rejected: Number of rejected rows, by ``REJECTED_KINDS``.
        unpriced: Sizes (``join_key``) with a price of 0, which means unknown.
        disagreements: Number of losing rows of another meter whose price differs by more than rounding.
        disagreeing: Which sizes those are of, ``MOST_DISAGREEING`` at most: "spot Standard_D2s_v5".
        respelt_regions: Number of rows whose region is not spelt as in the request.
        unknown: Kind (``words_of_kind``) -> a row of it: that kind and its telling fields; ``MOST_SAMPLES`` kinds at
            most, and which ones depends on the rows alone.
        windows: Rows of Windows spot prices, where they were asked for.
    """

    spot: dict[str, Price] = field(default_factory=dict)
    ondemand: dict[str, Price] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    unpriced: set[str] = field(default_factory=set)
    disagreements: int = 0
    disagreeing: set[str] = field(default_factory=set)
    respelt_regions: int = 0
    unknown: dict[str, RowSample] = field(default_factory=dict)
    windows: list[RetailItem] = field(default_factory=list)

    @property
    def unknown_samples(self) -> list[RowSample]:
        """The rows of ``unknown``, in order of their kinds."""
        return [sample for _, sample in sorted(self.unknown.items())]

    def add_missing(self, narrow: ChosenPrices) -> int:
        """Add the prices that only a narrower request found; return the number of sizes."""
        healed: set[str] = set()
        for mine, found in ((self.spot, narrow.spot), (self.ondemand, narrow.ondemand)):
            new = found.keys() - mine.keys()
            healed |= new
            self.rejected["duplicate"] += len(found) - len(new)
            mine.update({size: found[size] for size in new})
        self.rejected += narrow.rejected
        self.unpriced |= narrow.unpriced
        self.disagreements += narrow.disagreements
        self.disagreeing |= narrow.disagreeing
        for sample in narrow.unknown_samples:
            _keep_sample(self.unknown, sample)
        return len(healed)


def choose_prices(
    items: Iterable[RetailItem], *, region: str, now_at: datetime, keep_windows: bool = False
) -> ChosenPrices:
    """Choose the Linux spot and on-demand price of every size of one region.

    If a size has several rows, the plainest product wins (fewest words besides "Virtual Machines <family> Series").
    Then the latest tier wins, then the higher meter id, then the higher price. The choice depends on the rows alone.

    Args:
        items: Rows as the API serves them.
        region: ARM code that was asked for.
        now_at: Time of the run. Rows that are not in force at this time are rejected.
        keep_windows: Whether rows of Windows are kept, for ``windows_spot``.
    """
    chosen = ChosenPrices()
    candidates: dict[tuple[bool, str], list[tuple[_Rank, Price]]] = {}
    seen: set[tuple[str, ...]] = set()
    for item in items:
        reason, is_spot = _judge(item, region, now_at)
        if reason is None and _identity(item) in seen:
            reason = "duplicate"
        if reason is not None:
            chosen.rejected[reason] += 1
            if reason == "unknown_kind":
                _keep_sample(chosen.unknown, item)
            elif reason == "windows" and keep_windows:
                chosen.windows.append(item)
            elif reason == "zero_price":
                chosen.unpriced.add(join_key(str(item["armSkuName"])))
            continue
        seen.add(_identity(item))
        chosen.respelt_regions += item["armRegionName"] != region
        price = _price_of(item)
        candidates.setdefault((is_spot, join_key(price.instance_type)), []).append((_rank_of(item, price), price))
    for (is_spot, size), ranked in candidates.items():
        best = max(ranked, key=lambda one: one[0])[1]
        chosen.rejected["losing_candidate"] += len(ranked) - 1
        differing = sum(_disagree(best, price) for _, price in ranked)
        if differing:
            chosen.disagreements += differing
            chosen.disagreeing.add(f"{'spot' if is_spot else 'ondemand'} {best.instance_type}")
        (chosen.spot if is_spot else chosen.ondemand)[size] = best
    chosen.rejected += Counter()  # drops kinds with a count of 0
    return chosen


def windows_spot(chosen: ChosenPrices, *, region: str, now_at: datetime) -> dict[str, float]:
    """Windows spot prices by size (ARM casing), by the same rules, of rows that ``choose_prices`` has kept."""
    beside = ({**item, "productName": without_windows(str(item["productName"]))} for item in chosen.windows)
    found = choose_prices(beside, region=region, now_at=now_at)
    return {price.instance_type: price.usd_per_hour for price in found.spot.values()}


type _Rank = tuple[int, datetime, str, float]


def _judge(item: RetailItem, region: str, now_at: datetime) -> tuple[str | None, bool]:
    """The first rule that rejects a row (None: no rule does), and whether the row is a spot price."""
    try:
        reason = _reject_by_kind(item, region) or _reject_by_product(item)
        if reason is not None:
            return reason, False
        meter = read_meter(str(item["skuName"]), str(item["meterName"]), str(item["armSkuName"]))
        if meter not in (Meter.PLAIN, Meter.SPOT):
            return ("unknown_kind" if meter is Meter.UNKNOWN else meter.value), False
        return _reject_by_value(item, now_at), meter is Meter.SPOT
    except (KeyError, TypeError, ValueError, OverflowError):
        return "unreadable", False  # a field is missing or of another type; when all rows are, no price is left


def _reject_by_kind(item: RetailItem, region: str) -> str | None:
    kind = item["type"]
    if kind in ("Reservation", "DevTestConsumption"):
        return "reservation" if kind == "Reservation" else "devtest"  # a reservation's price is of the whole term
    if kind != "Consumption":
        return "unknown_kind"
    code = region_key(str(item["armRegionName"]))
    if not is_collected_region(code):
        return "not_collected_region"
    return "other_region" if code != region else _reject_by_terms(item)


def _reject_by_terms(item: RetailItem) -> str | None:
    """Check the service, the currency, the unit and the tier of a row."""
    if str(item["serviceName"]).strip().lower() != "virtual machines":
        return "other_service"
    if str(item["currencyCode"]).strip().upper() != "USD":
        return "other_currency"
    if "".join(str(item["unitOfMeasure"]).lower().split()) != "1hour":
        return "other_unit"
    return None if number_of(item["tierMinimumUnits"]) == 0.0 else "higher_tier"


def _reject_by_product(item: RetailItem) -> str | None:
    product = read_product(str(item["productName"]))
    if product.kind in (Product.CLOUD_SERVICES, Product.DEDICATED_HOST, Product.WINDOWS):
        return product.kind.value
    size = join_key(str(item["armSkuName"]))
    if not _SIZE.fullmatch(size) or _HOST_SIZE.search(size):
        return "no_size"
    if product.kind is Product.PROMO and not size.endswith("_promo"):
        # Most promotions are expired too, and their meters say so.
        meter = read_meter(str(item["skuName"]), str(item["meterName"]), size)
        return "expired" if meter is Meter.EXPIRED else "promo"
    is_own_family = product.family[:1] == split_tier(size)[1][:1]
    return None if is_own_family and product.kind is not Product.UNKNOWN else "unknown_kind"


def _reject_by_value(item: RetailItem, now_at: datetime) -> str | None:
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
    price = number_of(item["retailPrice"] or 0.0)
    if not isfinite(price) or not item["meterId"] or not item["location"]:
        return "unreadable"
    if price <= 0.0:
        return "zero_price"
    return None if _SMALLEST_PRICE <= price <= _LARGEST_PRICE else "unreadable"


def _rank_of(item: RetailItem, price: Price) -> _Rank:
    plainness = -read_product(str(item["productName"])).extra_words
    return plainness, from_iso(price.effective_start_at), price.meter_id, price.usd_per_hour


def _disagree(best: Price, other: Price) -> bool:
    """Whether another meter has another price. An older tier of the same meter is no disagreement."""
    far = abs(best.usd_per_hour - other.usd_per_hour) > ROUNDING * best.usd_per_hour
    return far and (best.meter_id != other.meter_id or best.effective_start_at == other.effective_start_at)


def _keep_sample(kept: dict[str, RowSample], item: RetailItem) -> None:
    """One row of each kind, the first in order of its text; of the kinds the first few in order of their words."""
    sample: dict[str, str | float | None] = {name: _short(item.get(name)) for name in _SAMPLE_FIELDS}
    kind = words_of_kind(*(str(sample[name]) for name in ("productName", "skuName", "meterName", "armSkuName")))
    kind = sample["kind"] = kind if sample["type"] == "Consumption" else f"{sample['type']} {kind}".strip()
    if kind not in kept or _text_of(sample) < _text_of(kept[kind]):
        kept[kind] = sample
    if len(kept) > MOST_SAMPLES:
        del kept[max(kept)]


def _text_of(sample: RowSample) -> list[str]:
    return [str(value) for value in sample.values()]


def _short(value: object) -> str | float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return printable(str(value)[:_LONGEST_SAMPLE_TEXT])


def _identity(item: RetailItem) -> tuple[str, ...]:
    """Fields that identify a row, because a page may repeat the last row of the page before."""
    names = ("armRegionName", "armSkuName", "type", "skuName", "productName", "meterId", "effectiveStartDate")
    return tuple(str(item.get(name)) for name in (*names, "effectiveEndDate", "retailPrice"))


def _price_of(item: RetailItem) -> Price:
    return Price(
        usd_per_hour=number_of(item["retailPrice"]),
        meter_id=str(item["meterId"]),
        effective_start_at=str(item["effectiveStartDate"]),
        instance_type=str(item["armSkuName"]).strip(),
        region_name=str(item["location"]),
    )
