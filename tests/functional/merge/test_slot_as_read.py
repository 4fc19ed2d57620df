"""What is read of a slot: which shards are expected, what is asked, and the digest of all that was there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import pytest

from spotlake import keys
from spotlake.merge.slot import RefusedShard
from spotlake.models import Dataset, Mode, ScoreCall, WorkItem
from spotlake.planning.attempt import AttemptRecord, Failure, Work
from spotlake.planning.scope import Scope
from spotlake.state.attempts import write_end, write_record, write_work
from spotlake.usecases.merge import read_shards
from spotlake.usecases.merge.read_shards import read_slot
from tests.functional.merge.conftest import FIRST, REGION, SIZE, World

OTHER = "Standard_E4s_v5"


def path(dataset: Dataset, attempt: int, region: str = REGION) -> str:
    return keys.shard(dataset, FIRST, region, attempt)


def test_the_digest_is_of_every_expected_shard_and_of_those_that_miss() -> None:
    world = World()
    world.collected(0, scores={"1": 3}, band=None)
    digest = blake2b((1).to_bytes(8), digest_size=8)
    for dataset in (Dataset.SPS, Dataset.PRICE):
        stored = world.objects.get(path(dataset, 1))
        assert stored is not None
        digest.update(stored.body[-64:] + len(stored.body).to_bytes(8))
    digest.update(b"-")
    read = read_slot(world.objects, FIRST, [1])
    assert read.digest == digest.hexdigest()
    (attempt,) = read.attempts
    missing = RefusedShard(key=path(Dataset.EVICTION, 1), dataset=Dataset.EVICTION, region=REGION, reason="missing")
    assert attempt.refused == [missing]
    assert [report.dataset for report in attempt.reports] == [Dataset.SPS, Dataset.PRICE]
    assert (attempt.failures, read.slot_at, read.unknown_zone_rows) == (None, FIRST, 0)


def test_attempts_are_read_in_order_with_their_ends() -> None:
    world = World()
    failure = Failure(error="E", cause="c", dataset="sps", region=REGION)
    for number in (9, 2):
        write_end(world.objects, world.collected(0, attempt=number), [failure])
    read = read_slot(world.objects, FIRST, [9, 2])
    assert [one.record.run.attempt for one in read.attempts] == [2, 9]
    assert [one.failures for one in read.attempts] == [
        (Failure(error="E", cause="c", dataset="sps", region=REGION),)
    ] * 2


def test_a_refused_shard_is_named_and_the_others_are_read() -> None:
    world = World()
    world.collected(0, scores={"1": 3})
    world.objects.put(path(Dataset.PRICE, 1), b"<html>")
    read = read_slot(world.objects, FIRST, [1])
    assert read.attempts[0].refused == [
        RefusedShard(key=path(Dataset.PRICE, 1), dataset=Dataset.PRICE, region=REGION, reason="not_gzip")
    ]
    assert read.columns.counts() == {"sps": 1, "price": 0, "eviction": 1}


@pytest.mark.parametrize(("mode", "price"), [(Mode.FULL, 1), (Mode.INCREMENTAL, 0)])
def test_a_full_run_s_listings_count_though_the_region_has_no_work(mode: Mode, price: int) -> None:
    world = World()
    run = replace(world.run(0), mode=mode)
    write_record(world.objects, AttemptRecord(run=run, scope=Scope()))
    write_work(world.objects, Work(run=run, items={"eastus": WorkItem(region="eastus", datasets=())}))
    for dataset, rows in ((Dataset.PRICE, [world.price(SIZE, 0.1)]), (Dataset.EVICTION, [])):
        world.shard(run, dataset, rows)
    world.shard(replace(run, attempt=5), Dataset.PRICE, [])  # of another attempt
    read = read_slot(world.objects, FIRST, [1])
    assert [report.dataset for report in read.reports] == [Dataset.PRICE] * price
    assert read.columns.counts()["price"] == price


def test_without_a_plan_every_stored_shard_of_the_attempt_is_read() -> None:
    world = World()
    run = world.run(0)
    write_record(world.objects, AttemptRecord(run=run, scope=Scope()))
    for dataset in (Dataset.PRICE, Dataset.EVICTION):
        world.shard(run, dataset, [])
        world.shard(replace(run, attempt=5), dataset, [])
    read = read_slot(world.objects, FIRST, [1])
    assert [report.dataset for report in read.reports] == [Dataset.PRICE, Dataset.EVICTION]
    assert read.attempts[0].work is None


def test_sizes_that_were_not_asked_for_are_left_out() -> None:
    world = World()
    run = world.run(0)
    world.planned(run, sizes=(SIZE,), instance_types=("*_d2*",), filtered=True)
    world.shard(run, Dataset.PRICE, [world.price(SIZE, 0.1), world.price(OTHER, 0.1)])
    assert read_slot(world.objects, FIRST, [1]).columns.counts()["price"] == 1


def call(name: str, regions: tuple[str, ...], sizes: tuple[str, ...], count: int = 1) -> ScoreCall:
    return ScoreCall(call_id=name, location=REGION, regions=regions, instance_types=sizes, desired_count=count)


def test_what_was_asked_are_the_owed_sizes_of_the_calls() -> None:
    world = World()
    run = world.run(0)
    write_record(world.objects, AttemptRecord(run=run, scope=Scope()))
    calls = (
        call("c1", (REGION, "eastus"), (SIZE, "Standard_F2s_v2")),
        call("c2", (REGION, "eastus"), (OTHER,)),
        call("c3", (REGION,), (SIZE,), 5),
        call("c4", ("westus",), (SIZE,)),  # nothing is owed there
    )
    items = {
        REGION: WorkItem(region=REGION, instance_types=(SIZE, OTHER), calls=calls),
        "eastus": WorkItem(region="eastus", instance_types=(OTHER,)),
    }
    write_work(world.objects, Work(run=run, items=items))
    found = {
        (one.region, one.desired_count): one.unanswered
        for one in read_slot(world.objects, FIRST, [1]).account.accounts()
    }
    assert found == {
        (REGION, 1): {"no_report": (SIZE, OTHER)}, ("eastus", 1): {"no_report": (OTHER,)},
        (REGION, 5): {"no_report": (SIZE,)},
    }  # fmt: skip


def test_two_attempts_that_ask_the_same_pair_are_settled() -> None:
    world = World()
    world.collected(0, attempt=1, spot=0.1, scores={"1": 3})
    world.collected(0, attempt=2, spot=0.2, scores={"1": 2})
    alone: Any = read_slot(world.objects, FIRST, [1]).columns.counts()
    both: Any = read_slot(world.objects, FIRST, [1, 2]).columns.counts()
    assert alone == both == {"sps": 1, "price": 1, "eviction": 1}


def test_sixteen_shards_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, *given: Any) -> None:
            asked.append(given)
            super().__init__(*given)

    monkeypatch.setattr(read_shards, "ThreadPoolExecutor", Pool)
    world = World()
    world.collected(0)
    read_slot(world.objects, FIRST, [1])
    assert asked == [(16,)]
