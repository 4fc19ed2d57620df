"""Rows of shards as they are read, refused, and settled where several attempts have one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pytest

from spotlake.errors import ShardRefusedError
from spotlake.merge.columns import ZONES, Columns
from spotlake.models import DESIRED_COUNTS, Dataset
from spotlake.reports import CollectorReport
from spotlake.shards import RawShard, ShardHeader
from tests.support.errors import says

A, B, C = "Standard_A", "Standard_B", "Standard_C"


def shard(dataset: Dataset, *rows: dict[str, Any], region: str = "eastus", lines: bytes | None = None) -> RawShard:
    report = CollectorReport(dataset=dataset, region=region, status="complete", rows=len(rows))
    header = ShardHeader(
        dataset=dataset, run_id="20261126T1000Z", region=region, source="simulated",
        collected_at=datetime(2026, 11, 26, tzinfo=UTC), report=report,
    )  # fmt: skip
    body = b"".join(orjson.dumps(row) + b"\n" for row in rows) if lines is None else lines
    return RawShard(header, memoryview(body))


def price(size: str, spot: float | None, ondemand: float | None = None, region: str = "eastus", **more: Any) -> Any:
    return {
        "region": region, "instance_type": size, "spot_price_usd_per_hour": spot,
        "ondemand_price_usd_per_hour": ondemand, **more,
    }  # fmt: skip


def rate(size: str, band: str, frequency: float | None) -> Any:
    return {"region": "eastus", "instance_type": size, "eviction_band": band, "interruption_frequency": frequency}


def score(
    size: str, zone: str | None, value: int | None, count: int = 1, region: str = "eastus", building: str | None = None
) -> Any:
    return {
        "region": region, "instance_type": size, "zone": zone, "physical_zone": building, "desired_count": count,
        "score": value,
    }  # fmt: skip


def plain(values: Any) -> list[Any]:
    return [None if one != one else one for one in np.asarray(values).tolist()]  # noqa: PLR0124 - nan alone


def pairs(columns: Columns, numbers: Any) -> list[tuple[str, str]]:
    regions, sizes = list(columns.pairs.regions), list(columns.pairs.sizes)
    return [(regions[columns.pairs.region[one]], sizes[columns.pairs.size[one]]) for one in np.asarray(numbers)]


def prices(columns: Columns) -> list[tuple[Any, ...]]:
    rows = columns.prices
    return [
        (*pair, spot, ondemand)
        for pair, spot, ondemand in zip(
            pairs(columns, rows["pair"]), plain(rows["spot"]), plain(rows["ondemand"]), strict=True
        )
    ]


def rates(columns: Columns) -> list[tuple[Any, ...]]:
    rows, texts = columns.evictions, list(columns.texts)
    return [
        (size, texts[band], frequency)
        for (_, size), band, frequency in zip(
            pairs(columns, rows["pair"]), rows["band"], plain(rows["frequency"]), strict=True
        )
    ]


def scores(columns: Columns) -> list[tuple[Any, ...]]:
    rows, texts = columns.scores, list(columns.texts)
    return [
        (*pair, ZONES[zone], DESIRED_COUNTS[place], value, texts[building])
        for pair, zone, place, value, building in zip(
            pairs(columns, rows["pair"]),
            *(rows[name].tolist() for name in ("zone", "place", "score", "physical")),
            strict=True,
        )
    ]


def read(*shards: RawShard, settle: bool = True, **options: Any) -> Columns:
    columns = Columns()
    for one in shards:
        columns.read(one, "k", **options)
    columns.spell_once()
    if settle:
        columns.settle()
    return columns


def test_rows_of_each_data_set_are_read() -> None:
    columns = read(
        shard(
            Dataset.PRICE,
            price(A, 0.5, 1.0, region_name="US East"),
            price(B, None, 2.0),
            price(C, 0.25, region_name=""),
        ),
        shard(Dataset.EVICTION, rate(B, "5-10", 2.5), rate(A, "", None), rate(C, "20+", 1.0)),
        shard(
            Dataset.SPS,
            score(A, "1", 3, 5, building="az1"),
            score(A, "Single", None, region="westus"),
            score(B, "3", 1),
        ),
        settle=False,
    )
    assert prices(columns) == [("eastus", A, 0.5, 1.0), ("eastus", B, None, 2.0), ("eastus", C, 0.25, None)]
    assert columns.regions == {"eastus": "US East"}
    assert rates(columns) == [(B, "5-10", 2.5), (A, "", None), (C, "20+", 1.0)]
    assert scores(columns) == [
        ("eastus", A, "1", 5, 3, "az1"), ("westus", A, "Single", 1, 0, ""), ("eastus", B, "3", 1, 1, ""),
    ]  # fmt: skip
    assert columns.counts() == {"sps": 2, "price": 2, "eviction": 2}
    assert columns.listed() == {"eastus": [A, C]}
    assert columns.scored_pairs() == {("eastus", 5): {A}, ("eastus", 1): {B}}
    assert columns.unknown_zone_rows == 0


@pytest.mark.parametrize(
    ("band", "frequency"), [("0-5", 3.0), ("5-10", 2.5), ("10-15", 2.0), ("15-20", 1.5), ("20+", 1.0)]
)
def test_a_rate_of_every_band_is_read(band: str, frequency: float) -> None:
    assert rates(read(shard(Dataset.EVICTION, rate(A, band, frequency)))) == [(A, band, frequency)]


def test_a_region_s_last_name_counts_and_no_name_changes_nothing() -> None:
    named = shard(Dataset.PRICE, price(A, 1.0, region_name="Old"), price(B, 1.0, region_name="New"), price(C, 1.0))
    assert read(named).regions == {"eastus": "New"}
    assert read(named, shard(Dataset.PRICE, price(A, 1.0))).regions == {"eastus": "New"}
    assert read(shard(Dataset.PRICE, price(A, 1.0))).regions == {}


def test_sizes_that_an_attempt_did_not_ask_for_are_dropped() -> None:
    columns = read(
        shard(Dataset.PRICE, price(A, 0.5), price(B, 0.25)),
        shard(Dataset.EVICTION, rate(A, "0-5", 3.0), rate(B, "5-10", 2.5)),
        shard(Dataset.SPS, score(A, "1", 3), score(B, "1", 2), score(B, "2", 1, 5, building="az2")),
        wanted=lambda size: size == B,
    )
    assert prices(columns) == [("eastus", B, 0.25, None)]
    assert rates(columns) == [(B, "5-10", 2.5)]
    assert scores(columns) == [("eastus", B, "1", 1, 2, ""), ("eastus", B, "2", 5, 1, "az2")]


def test_a_score_of_no_zone_is_dropped_and_one_of_an_unknown_zone_is_counted() -> None:
    columns = read(
        shard(Dataset.SPS, score(A, None, 3), score(A, "4", 3), score(A, "2", 2), score(A, "x", 1), score(A, "N/A", 1)),
        shard(Dataset.SPS, score(B, "4", 3), score(B, "1", 3)),
    )
    assert scores(columns) == [("eastus", A, "2", 1, 2, ""), ("eastus", B, "1", 1, 3, "")]
    assert columns.unknown_zone_rows == 4


SCORE = score(A, "1", 3)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (shard(Dataset.PRICE, price(A, 1.0), price("Odd", 1.0)), "bad_row): Odd"),
        (shard(Dataset.PRICE, price("Zodd", 1.0), price("Odd", 1.0)), "bad_row): Odd"),
        (shard(Dataset.PRICE, price(A, 1.0), price(B, 1.0, region="x"), price(B, 1.0, region="w")), "other_region): w"),
        (shard(Dataset.PRICE, price(A, 1.0), price(A.upper(), 1.0), price(A, 1.0)),
         "duplicate_row): 2 sizes stand twice"),
        (shard(Dataset.PRICE, price(A, -1.0)),
         "bad_row): Expected `float` >= 0.0 - at `$[0].spot_price_usd_per_hour`"),
        (shard(Dataset.PRICE, price(A, 1.0, -0.5)),
         "bad_row): Expected `float` >= 0.0 - at `$[0].ondemand_price_usd_per_hour`"),
        (shard(Dataset.EVICTION, rate(A, "0-5", 3.0), rate(A, "0-5", 3.0)), "duplicate_row): 1 sizes stand twice"),
        (shard(Dataset.EVICTION, rate(A, "odd", 2.75)), "bad_row): interruption frequency 2.75"),
        (shard(Dataset.EVICTION, rate("Odd", "0-5", 3.0)), "bad_row): Odd"),
        (shard(Dataset.SPS, SCORE, SCORE, score(A, "2", 1), SCORE), "duplicate_row): 2 scores stand twice"),
        (shard(Dataset.SPS, score(A, "1", 4)), "bad_row): Invalid enum value 4 - at `$[0].score`"),
        (shard(Dataset.SPS, score(A, "1", 1, 7)), "bad_row): Invalid enum value 7 - at `$[0].desired_count`"),
        (shard(Dataset.SPS, score(A, "1", 1, region="x"), score(A, "1", 1, region="w")), "other_region): w"),
        (shard(Dataset.SPS, score("Odd", "1", 1)), "bad_row): Odd"),
        (shard(Dataset.SPS, lines=b"{"), "not_json): row"),
        (shard(Dataset.PRICE, lines=b'{"region": "\xff"}'), "not_json): row"),
    ],
)  # fmt: skip
def test_a_shard_with_one_impossible_row_is_refused_whole(given: RawShard, text: str) -> None:
    columns = Columns()
    with says(ShardRefusedError, f"some/key: refused ({text}"):
        columns.read(given, "some/key", regions=frozenset({"eastus"}))
    assert [len(rows["pair"]) for rows in (columns.prices, columns.evictions, columns.scores)] == [0, 0, 0]
    columns.read(shard(Dataset.PRICE, price(B, 1.0), price(C, 2.0)), "k")
    columns.read(shard(Dataset.SPS, score(C, "1", 2), score(A, "1", 2)), "k", regions=frozenset({"eastus"}))
    assert prices(columns) == [("eastus", B, 1.0, None), ("eastus", C, 2.0, None)]
    assert scores(columns) == [("eastus", C, "1", 1, 2, ""), ("eastus", A, "1", 1, 2, "")]


def test_a_size_is_spelt_in_each_region_as_it_came_first() -> None:
    columns = read(
        shard(Dataset.PRICE, price(A, 0.5), price("standard_b", 0.25)),
        shard(Dataset.PRICE, price("STANDARD_A", 0.75, region="westus"), region="westus"),
        shard(Dataset.SPS, score("standard_a", "1", 2), score(B, "1", 3), score(A, "1", 1, region="westus")),
        shard(Dataset.EVICTION, rate("standard_A", "0-5", 3.0)),
    )
    assert prices(columns) == [
        ("eastus", A, 0.5, None), ("eastus", "standard_b", 0.25, None), ("westus", "STANDARD_A", 0.75, None),
    ]  # fmt: skip
    assert [one[:2] for one in scores(columns)] == [("eastus", A), ("eastus", "standard_b"), ("westus", "STANDARD_A")]
    assert rates(columns) == [(A, "0-5", 3.0)]


def test_of_prices_the_last_known_one_of_each_kind_counts() -> None:
    columns = read(
        shard(Dataset.PRICE, price(B, 0.1, 9.0), price(A, 0.5, 1.0)),
        shard(Dataset.PRICE, price(A, None, 2.0), price(C, None, None)),
        shard(Dataset.PRICE, price(A, 0.75, None), price(B, None, None)),
    )
    assert prices(columns) == [
        ("eastus", B, 0.1, 9.0), ("eastus", A, 0.75, 2.0), ("eastus", C, None, None),
    ]  # fmt: skip
    assert columns.counts() == {"sps": 0, "price": 2, "eviction": 0}


def test_of_rates_the_last_known_one_counts_with_its_band() -> None:
    columns = read(
        shard(Dataset.EVICTION, rate(B, "0-5", 3.0), rate(A, "0-5", 3.0)),
        shard(Dataset.EVICTION, rate(A, "20+", 1.0), rate(C, "", None)),
        shard(Dataset.EVICTION, rate(A, "odd", None), rate(C, "odd", None)),
    )
    assert rates(columns) == [(B, "0-5", 3.0), (A, "20+", 1.0), (C, "odd", None)]


def test_of_scores_the_lowest_known_one_counts_at_each_zone_and_count() -> None:
    columns = read(
        shard(Dataset.SPS, score(A, "1", 3), score(A, "2", None), score(B, "1", None)),
        shard(Dataset.SPS, score(A, "1", 1), score(A, "2", 2), score(A, "1", 3, 5), score(B, "1", None)),
        shard(Dataset.SPS, score(A, "1", 2), score(A, "2", 3)),
    )
    assert scores(columns) == [
        ("eastus", A, "1", 1, 1, ""), ("eastus", A, "1", 5, 3, ""), ("eastus", A, "2", 1, 2, ""),
        ("eastus", B, "1", 1, 0, ""),
    ]  # fmt: skip
    assert columns.counts()["sps"] == 3


def test_of_buildings_the_last_known_one_counts_for_all_counts_of_a_zone() -> None:
    columns = read(
        shard(Dataset.SPS, score(A, "1", 1, building="az1"), score(A, "1", 3, 5, building="az1"), score(A, "2", 2)),
        shard(Dataset.SPS, score(A, "1", 2, building="az2"), score(A, "2", 2)),
        shard(Dataset.SPS, score(A, "1", 3)),
    )
    assert scores(columns) == [
        ("eastus", A, "1", 1, 1, "az2"), ("eastus", A, "1", 5, 3, "az2"), ("eastus", A, "2", 1, 2, ""),
    ]  # fmt: skip


def test_scores_of_one_attempt_stay_as_they_are() -> None:
    rows = [score(A, "1", 1, building="az1"), score(A, "1", 3, 5), score(B, "2", 2)]
    assert [one[5] for one in scores(read(shard(Dataset.SPS, *rows)))] == ["az1", "", ""]


def test_sizes_are_listed_and_scored_by_region() -> None:
    columns = read(
        shard(Dataset.PRICE, price(A, 0.5), price(B, 0.5), price(C, None, 1.0)),
        shard(Dataset.PRICE, price(B, 0.5, region="westus"), region="westus"),
        shard(Dataset.SPS, score(A, "1", 3, region="westus"), score(A, "2", 3, region="westus"), score(B, "1", None)),
        shard(Dataset.SPS, score(B, "1", 1, 50), score(A, "1", 1, 50), region="westus"),
    )
    assert columns.listed() == {"eastus": [A, B], "westus": [B]}
    assert columns.scored_pairs() == {("westus", 1): {A}, ("eastus", 50): {A, B}}
    assert (Columns().listed(), Columns().scored_pairs()) == ({}, {})
    assert Columns().counts() == {"sps": 0, "price": 0, "eviction": 0}


def test_a_score_that_two_shards_brought_counts_once() -> None:
    same = shard(Dataset.SPS, score(A, "1", 3), score(A, "2", None))
    assert read(same, same, settle=False).counts()["sps"] == 1
