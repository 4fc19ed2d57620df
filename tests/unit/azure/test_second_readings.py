"""Random answers read twice: by the library, and by a second reading of a few lines that shares nothing with it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from spotlake.azure.placement import Question, parse_scores
from spotlake.azure.price_history import compare_prices, read_history
from spotlake.scores.zones import ZoneMap
from tests.support.scripted import answered
from tests.unit.usecases.test_collect_eviction_rates import REGION, Collector, page

SEEDS = pytest.mark.parametrize("seed", range(40))
SIZES = tuple(f"Standard_D{number}s_v5" for number in range(2, 26))

type Row = Mapping[str, Any]


def mixed(random: Random, text: str) -> str:
    """The text in some casing, with blanks around it."""
    return random.choice((text, text.lower(), text.upper(), f" {text}", f"{text} "))


# -- eviction rates: docs/prices.md ---------------------------------------------------------------

RATES = {"0-5": 3.0, "5-10": 2.5, "10-15": 2.0, "15-20": 1.5, "20+": 1.0}


def rates_again(rows: Iterable[Row]) -> dict[str, tuple[str, float | None]]:
    """Size in lower case -> band and rate. A size with two bands has none; a row of elsewhere is dropped."""
    said = defaultdict(set)
    for row in rows:
        band = re.sub(r"[\s%]", "", row["evictionRate"] or "")
        if re.sub(r"\s", "", row["location"]).lower() == REGION and band:
            said[row["skuName"].strip().lower()].add(band)
    one = {size: bands.pop() for size, bands in said.items() if len(bands) == 1}
    return {size: (band, RATES.get(band)) for size, band in one.items()}


@SEEDS
def test_eviction_rates(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - answers are no secrets
    rows = []
    for size in random.sample(SIZES, 24):
        for _ in range(1 + (random.random() < 0.03)):  # with more of these the answer would be refused
            band = random.choice((*RATES, *RATES, "0 - 5 %", "10-15%", "?")) if random.random() < 0.97 else None
            place = mixed(random, REGION) if random.random() < 0.97 else "eastus"
            rows.append({"skuName": mixed(random, size), "location": place, "evictionRate": band})
    wanted = rates_again(rows)
    collector = Collector(answered(page(*rows)))
    collector.collect()
    found = {row["instance_type"].lower(): row for row in collector.rows()}
    assert {size: (row["eviction_band"], row["interruption_frequency"]) for size, row in found.items()} == wanted


# -- placement scores: docs/placement-scores.md ---------------------------------------------------

REGIONS = ("eastus", "koreacentral")
BUILDINGS = {
    "reference": {region: {"1": f"{region}-az1", "2": f"{region}-az3", "3": f"{region}-az2"} for region in REGIONS},
    "other": {"eastus": {"1": "eastus-az2", "2": "eastus-az1", "3": "eastus-az9"}, "koreacentral": {}},
}


def scores_again(rows: Iterable[Row], asker: str) -> list[tuple[Any, ...]]:
    """Region, size, zone of the reference, building, score; zone None where the building is not known."""
    read = []
    for row in rows:
        region, size = row["region"].replace(" ", "").lower(), row["sku"].strip().lower()
        number = re.sub(r"\D", "", str(row.get("availabilityZone") or ""))
        score = {"high": 3, "medium": 2, "low": 1}.get(row["score"].strip().lower())
        if region not in REGIONS or size not in map(str.lower, SIZES[:3]):
            continue
        building = BUILDINGS[asker][region].get(number)
        of_reference = [own for own, there in BUILDINGS["reference"][region].items() if there == building]
        zone = "Single" if not number else number if asker == "reference" else next(iter(of_reference), None)
        read.append((region, size, zone, building, score))
    return read


@SEEDS
@pytest.mark.parametrize("asker", BUILDINGS)
def test_placement_scores(seed: int, asker: str) -> None:
    random = Random(seed)  # noqa: S311 - answers are no secrets
    zones = ("1", "2", "3", "zone-1", "az2", "AZ 3", "", "False", None)
    words = ("High", "Medium", "Low", "HIGH", "low", "DataNotFoundOrStale", "RestrictedSkuNotAvailable", "Splendid")
    rows = [{
        "sku": mixed(random, random.choice(SIZES[:4])),
        "region": random.choice((*REGIONS, "East US", "KoreaCentral", "westus")),
        "availabilityZone": random.choice(zones),
        "score": random.choice(words),
    } for _ in range(30)]  # fmt: skip
    question = Question(subscription="s", location="westus", regions=REGIONS, instance_types=SIZES[:3], desired_count=1)
    scores, dropped = parse_scores({"placementScores": rows}, question)
    places = ZoneMap(BUILDINGS, reference="reference")
    found = []
    for one in scores:
        placed = places.place(asker, one.region, one.logical_zone)
        found.append((one.region, one.instance_type.lower(), placed.zone, placed.physical_zone, one.score))
    assert found == scores_again(rows, asker)
    assert len(found) + dropped == len(rows)


# -- the history of prices: docs/prices.md --------------------------------------------------------

AT = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


def price_again(row: Row, at: datetime) -> float | None:
    """The price whose beginning is the last one before a time."""
    began = [(one["effectiveDate"], one["priceUSD"]) for one in json.loads(row["spotPrices"])]
    return max((one for one in began if one[0] <= f"{at:%Y-%m-%dT%H:%M:%SZ}"), default=(None, None))[1]


@SEEDS
def test_price_history(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - answers are no secrets
    rows: list[dict[str, Any]] = []
    for size in random.sample(SIZES, 15):
        for system in random.sample(("linux", "Windows"), random.randint(1, 2)):
            days = random.sample(range(-3, 90), random.randint(1, 5))
            past = [{"priceUSD": random.choice((0.02, 0.0201, 0.03, 0.5)),
                     "effectiveDate": f"{AT - timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}"} for day in days]  # fmt: skip
            told = {"skuName": size.lower(), "osType": system, "location": REGION, "spotPrices": json.dumps(past)}
            rows.append(told)
    history = read_history(rows, region=REGION)
    for row in rows:
        at = AT - timedelta(days=random.randint(0, 95))
        assert history.at(row["osType"].lower(), row["skuName"], at) == price_again(row, at)

    listed = {size: random.choice((0.02, 0.03, 0.5)) for size in random.sample(SIZES, 15)}
    theirs = {row["skuName"]: price_again(row, AT) for row in rows if row["osType"] == "linux"}
    both = {size: theirs[size.lower()] for size in listed if theirs.get(size.lower()) is not None}
    apart = {size for size, price in both.items() if price is not None and abs(price / listed[size] - 1) > 0.01}
    compared = compare_prices(listed, history, at=AT)
    assert {one.instance_type for one in compared.worst} == apart
    assert (compared.agreeing, compared.disagreeing) == (len(both) - len(apart), len(apart))
    assert compared.only_listed == len(listed) - len(both)
    assert compared.only_in_history == sum(price is not None for price in theirs.values()) - len(both)
