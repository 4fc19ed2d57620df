"""The captured price list of two regions (tests/data/ORIGIN.md), in the shape of the API.

The capture lacks ``armSkuName``, ``location``, currency, tier and dates. Sizes are looked up in the catalogue by
the SKU's name without its last words; the other fields are what the API gives for every row of virtual machines.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from spotlake_local.azure.world import World

CAPTURE = Path(__file__).parents[1] / "data" / "retail-capture-2026-08-22.csv.gz"
REGIONS = {"belgiumcentral": "BE Central", "francecentral": "FR Central"}
SUFFIX = re.compile(r" (Spot|Low Priority)$")


def captured_rows(region: str) -> list[dict[str, Any]]:
    """Every row of a region."""
    return [dict(row) for row in _rows() if row["armRegionName"] == region]


def _squeezed(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.lower())


def _size_of(row: dict[str, str], known: dict[str, str]) -> str:
    name = re.sub(r"^standard_", "", SUFFIX.sub("", row["skuName"]), flags=re.IGNORECASE)
    if "Host" in row["productName"]:
        return f"{row['productName'].split()[0]}_{name.split()[-1]}"  # "Easv5_Type1": hosts are sold by type
    if row["productName"].startswith("Virtual Machines A Series Basic"):
        return f"Basic_{name}"
    return known.get(_squeezed(name), name.replace(" ", "_"))


@lru_cache(maxsize=1)
def _rows() -> tuple[dict[str, Any], ...]:
    return tuple(_made())


def _made() -> Iterator[dict[str, Any]]:
    known = {
        _squeezed(size.removeprefix("Standard_")): size
        for size in World().sizes.values()
        if size.startswith("Standard_") and not size.endswith("_Promo")
    }
    with gzip.open(CAPTURE, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield {
                **row,
                "retailPrice": float(row["retailPrice"]),
                "unitPrice": float(row["unitPrice"]),
                "armSkuName": _size_of(row, known),
                "location": REGIONS[row["armRegionName"]],
                "currencyCode": "USD",
                "tierMinimumUnits": 0.0,
                "effectiveStartDate": "2022-01-01T00:00:00Z",
                "serviceName": "Virtual Machines",
            }
