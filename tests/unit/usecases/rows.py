"""Rows in the shape of the price list (a row of eastus, autumn 2026, and what stands beside it)."""

from __future__ import annotations

from typing import Any

REGION = "eastus"
SPOT: dict[str, Any] = {
    "currencyCode": "USD",
    "tierMinimumUnits": 0.0,
    "retailPrice": 0.018816,
    "unitPrice": 0.018816,
    "armRegionName": REGION,
    "location": "US East",
    "effectiveStartDate": "2026-06-01T00:00:00Z",
    "meterId": "898b8731-56dd-5181-bb31-90ac59267863",
    "meterName": "D2s v3 Spot",
    "productId": "DZH318Z0BQ50",
    "skuId": "DZH318Z0BQ50/0234",
    "productName": "Virtual Machines DSv3 Series",
    "skuName": "D2s v3 Spot",
    "serviceName": "Virtual Machines",
    "serviceId": "DZH313Z7MMC8",
    "serviceFamily": "Compute",
    "unitOfMeasure": "1 Hour",
    "type": "Consumption",
    "isPrimaryMeterRegion": True,
    "armSkuName": "Standard_D2s_v3",
}
ONDEMAND = SPOT | {
    "retailPrice": 0.096,
    "unitPrice": 0.096,
    "meterId": "2f64b5de-56dd-5181-bb31-90ac59267863",
    "meterName": "D2s v3",
    "skuName": "D2s v3",
    "isPrimaryMeterRegion": False,
}


def spot(**changes: Any) -> dict[str, Any]:
    return SPOT | changes


def ondemand(**changes: Any) -> dict[str, Any]:
    return ONDEMAND | changes


def of_size(size: str, **changes: Any) -> dict[str, Any]:
    """A spot row of another size."""
    short = size.removeprefix("Standard_").replace("_", " ")
    product = f"Virtual Machines {short[0]} Series"
    names = {"armSkuName": size, "productName": product, "meterName": f"{short} Spot", "skuName": f"{short} Spot"}
    names["meterId"] = f"meter-{size}"
    return SPOT | names | changes


def page(*items: dict[str, Any], link: str | None = None) -> dict[str, Any]:
    """An answer of the API."""
    return {
        "BillingCurrency": "USD",
        "CustomerEntityId": "Default",
        "CustomerEntityType": "Retail",
        "Items": list(items),
        "NextPageLink": link,
        "Count": len(items),
    }
