"""Chooses the row of the price list that is the price of a size, by written rules (pure).

A row is a price only if all its fields pass the rules: type, service, currency, unit, tier, region, size, product,
meter, validity, value (docs/prices.md; captures of 2026). Any other row is rejected under the name of the first rule
that it breaks; a row that no rule knows is ``unknown_kind``. So the counts add up to the rows read. The order of the
rows never matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from math import isfinite

from spotlake.azure.price_names import Meter, Product, letter_of_family, read_meter, read_product, without_windows
from spotlake.azure.price_samples import keep_sample
from spotlake.azure.retail import RetailItem, number_of
from spotlake.models import from_iso
from spotlake.names import is_collected_region, join_key, region_key
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
MOST_DISAGREEING = 20
ROUNDING = 0.001  # share of a price; candidates that are closer agree
_IDENTIFYING = (
    *("meterId", "armSkuName", "armRegionName", "skuName", "productName"),
    *("effectiveStartDate", "effectiveEndDate"),
)
_USUAL_TERMS = ("Virtual Machines", "USD", "1 Hour")  # service, currency and unit of nearly every row
# USD per hour. The table keeps six digits, and the dearest machine of 2026 costs some hundreds.
_SMALLEST_PRICE, _LARGEST_PRICE = 1e-6, 1e5
_LONGEST_MOMENT = 40  # characters of a date whose moment is kept


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
            keep_sample(self.unknown, sample)
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
    seen: set[tuple[str | float, ...]] = set()
    for item in items:
        judged = _judge(item, region, now_at)
        if not isinstance(judged, str):
            identity = _identity(item)
            judged = "duplicate" if identity in seen else judged
        if isinstance(judged, str):
            chosen.rejected[judged] += 1
            if judged == "unknown_kind":
                keep_sample(chosen.unknown, item)
            elif judged == "windows" and keep_windows:
                chosen.windows.append(item)
            elif judged == "zero_price":
                chosen.unpriced.add(join_key(str(item["armSkuName"])))
            continue
        seen.add(identity)
        chosen.respelt_regions += item["armRegionName"] != region
        price = _price_of(item)
        same = candidates.setdefault((judged, join_key(price.instance_type)), [])
        same.append((_rank_of(item, price), price))
    for (is_spot, size), ranked in candidates.items():
        best = ranked[0][1] if len(ranked) == 1 else _best_of(ranked, chosen, is_spot=is_spot)
        (chosen.spot if is_spot else chosen.ondemand)[size] = best
    return chosen


def _best_of(ranked: Sequence[tuple[_Rank, Price]], chosen: ChosenPrices, *, is_spot: bool) -> Price:
    """The winner of several candidates; the others are counted."""
    best = max(ranked, key=lambda one: one[0])[1]
    chosen.rejected["losing_candidate"] += len(ranked) - 1
    differing = sum(_disagree(best, price) for _, price in ranked)
    if differing:
        chosen.disagreements += differing
        chosen.disagreeing.add(f"{'spot' if is_spot else 'ondemand'} {best.instance_type}")
    return best


def windows_spot(chosen: ChosenPrices, *, region: str, now_at: datetime) -> dict[str, float]:
    """Windows spot prices by size (ARM casing), by the same rules, of rows that ``choose_prices`` has kept."""
    beside = ({**item, "productName": without_windows(str(item["productName"]))} for item in chosen.windows)
    found = choose_prices(beside, region=region, now_at=now_at)
    return {price.instance_type: price.usd_per_hour for price in found.spot.values()}


type _Rank = tuple[int, datetime, str, float]


def _judge(item: RetailItem, region: str, now_at: datetime) -> str | bool:
    """The first rule that rejects a row; or else whether the row is a spot price."""
    try:
        if reason := _reject_by_kind(item, region) or _reject_by_product(item):
            return reason
        meter = read_meter(str(item["skuName"]), str(item["meterName"]), str(item["armSkuName"]))
        if meter is not Meter.PLAIN and meter is not Meter.SPOT:
            return "unknown_kind" if meter is Meter.UNKNOWN else meter.value
        return _reject_by_value(item, now_at) or meter is Meter.SPOT
    except (KeyError, TypeError, ValueError, OverflowError):
        return "unreadable"  # a field is missing or of another type; when all rows are, no price is left


def _reject_by_kind(item: RetailItem, region: str) -> str | None:
    kind = item["type"]
    if kind != "Consumption":
        # A reservation's price is of the whole term.
        return {"Reservation": "reservation", "DevTestConsumption": "devtest"}.get(str(kind), "unknown_kind")
    # Rows repeat these words, so they are looked at closely only where they are others.
    code = region if item["armRegionName"] == region else region_key(str(item["armRegionName"]))
    if not (_is_asked_collected(region) if code == region else is_collected_region(code)):
        return "not_collected_region"
    return "other_region" if code != region else _reject_by_terms(item)


def _reject_by_terms(item: RetailItem) -> str | None:
    """Check the service, the currency, the unit and the tier of a row."""
    terms = item["serviceName"], item["currencyCode"], item["unitOfMeasure"]
    if terms != _USUAL_TERMS and (reason := _reject_by_words(*map(str, terms))):
        return reason
    return None if number_of(item["tierMinimumUnits"]) == 0.0 else "higher_tier"


def _reject_by_words(service: str, currency: str, unit: str) -> str | None:
    if service.strip().lower() != "virtual machines":
        return "other_service"
    if currency.strip().upper() != "USD":
        return "other_currency"
    return None if "".join(unit.lower().split()) == "1hour" else "other_unit"


def _reject_by_product(item: RetailItem) -> str | None:
    product = read_product(str(item["productName"]))
    if product.rejected:
        return product.rejected
    size = join_key(str(item["armSkuName"]))
    letter = letter_of_family(size)
    if letter is None:
        return "no_size"
    if product.kind is Product.PROMO and not size.endswith("_promo"):
        # Most promotions are expired too, and their meters say so.
        meter = read_meter(str(item["skuName"]), str(item["meterName"]), size)
        return "expired" if meter is Meter.EXPIRED else "promo"
    return None if product.family[:1] == letter else "unknown_kind"  # an unknown product has no family


_is_asked_collected = lru_cache(maxsize=128)(is_collected_region)
_short_moment = lru_cache(maxsize=1024)(from_iso)


def _moment(text: str) -> datetime:
    """The moment of a date. Prices begin on few days, so moments of short texts are kept."""
    return _short_moment(text) if len(text) <= _LONGEST_MOMENT else from_iso(text)


def _reject_by_value(item: RetailItem, now_at: datetime) -> str | None:
    start_at = _moment(str(item["effectiveStartDate"]))
    end = item.get("effectiveEndDate")
    if end:
        end_at = _moment(str(end))
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
    return plainness, _moment(price.effective_start_at), price.meter_id, price.usd_per_hour


def _disagree(best: Price, other: Price) -> bool:
    """Whether another meter has another price. An older tier of the same meter is no disagreement."""
    far = abs(best.usd_per_hour - other.usd_per_hour) > ROUNDING * best.usd_per_hour
    return far and (best.meter_id != other.meter_id or best.effective_start_at == other.effective_start_at)


def _identity(item: RetailItem) -> tuple[str | float, ...]:
    """Fields that identify a row, because a page may repeat the last row of the page before."""
    return (number_of(item["retailPrice"]), *[str(item.get(name)) for name in _IDENTIFYING])


def _price_of(item: RetailItem) -> Price:
    return Price(
        usd_per_hour=number_of(item["retailPrice"]),
        meter_id=str(item["meterId"]),
        effective_start_at=str(item["effectiveStartDate"]),
        instance_type=str(item["armSkuName"]).strip(),
        region_name=str(item["location"]),
    )
