"""Which answers a slot has, by what its attempts have stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake import keys
from spotlake.models import Dataset, Mode, Run, WorkItem
from spotlake.planning.attempt import AttemptRecord, Work
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport, PairAccount
from spotlake.shard_rows import ScoreRow
from spotlake.shards import ShardHeader, encode_shard
from spotlake.state.attempts import write_record, write_work
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.plan.slot_answers import SlotAnswers, read_slot_answers

AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
A, B, C = "Standard_A1", "Standard_B1", "Standard_C1"
ROW = ScoreRow(
    run_id="20251215T1000Z", source="live", observed_at="2025-12-15T10:00:00Z", region="eastus", instance_type=A,
    desired_count=5, zone="1", logical_zone="1", physical_zone="az1", score=3, score_text="High",
    is_quota_available=True, location="eastus", subscription="ab12", call_id="c1",
)  # fmt: skip


def run(attempt: int, *counts: int) -> Run:
    return Run(
        run_id="20251215T1000Z", attempt=attempt, mode=Mode.INCREMENTAL, desired_counts=counts or (1,), started_at=AT,
        owner="me",
    )  # fmt: skip


def attempted(objects: MemoryObjects, attempt: int, *sizes: str, counts: tuple[int, ...] = ()) -> None:
    """An attempt's record, of some sizes or of all, and its work if it has counts."""
    write_record(objects, AttemptRecord(run=run(attempt), scope=Scope(instance_types=sizes)))
    if counts:
        write_work(objects, Work(run=run(attempt, *counts), items={"eastus": WorkItem(region="eastus")}))


def stored(
    objects: MemoryObjects, attempt: int, dataset: Dataset, *, region: str = "eastus", rows: Any = (), **report: Any
) -> str:
    fields: dict[str, Any] = {"status": "complete", **report}
    told = CollectorReport(dataset=dataset, region=region, rows=len(rows), **fields)
    header = ShardHeader(
        dataset=dataset, run_id="20251215T1000Z", attempt=attempt, region=region, source="live", collected_at=AT,
        report=told,
    )  # fmt: skip
    key = keys.shard(dataset, AT, region, attempt)
    objects.put(key, encode_shard(header, rows))
    return key


def test_an_empty_slot_has_no_answer() -> None:
    assert read_slot_answers(MemoryObjects(), AT, ()) == SlotAnswers()


def test_all_answers_of_two_attempts() -> None:
    objects = MemoryObjects()
    attempted(objects, 3, counts=(5, 10))
    attempted(objects, 4, counts=(10, 15))
    attempted(objects, 6)  # it ended before it had planned
    account = PairAccount(
        region="westus", desired_count=10, without_score={"restricted": (A,), "stale": (B,)},
        unanswered={"no_quota": (C,)},
    )  # fmt: skip
    rows = [ROW, replace(ROW, zone="2"), replace(ROW, instance_type=B, desired_count=10)]
    stored(objects, 3, Dataset.SPS, rows=rows, accounts=(account,))
    stored(objects, 4, Dataset.SPS, rows=[replace(ROW, instance_type=C)], status="partial")
    stored(objects, 3, Dataset.PRICE)
    stored(objects, 4, Dataset.EVICTION)
    stored(objects, 4, Dataset.PRICE, region="westus", status="failed")
    assert read_slot_answers(objects, AT, ()) == SlotAnswers(
        attempts=(3, 4, 6),
        desired_counts=(5, 10, 15),
        answered={
            ("eastus", 5): frozenset({A, C}),
            ("eastus", 10): frozenset({B}),
            ("westus", 10): frozenset({A, B}),
        },
        whole={"eastus": frozenset({Dataset.PRICE, Dataset.EVICTION})},
    )


@pytest.mark.parametrize(
    ("listed", "wanted", "is_whole"),
    [
        ((), (), True),
        ((), ("Standard_A*",), True),
        (("Standard_A*",), ("Standard_A*",), True),
        (("Standard_A*", "Standard_B*"), ("Standard_B*", "Standard_A*"), True),
        (("Standard_A*",), (), False),
        (("Standard_A*",), ("Standard_B*",), False),
    ],
)
def test_a_listing_of_other_sizes_is_not_whole(
    listed: tuple[str, ...], wanted: tuple[str, ...], *, is_whole: bool
) -> None:
    objects = MemoryObjects()
    attempted(objects, 3, *listed)
    stored(objects, 3, Dataset.PRICE)
    assert bool(read_slot_answers(objects, AT, wanted).whole) == is_whole


def test_a_listing_of_an_attempt_that_nobody_knows_is_not_whole() -> None:
    objects = MemoryObjects()
    objects.put(keys.attempt_record(AT, 3), b"damaged")
    stored(objects, 3, Dataset.PRICE)
    found = read_slot_answers(objects, AT, ())
    assert (found.attempts, found.whole) == ((3,), {})


def test_a_damaged_shard_is_no_answer_and_the_others_count() -> None:
    objects = MemoryObjects()
    attempted(objects, 3)
    key = stored(objects, 3, Dataset.SPS, rows=[ROW])
    objects.put(key, objects.objects[key][:-9])
    stored(objects, 3, Dataset.SPS, region="westus", rows=[replace(ROW, region="westus")])
    moved = keys.shard(Dataset.PRICE, AT, "japaneast", 3)
    objects.put(moved, objects.objects[stored(objects, 3, Dataset.PRICE)])  # of another region
    found = read_slot_answers(objects, AT, ())
    assert found.answered == {("westus", 5): frozenset({A})}
    assert found.whole == {"eastus": frozenset({Dataset.PRICE})}


def test_rows_that_are_none_are_no_answer() -> None:
    objects = MemoryObjects()
    attempted(objects, 3)
    stored(objects, 3, Dataset.SPS, rows=[{"region": "eastus"}])
    assert read_slot_answers(objects, AT, ()).answered == {}


def test_pairs_without_an_answer() -> None:
    answers = SlotAnswers(answered={("eastus", 5): frozenset({A}), ("westus", 5): frozenset({A, B})})
    pairs = {"eastus": [A, B], "westus": [B, A], "japaneast": [C]}
    assert answers.missing_pairs(pairs, 5) == {"eastus": [B], "japaneast": [C]}
    assert answers.missing_pairs(pairs, 10) == {region: list(sizes) for region, sizes in pairs.items()}


class Vanishing(MemoryObjects):
    """A key that is listed and gone when it is read."""

    def get(self, key: str) -> Any:
        return None if "/spot_price/" in key else super().get(key)


def test_a_shard_that_vanishes_is_no_answer() -> None:
    objects = Vanishing()
    attempted(objects, 3)
    stored(objects, 3, Dataset.PRICE)
    stored(objects, 3, Dataset.EVICTION)
    assert read_slot_answers(objects, AT, ()).whole == {"eastus": frozenset({Dataset.EVICTION})}
