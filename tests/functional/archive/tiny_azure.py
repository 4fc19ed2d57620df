"""A tiny Azure whose truth changes, and that remembers what it answered: prices, rates, scores and locations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import requests

from spotlake.models import to_iso
from tests.functional.placement_scores.double import DoubleAzure, Seen, answer, arm_error
from tests.support.scripted import wired

BANDS = ("0-5", "5-10", "10-15", "15-20", "20+")
WORDS = {3: "High", 2: "Medium", 1: "Low"}
_REGION = re.compile(r"armRegionName eq '([a-z0-9]+)'")
_SIZE = re.compile(r"armSkuName eq '([^']+)'")
_LOCATION = re.compile(r"location =~ '([a-z0-9]+)'")


@dataclass
class Offer:
    """What is true of a pair."""

    spot: float
    band: str
    scores: dict[str, int]  # building -> score at every count


@dataclass
class TinyAzure(DoubleAzure):
    """Sells what ``sold`` says.

    Attributes:
        sold: Region -> size -> offer. A closed region sells nothing.
        located: Regions in every subscription's list of locations.
        numbers: Subscription -> logical zone -> number of the building, in every region.
        failing: Regions whose listings are refused.
        is_gone: Whether nothing answers at all.
        listed: (region, size) -> time and price of the last whole listing that showed it.
        rated: (region, size) -> time and band, in the same way.
        scored: (region, size, building, count) -> time -> score, of every answer.
    """

    sold: dict[str, dict[str, Offer]] = field(default_factory=dict)
    located: set[str] = field(default_factory=set)
    numbers: dict[str, dict[str, str]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    prices: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    bands: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    scored: dict[tuple[str, str, str, int], dict[str, int]] = field(default_factory=dict)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        if parts.path.endswith("/api/retail/prices"):
            response = self._prices(parse_qs(parts.query)["$filter"][0])
        elif parts.path.endswith("/Microsoft.ResourceGraph/resources"):
            response = self._rates(orjson.loads(request.body or b"{}")["query"])
        elif parts.path.endswith("/locations"):
            response = self._locations(parts.path.split("/")[2])
        else:
            return super().send(request, *args, **kwargs)
        response.request, response.url = request, str(request.url)
        return wired(response)

    def _prices(self, asked: str) -> requests.Response:
        found = _REGION.search(asked)
        assert found is not None
        region, sizes = found[1], set(_SIZE.findall(asked))
        if region in self.failing:
            return arm_error(400, "BadRequest", "not today")
        rows = []
        for size, offer in self.sold.get(region, {}).items():
            if not sizes or size in sizes:
                self.prices.setdefault((region, size), {})[to_iso(self.clock.now())] = offer.spot
                rows.append(_price_row(region, size, offer.spot, is_spot=True))
                if "contains(meterName,'Spot')" not in asked:
                    rows.append(_price_row(region, size, 1.0, is_spot=False))
        return answer(200, {"Items": rows, "NextPageLink": None, "Count": len(rows)})

    def _rates(self, query: str) -> requests.Response:
        found = _LOCATION.search(query)
        if found is None or "skuspotevictionrate" not in query:
            return answer(200, {"data": [], "totalRecords": 0, "count": 0, "resultTruncated": "false"})
        if found[1] in self.failing:
            return arm_error(400, "BadRequest", "not today")
        rows = []
        for size, offer in self.sold.get(found[1], {}).items():
            self.bands.setdefault((found[1], size), {})[to_iso(self.clock.now())] = offer.band
            rows.append({"skuName": size.lower(), "location": found[1], "evictionRate": offer.band})
        return answer(200, {"data": rows, "totalRecords": len(rows), "count": len(rows), "resultTruncated": "false"})

    def _locations(self, subscription: str) -> requests.Response:
        zones = self.numbers[subscription]
        listed = [
            {
                "name": region,
                "type": "Region",
                "metadata": {"regionType": "Physical"},
                "availabilityZoneMappings": [
                    {"logicalZone": logical, "physicalZone": f"{region}-az{number}"}
                    for logical, number in zones.items()
                ],
            }
            for region in sorted(self.located)
        ]
        return answer(200, {"value": listed})

    def _scores(self, seen: Seen) -> list[dict[str, Any]]:
        rows = []
        for region in seen.regions:
            for size in seen.instance_types:
                offer = self.sold.get(region, {}).get(size)
                for logical, number in sorted(self.numbers[seen.subscription].items()):
                    building = f"{region}-az{number}"
                    word = "DataNotFoundOrStale" if offer is None else WORDS[offer.scores[building]]
                    if offer is not None:
                        told = self.scored.setdefault((region, size, building, seen.desired_count), {})
                        told[to_iso(seen.at)] = offer.scores[building]
                    row = {"sku": size, "region": region, "score": word, "isQuotaAvailable": True}
                    rows.append({**row, "availabilityZone": logical})
        return rows

    # -- how the truth changes -------------------------------------------------------------------

    def open(self, region: str, sizes: Sequence[str], random: Random) -> None:
        """A region is listed, and sells these sizes."""
        self.located.add(region)
        self.sold[region] = {size: offer_of(region, random) for size in sizes}

    def drift(self, random: Random) -> None:
        """A tenth of the values change."""
        for region, sizes in self.sold.items():
            for size in sizes:
                if random.random() < 0.1:
                    sizes[size] = offer_of(region, random)


def offer_of(region: str, random: Random) -> Offer:
    buildings = [f"{region}-az{number}" for number in "123"]
    scores: Mapping[str, int] = {building: random.choice((1, 2, 3)) for building in buildings}
    return Offer(spot=random.randint(1, 900) / 1000, band=random.choice(BANDS), scores=dict(scores))


def _price_row(region: str, size: str, usd: float, *, is_spot: bool) -> dict[str, Any]:
    name = size.removeprefix("Standard_").replace("_", " ")
    return {
        "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": usd, "unitPrice": usd,
        "armRegionName": region, "location": f"TEST {region}", "effectiveStartDate": "2025-01-01T00:00:00Z",
        "meterId": f"{region}/{size}/{is_spot}", "meterName": f"{name} Spot" if is_spot else name,
        "productName": "Virtual Machines Dsv5 Series", "skuName": f"{name} Spot" if is_spot else name,
        "serviceName": "Virtual Machines", "serviceFamily": "Compute", "unitOfMeasure": "1 Hour",
        "type": "Consumption", "isPrimaryMeterRegion": True, "armSkuName": size,
    }  # fmt: skip
