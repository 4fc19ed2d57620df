"""The rules against real rows: two whole regions as captured on 2026-08-22 (tests/data/ORIGIN.md)."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spotlake.azure.price_rules import ChosenPrices, choose_prices
from tests.support.capture import REGIONS, captured_rows

CAPTURED_AT = datetime(2026, 8, 22, 12, 0, tzinfo=UTC)
BY_HAND = Path(__file__).parents[2] / "data" / "prices-read-by-hand.csv"


def prices(chosen: ChosenPrices) -> dict[tuple[str, str], float]:
    return {
        (kind, size): price.usd_per_hour
        for kind, of in (("spot", chosen.spot), ("ondemand", chosen.ondemand))
        for size, price in of.items()
    }


@pytest.fixture(scope="module", params=list(REGIONS))
def captured(request: pytest.FixtureRequest) -> tuple[str, list[dict[str, Any]], ChosenPrices]:
    rows = captured_rows(request.param)
    return request.param, rows, choose_prices(rows, region=request.param, now_at=CAPTURED_AT)


COUNTS = {
    "belgiumcentral": (
        (727, 737),
        {"windows": 1816, "low_priority": 350, "cloud_services": 112, "dedicated_host": 29, "no_size": 2},
    ),
    "francecentral": (
        (1209, 1219),
        {"windows": 2899, "low_priority": 672, "cloud_services": 174, "dedicated_host": 50, "expired": 16},
    ),
}


def test_every_row_is_a_price_or_rejected_by_a_named_rule(
    captured: tuple[str, list[dict[str, Any]], ChosenPrices],
) -> None:
    region, rows, chosen = captured
    taken, rejected = COUNTS[region]
    assert (len(chosen.spot), len(chosen.ondemand)) == taken
    assert dict(chosen.rejected) == rejected
    assert sum(taken) + sum(rejected.values()) == len(rows)
    assert (chosen.unknown_samples, chosen.disagreements) == ([], 0)


def test_prices_are_those_read_by_hand(captured: tuple[str, list[dict[str, Any]], ChosenPrices]) -> None:
    region, _, chosen = captured
    with BY_HAND.open(encoding="utf-8") as file:
        read = [row for row in csv.DictReader(file) if row["region"] == region]
    found = prices(chosen)
    for row in read:
        size = row["instance_type"].lower()
        for kind in ("spot", "ondemand"):
            assert found.get((kind, size)) == (float(row[f"{kind}_usd_per_hour"] or 0) or None), row


def test_prices_are_the_cheapest_of_each_size(captured: tuple[str, list[dict[str, Any]], ChosenPrices]) -> None:
    """A second method, which looks at no product: Windows and Cloud Services are never cheaper than Linux."""
    _, rows, chosen = captured
    cheapest: defaultdict[tuple[str, str], float] = defaultdict(lambda: float("inf"))
    for row in rows:
        words = row["meterName"].split()
        if words[-1] in ("Priority", "Expired") or "Type" in row["skuName"] or row["armSkuName"] == "L192is_v4":
            continue
        key = ("spot" if words[-1] == "Spot" else "ondemand", row["armSkuName"].lower())
        cheapest[key] = min(cheapest[key], row["retailPrice"])
    assert prices(chosen) == dict(cheapest)


def test_windows_twins_are_dearer_by_the_licence(captured: tuple[str, list[dict[str, Any]], ChosenPrices]) -> None:
    """A third: where a size has a Windows row, the licence is the same for its sizes of as many processors."""
    _, rows, chosen = captured
    licence = {
        row["armSkuName"].lower(): row["retailPrice"] - chosen.ondemand[row["armSkuName"].lower()].usd_per_hour
        for row in rows
        if row["armSkuName"].lower() in chosen.ondemand
        and "Windows" in row["productName"]
        and row["meterName"].split()[-1] not in ("Priority", "Expired", "Spot")
    }
    by_processors = Counter(
        round(extra, 3) for size, extra in licence.items() if "_e4a" in size.replace("standard", "") and extra
    )
    assert set(by_processors) == {0.184}
    assert min(licence.values()) >= 0


@pytest.mark.parametrize("start", ["2026-01-01T00:00:00Z", "2021-11-01T00:00:00Z", "2020-01-01T00:00:00Z"])
def test_the_start_of_cloud_services_changes_nothing(start: str) -> None:
    for region in REGIONS:
        rows = [
            {**row, "effectiveStartDate": start} if "Cloud" in row["productName"] else row
            for row in captured_rows(region)
        ]
        plain = choose_prices(captured_rows(region), region=region, now_at=CAPTURED_AT)
        assert prices(choose_prices(rows, region=region, now_at=CAPTURED_AT)) == prices(plain)
