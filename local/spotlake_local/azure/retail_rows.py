"""The rows of the simulated price list, one region at a time, with every oddity of the real one.

Families of one size (facts of 2026-11, docs/prices.md): Linux and Windows on-demand, Spot, Low
Priority; DevTest; Reservation; Cloud Services; Dedicated Host; expired promo; time-bounded and degenerate rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from spotlake.models import to_iso
from spotlake_local.azure.retail_names import (
    CLOUD_SERVICES_SINCE,
    host_product,
    is_host,
    meter_name,
    products_of,
    sku_name,
)
from spotlake_local.azure.world import World, chance

_WAS_PROMO = re.compile(r"Standard_DS?\d+_v2")
_WINDOWS, _CLOUD = "Windows", "Cloud Services"
_OPEN_SINCE = "2022-01-01T00:00:00Z"
_GOV = {"usgovvirginia": "US Gov Virginia", "usgovarizona": "US Gov AZ"}
_EDGE = {"attatlanta1": "ATT Atlanta 1", "sgxsingapore1": "SGX Singapore 1"}
ODD_REGIONS = {**_GOV, **_EDGE}
_ODD_REGION_SIZES = 40
_SAVINGS_PLAN_SHARE = 0.5
_KEPT_REGIONS = 4
type Row = dict[str, Any]


class PriceList:
    """Rows as the retail prices API serves them, in the order of an internal meter key."""

    def __init__(self, world: World) -> None:
        """Nothing is made yet."""
        self._world = world
        # A region's rows take 0.2 s; who asks for its spot prices asks for its on-demand prices soon after.
        self._rows = lru_cache(maxsize=_KEPT_REGIONS)(self._rows_of)

    def regions(self) -> list[str]:
        """Every region that has rows, those that are not collected included ("" = licences)."""
        return [*self._world.ondemand, *ODD_REGIONS, ""]

    def rows(self, region: str, now_at: datetime) -> list[Row]:
        """All rows of one region ("" = licences; unknown ones have none) at a time; not to be changed."""
        return self._rows(region, now_at)

    def _rows_of(self, region: str, now_at: datetime) -> list[Row]:
        if region == "":
            made = [_licence(number) for number in range(30)]
        elif region in ODD_REGIONS:
            sizes = list(self._world.ondemand["eastus"])[:_ODD_REGION_SIZES]
            made = [row for size in sizes for row in self._size_rows("eastus", size, now_at)]
            made = [{**row, "armRegionName": region, "location": ODD_REGIONS[region]} for row in made]
        else:
            sizes = list(self._world.ondemand.get(region, {}))
            made = [row for size in sizes for row in self._size_rows(region, size, now_at)]
            made.extend(self._hosts(region))
        return sorted(made, key=lambda row: (row["meterId"], row["type"], row["skuName"], row["effectiveStartDate"]))

    def _size_rows(self, region: str, size: str, now_at: datetime) -> Iterator[Row]:
        maker = _RowMaker(self._world, region, size)
        ondemand = self._world.ondemand[region][size]
        if is_host(size):
            yield maker.host(ondemand)
            return
        spot = self._world.spot_price(region, size, now_at)
        yield maker.row("", "", ondemand)
        windows = round(ondemand * 1.6 + 0.01, 6)
        if spot is not None:
            yield from self._spot_rows(maker, spot, now_at)
        if maker.drawn("low") < 0.55:
            yield maker.row("", " Low Priority", round(ondemand * 0.2, 6))
        if maker.products.windows:
            yield from self._windows_rows(maker, windows, ondemand, spot)
        if maker.drawn("reserved") < 0.6:
            for years, hours in (("1 Year", 8760), ("3 Years", 26280)):
                yield maker.row("", "", round(ondemand * hours * 0.6), kind="Reservation", reservationTerm=years)
        if maker.products.cloud_services:
            yield maker.row(_CLOUD, "", windows)
            if maker.drawn("cloud-low") < 0.5:
                yield maker.row(_CLOUD, " Low Priority", round(windows * 0.4, 6))
        if _WAS_PROMO.fullmatch(size) and maker.drawn("expired") < 0.5:
            yield maker.expired(round(ondemand * 0.9, 6))

    def _windows_rows(self, maker: _RowMaker, windows: float, ondemand: float, spot: float | None) -> Iterator[Row]:
        yield maker.row(_WINDOWS, "", windows)
        if spot is not None:
            yield maker.row(_WINDOWS, " Spot", round(spot * 1.6, 6))
        if maker.drawn("lowWindows") < 0.55:
            yield maker.row(_WINDOWS, " Low Priority", round(ondemand * 0.4, 6))
        if maker.drawn("devtest") < 0.5:
            # Windows for developers costs what Linux does, under the meter of the plain row.
            yield maker.row(_WINDOWS, "", ondemand, kind="DevTestConsumption")
            if spot is not None:
                yield maker.row(_WINDOWS, " Spot", spot, kind="DevTestConsumption")

    def _spot_rows(self, maker: _RowMaker, spot: float, now_at: datetime) -> Iterator[Row]:
        began_at = self._world.price_began_at(maker.region, maker.size, now_at)
        next_month = (began_at + timedelta(days=32)).replace(day=1)
        start, next_start = to_iso(began_at), to_iso(next_month)
        drawn = maker.drawn("bounded")
        closing_ends = next_month - timedelta(minutes=1)
        if drawn < 0.03 and closing_ends > now_at:
            # The price in force closes at the month's end; its successor is served ahead of time.
            yield maker.row("", " Spot", spot, effectiveStartDate=start, effectiveEndDate=to_iso(closing_ends))
            yield maker.row("", " Spot", round(spot * 1.1, 6), effectiveStartDate=next_start)
        elif drawn < 0.06:
            # The old row is served although its time is over.
            ended = to_iso(began_at - timedelta(minutes=1))
            before = to_iso(began_at - timedelta(days=31))
            yield maker.row("", " Spot", round(spot * 0.8, 6), effectiveStartDate=before, effectiveEndDate=ended)
            yield maker.row("", " Spot", spot, effectiveStartDate=start)
        elif drawn < 0.07:
            # A degenerate row: it ends before it starts, and its price means nothing.
            ended = to_iso(began_at - timedelta(minutes=1))
            yield maker.row("", " Spot", 0.04, effectiveStartDate=start, effectiveEndDate=ended)
            yield maker.row("", " Spot", spot, effectiveStartDate=start)
        elif drawn < 0.08:
            # The same meter under an older start: the latest start counts.
            yield maker.row("", " Spot", round(spot * 1.2, 6), effectiveStartDate="2023-01-01T00:00:00Z")
            yield maker.row("", " Spot", spot, effectiveStartDate=start)
        else:
            yield maker.row("", " Spot", spot, effectiveStartDate=start)

    def _hosts(self, region: str) -> Iterator[Row]:
        for family in ("Dsv3", "Esv5", "Fsv2"):
            yield _RowMaker(self._world, region, f"{family}_Type1").host(4.6)


class _RowMaker:
    """Makes the rows of one (region, size)."""

    def __init__(self, world: World, region: str, size: str) -> None:
        self.world, self.region, self.size = world, region, size
        self.products = products_of(size, world.seed)
        self.location = world.regions[region].location

    def drawn(self, what: str) -> float:
        return chance(self.world.seed, what, self.region, self.size)

    def row(self, product: str, suffix: str, price: float, *, kind: str = "Consumption", **more: str) -> Row:
        """One row; ``product`` is "", "Windows" or "Cloud Services"."""
        # Reservations and DevTest share the meter of the plain row.
        meter = chance("meter", self.region, self.size, product, suffix)
        name = {"": self.products.linux, _WINDOWS: self.products.windows, _CLOUD: self.products.cloud_services}[product]
        product_id = f"DZH318Z{int(chance('product', name) * 10**5):05d}"
        row: Row = {
            "currencyCode": "USD",
            "tierMinimumUnits": 0.0,
            "retailPrice": price,
            "unitPrice": price,
            "armRegionName": self.region,
            "location": self.location,
            "effectiveStartDate": CLOUD_SERVICES_SINCE if "CloudServices" in name else _OPEN_SINCE,
            "meterId": _guid(meter),
            "meterName": meter_name(self.size, chance("meter-name", self.size)) + suffix,
            "productId": product_id,
            "skuId": f"{product_id}/{int(meter * 10_000):04d}",
            "productName": name,
            "skuName": sku_name(self.size, self.drawn("new-sku")) + suffix,
            "serviceName": "Virtual Machines",
            "serviceId": "DZH313Z7MMC8",
            "serviceFamily": "Compute",
            "unitOfMeasure": "1 Hour",
            "type": kind,
            "isPrimaryMeterRegion": bool(suffix),
            "armSkuName": self.size + ("  " if self.drawn("blank") < 0.01 else ""),
        }
        return {**row, **more}

    def expired(self, price: float) -> Row:
        """The promo product's row: a plain SKU name, a meter that says "- Expired"."""
        row = self.row("", "", price)
        product = row["productName"].replace(" Series", " promo Series")
        meter = _guid(chance("meter", self.region, self.size, "expired"))
        return {**row, "productName": product, "meterName": f"{row['meterName']} - Expired", "meterId": meter}

    def host(self, price: float) -> Row:
        """A host's only row: its SKU's name may be the type alone."""
        row = self.row("", "", price)
        number = "".join(filter(str.isdigit, self.size.rpartition("Type")[2])) or "1"
        name = f"Type {number}" if self.drawn("host") < 0.3 else self.size.replace("_", " ")
        return {**row, "productName": host_product(self.size), "skuName": name, "meterName": name}


def with_savings_plan(row: Row) -> Row:
    """A row as 2023-01-01-preview shows it: half the on-demand rows have savings plans."""
    plain = row["type"] == "Consumption" and row["meterName"].rpartition(" ")[2] not in ("Spot", "Priority", "Expired")
    if not plain or chance("savings", row["meterId"]) >= _SAVINGS_PLAN_SHARE:
        return row
    price = row["retailPrice"]
    offers = (("3 Years", round(price * 0.47, 6)), ("1 Year", round(price * 0.69, 6)))
    return {**row, "savingsPlan": [{"unitPrice": one, "retailPrice": one, "term": term} for term, one in offers]}


def with_new_kind(rows: list[Row], words: str) -> list[Row]:
    """The rows, and beside each Linux spot price one of a kind that nobody knows ("Spot Plus"), younger and dearer."""
    added = [
        {
            **row,
            **{name: row[name].removesuffix("Spot") + words for name in ("meterName", "skuName")},
            "retailPrice": round(row["retailPrice"] * 1.5, 6),
            "meterId": _guid(chance("new kind", row["meterId"])),
            "effectiveStartDate": CLOUD_SERVICES_SINCE,
        }
        for row in _linux_spot(rows)
    ]
    return rows + added


def with_second_meters(rows: list[Row], number: int) -> list[Row]:
    """The rows, and for so many sizes a second Linux spot meter of another price, of a product named less plainly."""
    added = [
        {
            **row,
            "productName": f"{row['productName']} Linux",
            "retailPrice": round(row["retailPrice"] * 2.0, 6),
            "meterId": _guid(chance("second meter", row["meterId"])),
        }
        for row in _linux_spot(rows)[:number]
    ]
    return rows + added


def _linux_spot(rows: list[Row]) -> list[Row]:
    return [
        row
        for row in rows
        if row["type"] == "Consumption"
        and row["meterName"].endswith(" Spot")
        and row["productName"].endswith(" Series")
    ]


def _guid(drawn: float) -> str:
    """A meter's id: in the form of Azure's, ordered by ``drawn``."""
    digits = f"{int(drawn * 2**63):016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:]}-bb31-90ac59267863"


def _licence(number: int) -> Row:
    return {
        "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": 0.1, "unitPrice": 0.1, "armRegionName": "",
        "location": "", "effectiveStartDate": _OPEN_SINCE, "meterId": _guid(chance("licence", number)),
        "meterName": f"{number} vCPU",
        "productId": "DZH318Z0LIC0", "skuId": f"DZH318Z0LIC0/{number:04d}", "productName": "Windows Server",
        "skuName": f"{number} vCPU VM", "serviceName": "Virtual Machines Licenses", "serviceId": "DZH318Z0LIC",
        "serviceFamily": "Compute", "unitOfMeasure": "1 Hour", "type": "Consumption", "isPrimaryMeterRegion": True,
        "armSkuName": "",
    }  # fmt: skip
