"""Rows of placement scores: made, chosen, counted and searched, each by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from spotlake.models import Mode, Run, ScoreCall
from spotlake.scores.rows import (
    count_rows,
    offered,
    restricted_for,
    restrictions,
    rows_of,
    unique_rows,
    without_quota,
)
from spotlake.scores.score import Score, score_of_word
from spotlake.scores.zones import ZoneMap
from spotlake.shard_rows import ScoreRow
from tests.unit.scores.rows import row

RESTRICTED, STALE, NO_QUOTA = "RestrictedSkuNotAvailable", "DataNotFoundOrStale", "InsufficientQuota"
AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("High", (3, "High")),
        ("MEDIUM", (2, "Medium")),
        ("low", (1, "Low")),
        ("restrictedskunotavailable", (None, RESTRICTED)),
        ("DATANOTFOUNDORSTALE", (None, STALE)),
        ("InsufficientQuota", (None, NO_QUOTA)),
        ("Excellent", (None, "Excellent")),
        ("", (None, "")),
    ],
)
def test_a_word_has_a_score_in_any_casing(word: str, told: tuple[int | None, str]) -> None:
    assert score_of_word(word) == told


def test_a_row_says_everything_of_its_score() -> None:
    zones = ZoneMap({"ref": {"r1": {"3": "r1-az1"}}, "a": {"r1": {"1": "r1-az1"}}}, reference="ref")
    run = Run(
        run_id="20261123T1000Z", attempt=7, mode=Mode.FULL, desired_counts=(1, 5), started_at=AT, owner="arn"
    )  # fmt: skip
    call = ScoreCall(call_id="c7-5", location="x", regions=("r1",), instance_types=("A",), desired_count=5)
    scores = [
        Score("r1", "Size_A", "1", 2, "Medium", False, 9),
        Score("r2", "Size_B", None, None, STALE, None),
    ]
    rows = rows_of(
        scores, run=run, call=call, location="eastus", digest="a", zones=zones, source="live",
        observed_at=datetime(2026, 11, 23, 10, 0, 59, 9, tzinfo=UTC),
    )  # fmt: skip
    whole: dict[str, Any] = {
        "run_id": "20261123T1000Z", "source": "live", "observed_at": "2026-11-23T10:00:59Z", "desired_count": 5,
        "location": "eastus", "subscription": "a", "call_id": "c7-5",
    }  # fmt: skip
    assert rows == [
        ScoreRow(
            region="r1", instance_type="Size_A", zone="3", logical_zone="1", physical_zone="r1-az1", score=2,
            score_text="Medium", is_quota_available=False, placement_preference=9, **whole,
        ),
        ScoreRow(
            region="r2", instance_type="Size_B", zone="Single", logical_zone=None, physical_zone=None, score=None,
            score_text=STALE, is_quota_available=None, placement_preference=None, **whole,
        ),
    ]  # fmt: skip


def test_of_answers_for_one_zone_the_lowest_score_and_the_most_passing_reason_stay() -> None:
    best_first = [row(word, subscription="z") for word in ("Low", "Medium", "High", STALE, NO_QUOTA, RESTRICTED)]
    for place, best in enumerate(best_first):
        for other in best_first[place + 1 :]:
            assert unique_rows([best, other]) == unique_rows([other, best]) == [best], (best, other)
    # Of equal answers that of the first subscription stays, then that of the first call.
    same = [
        row(subscription="a", call_id="c1"),
        row(subscription="a", call_id="c2"),
        row(subscription="b", call_id="c0"),
    ]
    for order in permutations(same):
        assert unique_rows(order) == same[:1]
    assert unique_rows([row(NO_QUOTA), row("Strange", subscription="b")]) == [row(NO_QUOTA)]
    assert unique_rows([row("Strange"), row("Odd")]) == [row("Strange")]  # an answer that names a zone twice


def test_one_row_stays_of_each_count_region_size_and_zone_in_that_order() -> None:
    rows = [
        row(desired_count=count, region=region, instance_type=size, zone=zone)
        for count in (1, 5) for region in ("r1", "r2") for size in ("A", "B") for zone in ("1", "2", "Single")
    ]  # fmt: skip
    assert unique_rows(reversed(rows)) == rows
    assert unique_rows([*rows, row(zone=None), row(RESTRICTED, zone=None)]) == rows


def test_a_refusal_of_a_whole_pair_goes_where_another_answer_of_the_pair_came() -> None:
    refusal = row(RESTRICTED, zone="Single")
    others: Sequence[ScoreRow]
    for others in ([row(zone="2", subscription="b")], [row("Strange", zone="2")], [row(NO_QUOTA, zone="2")]):
        assert unique_rows([refusal, *others]) == unique_rows([*others, refusal]) == list(others)
    # An answer for an unknown building says so too, and is itself no row.
    assert unique_rows([refusal, row(zone=None)]) == []
    for others in ([row(RESTRICTED, zone="2")], [row(region="r0")], [row(desired_count=5)], [row(instance_type="B")]):
        assert refusal in unique_rows([refusal, *others])
    zoned = row(RESTRICTED, zone="1")
    assert unique_rows([zoned, row(zone="2")]) == [zoned, row(zone="2")]
    assert unique_rows([row(zone="Single"), row(zone="2")]) == [row(zone="2"), row(zone="Single")]


def test_rows_are_counted_by_what_they_say() -> None:
    rows = [
        row(), row("Low", zone="2"), row(RESTRICTED, zone="3"), row(STALE, region="r2"), row(STALE, region="r3"),
        row(NO_QUOTA, region="r4"), *(row("Strange", region=region) for region in ("r5", "r6", "r7")),
        row(zone=None), row("Strange", zone=None), row(subscription="b"), row("Medium", subscription="c"),
    ]  # fmt: skip
    kept = unique_rows(rows)
    assert len(kept) == 9
    assert count_rows(rows, kept) == {
        "rows_restricted": 1,
        "rows_stale": 2,
        "rows_without_quota": 1,
        "rows_unknown_word": 3,
        "rows_zone_unknown": 2,
        "invalid_rows": 5,
        "rows_duplicate": 2,
    }
    assert set(count_rows([], []).values()) == {0}


@pytest.mark.parametrize(("search", "word"), [(restrictions, RESTRICTED), (without_quota, NO_QUOTA)])
def test_a_pair_is_refused_by_those_whose_zone_nobody_opened(search: Any, word: str) -> None:
    assert search([row(word), row(word, zone="2", subscription="b")]) == {("r1", "A"): {"a", "b"}}
    assert search([row(word), row("High", subscription="b"), row(word, zone="2")]) == {("r1", "A"): {"a"}}
    assert search([row(word), row("High", subscription="b")]) == {}
    assert search([row(word, zone="Single"), row("High", zone="2", subscription="b")]) == {}
    assert search([row(word, zone="2"), row("High", zone="Single", subscription="b")]) == {("r1", "A"): {"a"}}
    assert search([row(word), row("High", region="r2"), row("High", instance_type="B")]) == {("r1", "A"): {"a"}}
    assert search([row(word), row(word, region="r2", subscription="b")]) == {("r1", "A"): {"a"}, ("r2", "A"): {"b"}}
    assert search([row("High"), row(STALE, zone="2")]) == {}
    assert search(iter([row(word), row("High", subscription="b")])) == {}


def test_a_word_opens_what_another_word_refuses() -> None:
    rows = [row(RESTRICTED), row(NO_QUOTA, subscription="b")]
    assert (restrictions(rows), without_quota(rows)) == ({}, {})


def test_what_is_restricted_for_one_and_answered_for_another() -> None:
    rows = [
        row(RESTRICTED, subscription="b"),
        row(subscription="a"),
        row(RESTRICTED, subscription="b", instance_type="B"),
        row(RESTRICTED, subscription="a", instance_type="B"),  # for both of them
        row(RESTRICTED, subscription="a", region="r0", zone="2"),
        row(STALE, subscription="c", region="r0", zone="2"),
        row(RESTRICTED, subscription="b", region="r0", zone="2"),
    ]
    expected = {"a": [("r0", "A")], "b": [("r0", "A"), ("r1", "A")]}
    found = restricted_for(iter(rows))
    assert found == expected
    assert list(found) == ["a", "b"]
    whole = row(RESTRICTED, zone="Single")
    assert restricted_for([whole, row(zone="2", subscription="b")]) == {"a": [("r1", "A")]}
    # The same subscription has answers for zones of the pair: then the region alone was refused.
    assert restricted_for([whole, row(zone="2"), row(zone="2", subscription="b")]) == {}
    assert restricted_for([whole, row(zone="2", desired_count=5), row(zone="2", subscription="b")]) == {
        "a": [("r1", "A")]
    }
    more = [row(RESTRICTED, instance_type="B"), row(instance_type="B", subscription="b")]
    assert restricted_for([whole, row(zone="2"), row(zone="2", subscription="b"), *more]) == {"a": [("r1", "B")]}
    zoned = row(RESTRICTED, zone="1")
    assert restricted_for([zoned, row(zone="2"), row(zone="1", subscription="b")]) == {"a": [("r1", "A")]}


def test_offered_is_what_any_answer_but_restricted_names() -> None:
    rows = [row(instance_type=" Size_A"), row(STALE, region="r2"), row(RESTRICTED, region="r3"), row(RESTRICTED)]
    assert offered(rows) == {("r1", "size_a"), ("r2", "a")}
