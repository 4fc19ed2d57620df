"""A slot is all its attempts: none damages another, and what the manifest says is what was answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlake import keys
from spotlake.merge.manifest import NO_PAIRS, NO_QUOTA
from spotlake.models import Dataset, Run, ScoreCall, WorkItem
from spotlake.planning.attempt import AttemptRecord, Failure, Work
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport
from spotlake.state.attempts import write_record, write_work
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.workloads import MemoryWorkloads
from spotlake.usecases.plan.slot_answers import read_slot_answers
from tests.functional.merge.conftest import FIRST, REGION, SIZE, World, items, latest, snapshot

SECOND = "Standard_E2s_v5"
OTHER = "eastus"
SIZES = (SIZE, SECOND)
KILLED = {
    dataset: Failure(error="Lambda.Unknown", cause="killed", dataset=dataset, region=REGION) for dataset in Dataset
}


def manifest_of(world: World, number: int) -> dict[str, Any]:
    stored = world.objects.get(keys.manifest(FIRST + timedelta(minutes=10 * number)))
    assert stored is not None
    content: dict[str, Any] = orjson.loads(stored.body)
    return content


def planned(world: World, run: Run, *, calls: tuple[ScoreCall, ...] = (), waiting: int = 0, sizes: Any = SIZES) -> Run:
    """An attempt of two regions, whose calls are all sent by the first one's collector."""
    write_record(world.objects, AttemptRecord(run=run, scope=Scope()))
    items_of = {
        region: WorkItem(region=region, instance_types=sizes, calls=calls if region == REGION else ())
        for region in (REGION, OTHER)
    }
    write_work(world.objects, Work(run=run, items=items_of, calls_planned=len(calls), calls_waiting=waiting))
    return run


def test_a_part_collected_by_hand_takes_nothing_from_its_slot(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}, sizes=SIZES))
    manifest = world.merge(world.collected(0, attempt=2, spot=0.02, scores={"1": 3}, sizes=[SECOND], filtered=True))
    assert [one["filtered"] for one in manifest["attempts"]] == [False, True]
    assert (manifest["status"], manifest["coverage_percent"], manifest["pairs"]) == ("complete", 100.0, 2)
    assert [(row["InstanceType"], row["SpotPrice"]) for row in latest(world)] == [("D2s_v5", 0.01), ("E2s_v5", 0.02)]
    raw = [*world.objects.keys(keys.shards_of_slot(Dataset.PRICE, FIRST))]
    assert [keys.region_and_attempt(key)[1] for key in raw] == [1, 2]


def test_a_good_slot_collected_again_during_an_outage_stays_good(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    again = world.collected(0, attempt=2, spot=None, band=None)
    manifest = world.merge(again, failures=[*KILLED.values()])
    assert (manifest["status"], manifest["stale"]) == ("complete", [])  # the first attempt has all the answers
    assert len(manifest["refused_shards"]) == 3
    assert latest(world)[0]["Score"] == 3


def test_collectors_that_were_killed_are_named_whatever_lies_in_other_slots(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    manifest = world.merge(world.collected(1, spot=None, band=None), failures=[*KILLED.values()])
    assert (manifest["status"], manifest["coverage_percent"], manifest["regions_complete"]) == ("failed", 0.0, 0)
    assert {(one["dataset"], one["error"]) for one in manifest["stale"]} == {
        (dataset.value, "Lambda.Unknown") for dataset in Dataset
    }


def test_the_known_fault_a_slot_collected_twice_and_an_earlier_one_merged_late(world: World) -> None:
    world.merge(world.collected(1, scores={"1": 3}, sizes=SIZES))
    world.merge(world.collected(1, attempt=20, spot=0.03, scores={"1": 3}, sizes=[SIZE], filtered=True))
    world.merge(world.collected(0, attempt=30, spot=0.5, scores={"1": 1}, sizes=SIZES))
    assert [(row["InstanceType"], row["SpotPrice"], row["Score"]) for row in latest(world)] == [
        ("D2s_v5", 0.03, 3),
        ("E2s_v5", 0.01, 3),
    ]
    assert [row["SpotPrice"] for row in snapshot(world, 1)] == ["0.03", "0.01"]


def test_a_run_that_could_ask_no_score_is_never_complete(world: World) -> None:
    run = planned(world, world.run(0), waiting=7)
    for region in (REGION, OTHER):
        shard_of(world, run, Dataset.PRICE, region)
        shard_of(world, run, Dataset.EVICTION, region)
    manifest = world.merge(run)
    assert (manifest["status"], manifest["regions_complete"]) == ("partial", 0)
    assert (manifest["coverage"]["sps"], manifest["coverage_reasons"]) == (None, {"sps": NO_QUOTA})
    assert manifest["coverage_percent"] == 66.66  # what could not be asked counts nothing
    waiting = planned(world, world.run(1), sizes=())
    assert world.merge(waiting)["coverage_reasons"] == {"sps": NO_PAIRS}


def test_a_score_shard_that_asked_no_owed_pair_covers_nothing(world: World) -> None:
    run = world.run(0)
    call = ScoreCall(call_id="c0", location=REGION, regions=(REGION,), instance_types=(SIZE,), desired_count=1)
    write_record(world.objects, AttemptRecord(run=run, scope=Scope()))
    write_work(world.objects, Work(run=run, items={REGION: WorkItem(region=REGION, calls=(call,))}, calls_planned=1))
    report = CollectorReport(dataset=Dataset.SPS, region=REGION, status="complete", rows=0)
    world.shard(run, Dataset.SPS, [], report=report)
    world.shard(run, Dataset.PRICE, [world.price(SIZE, 0.01)])
    manifest = world.merge(run)
    assert (manifest["coverage"]["sps"], manifest["status"], manifest["regions_complete"]) == (None, "partial", 0)


def test_a_listing_of_some_sizes_by_hand_does_not_stand_for_the_slot_s_whole_one(world: World) -> None:
    world.merge(world.collected(0, spot=None, scores={"1": 3}, sizes=SIZES))  # the prices of everything failed
    by_hand = world.collected(
        0, attempt=2, scores={"1": 3}, sizes=[SIZE], filtered=True, instance_types=("Standard_D2*",)
    )
    manifest = world.merge(by_hand)
    assert (manifest["coverage"]["price"], manifest["status"]) == (0.0, "partial")
    assert [one["dataset"] for one in manifest["stale"]] == ["spot_price"]
    whole = world.merge(world.collected(0, attempt=3, scores={"1": 3}, sizes=SIZES))
    assert (whole["coverage"]["price"], whole["status"]) == (100.0, "complete")


def shard_of(world: World, run: Run, dataset: Dataset, region: str) -> None:
    """A whole listing of a region other than the world's own."""
    row = world.price(SIZE, 0.01) if dataset is Dataset.PRICE else {
        "region": REGION, "instance_type": SIZE, "eviction_band": "0-5", "interruption_frequency": 3.0
    }  # fmt: skip
    alone = World()
    alone.shard(run, dataset, [row])
    (body,) = alone.objects.objects.values()  # type: ignore[attr-defined]
    moved = World.moved(body, region)
    world.objects.put(keys.shard(dataset, run.slot_at, region, run.attempt), moved)


def test_stale_names_the_region_whose_scores_are_old_not_the_one_that_sent_the_call(world: World) -> None:
    call = ScoreCall(call_id="c0", location=REGION, regions=(OTHER,), instance_types=SIZES, desired_count=1)
    run = planned(world, world.run(0), calls=(call,))
    for region in (REGION, OTHER):
        shard_of(world, run, Dataset.PRICE, region)
        shard_of(world, run, Dataset.EVICTION, region)
    manifest = world.merge(run, failures=[KILLED[Dataset.SPS]])
    (stale,) = manifest["stale"]
    assert (stale["dataset"], stale["region"], stale["missing"], stale["asked"]) == ("sps", OTHER, 2, 2)
    assert stale["error"] == "Lambda.Unknown"
    assert manifest["regions_complete"] == 1


def test_a_region_that_was_to_be_listed_and_was_not_is_missing_though_no_catalogue_knows_it(world: World) -> None:
    run = planned(world, world.run(0), sizes=())
    shard_of(world, run, Dataset.PRICE, REGION)
    shard_of(world, run, Dataset.EVICTION, REGION)
    manifest = world.merge(run)
    assert manifest["coverage"] == {"sps": None, "price": 50.0, "eviction": 50.0}
    assert {(one["dataset"], one["region"]) for one in manifest["stale"]} == {
        ("spot_price", OTHER),
        ("spot_if", OTHER),
    }


def test_a_full_run_that_ended_before_it_had_planned_keeps_its_prices_and_says_why(world: World) -> None:
    run = replace(world.run(0), attempt=9)
    write_record(world.objects, AttemptRecord(run=run, scope=Scope()))
    world.shard(run, Dataset.PRICE, [world.price(SIZE, 0.07)])
    manifest = world.merge(run, failures=[Failure(error="SignInError", cause="the secret has expired")])
    assert latest(world)[0]["SpotPrice"] == 0.07
    assert (manifest["status"], manifest["attempts"][0]["planned"]) == ("failed", False)
    assert (manifest["stale"][0]["error"], "the secret has expired" in manifest["stale"][0]["cause"]) == (
        "SignInError",
        True,
    )


def test_what_an_attempt_counts_on_is_merged_with_it_though_its_own_merge_never_began(world: World) -> None:
    world.collected(0, scores={"1": 2}, band=None)  # killed before its merge
    run = world.run(0, attempt=2)
    write_record(world.objects, AttemptRecord(run=run, scope=Scope(resume=True), includes=(1,)))
    item = WorkItem(region=REGION, instance_types=(SIZE,), datasets=(Dataset.EVICTION,))
    write_work(world.objects, Work(run=run, items={REGION: item}))
    rate = {"region": REGION, "instance_type": SIZE, "eviction_band": "0-5", "interruption_frequency": 3.0}
    world.shard(run, Dataset.EVICTION, [rate])
    manifest = world.merge(run)
    assert (manifest["status"], manifest["coverage_percent"]) == ("complete", 100.0)
    assert [(row["Score"], row["SpotPrice"], row["IF"]) for row in latest(world)] == [(2, 0.01, 3.0)]


def test_slots_are_folded_again_though_their_records_are_gone(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}, sizes=SIZES))
    world.merge(world.collected(2, attempt=7, spot=0.02, scores={"1": 2}, count=5, sizes=SIZES))
    for key in list(world.objects.keys(keys.WORK_PREFIX)):  # as the bucket's lifecycle rule does
        world.objects.delete(key)
    world.merge(world.collected(1, attempt=30, spot=0.5, scores={"1": 1}, sizes=SIZES))
    assert [(row["SpotPrice"], row["DesiredCount"]) for row in snapshot(world, 2)] == [("0.02", "5")] * 2
    world.merge(world.collected(2, attempt=40, spot=0.7, scores={"1": 2}, sizes=[SIZE], filtered=True))
    assert [row["SpotPrice"] for row in snapshot(world, 2)] == ["0.7", "0.02"]


ATTEMPTS = st.fixed_dictionaries(
    {
        "number": st.integers(0, 3),
        "spot": st.sampled_from([None, 0.01, 0.02, 0.03]),
        "band": st.sampled_from([None, "0-5", "20+"]),
        "scores": st.none() | st.dictionaries(st.sampled_from("123"), st.sampled_from([1, 2, 3, None]), min_size=1),
        "count": st.sampled_from([1, 5]),
        "sizes": st.sampled_from([SIZES, (SIZE,), (SECOND,)]),
        "filtered": st.booleans(),
    }
)
_OF_THE_WRITER = ("Version", "RunId", "UpdatedAt")
# What a merge says of itself: how long it took, what it wrote, what it saw of the newest state.
_OF_THE_MERGE = (
    "seconds", "merged_at", "outputs", "changed_rows", "written_items", "overtaken_items", "items_left",
    "invalid_items",
    "consumed_write_units", "write_throttles", "score_ages", "score_age_median_minutes", "score_age_p95_minutes",
    "oldest_score_age_minutes", "value_ages", "rows_difference_percent",
)  # fmt: skip


def essence(world: World, numbers: set[int], table: dict[tuple[str, str], dict[str, Any]]) -> tuple[Any, ...]:
    """Live items, latest, snapshots and what the manifests say of the slots."""
    live = {
        key: {name: value for name, value in item.items() if name not in _OF_THE_WRITER}
        for key, item in table.items()
        if "RetiredAt" not in item
    }
    manifests = {}
    for number in sorted(numbers):
        told = manifest_of(world, number)
        del told["rows"]["merged"]  # live workloads when it was merged: a slot before it may have come since
        manifests[number] = {name: value for name, value in told.items() if name not in _OF_THE_MERGE}
    return live, latest(world), {number: snapshot(world, number) for number in sorted(numbers)}, manifests


@settings(max_examples=80, deadline=None)
@given(specs=st.lists(ATTEMPTS, min_size=1, max_size=6), data=st.data())
def test_any_attempts_of_any_slots_in_any_order_and_twice_end_the_same(
    specs: list[dict[str, Any]], data: st.DataObject
) -> None:
    def collected() -> tuple[World, list[Run]]:
        world = World(MemoryObjects(), MemoryWorkloads())
        runs = [world.collected(attempt=attempt, **{"scores": None, **spec}) for attempt, spec in enumerate(specs, 1)]
        return world, runs

    calm, runs = collected()
    for run in sorted(runs, key=lambda run: (run.run_id, run.attempt)):
        calm.merge(run)
    world, runs = collected()
    again = data.draw(st.lists(st.sampled_from(range(len(runs))), max_size=2))
    for place in data.draw(st.permutations([*range(len(runs)), *again])):
        world.merge(runs[place])
    numbers = {spec["number"] for spec in specs}
    found, expected = essence(world, numbers, items(world)), essence(calm, numbers, items(calm))
    for one, other in zip(found, expected, strict=True):
        assert one == other


def test_a_score_that_two_collectors_brought_counts_once() -> None:
    """Blocks overlap in a plan. The manifest named more scores than there were, until the slot was resumed."""
    world, regions = World(), (REGION, "eastus")
    run = world.collected(0, scores={"1": 2, "2": 1, "3": None}, regions=regions)
    mine, other = (keys.shard(Dataset.SPS, run.slot_at, region, run.attempt) for region in regions)
    kept = world.objects.get(mine)
    assert kept is not None
    report = CollectorReport(dataset=Dataset.SPS, region="eastus", status="complete", rows=1)
    world.shard(run, Dataset.SPS, [world.score(SIZE, "1", 3, 1)], region="eastus", report=report)
    moved = world.objects.get(mine)
    assert moved is not None
    world.objects.put(other, moved.body)
    world.objects.put(mine, kept.body)
    manifest = world.merge(run)
    assert other not in {one["key"] for one in manifest["refused_shards"]}
    assert manifest["rows"]["sps"] == 2
    assert world.merge(world.collected(0, attempt=2, spot=None, band=None))["rows"]["sps"] == 2


def test_of_two_scores_that_one_attempt_brought_the_lower_counts_alone() -> None:
    """The higher one still counted as a success at its count, until the slot had another attempt: T2 was 1 before."""
    world, regions = World(), (REGION, OTHER)
    run = world.collected(0, scores={"1": 1}, count=5, regions=regions)
    alone = World()
    alone.shard(run, Dataset.SPS, [alone.score(SIZE, "1", 2, 5)], region=OTHER, report=report_of(OTHER))
    (body,) = alone.objects.objects.values()  # type: ignore[attr-defined]
    world.objects.put(keys.shard(Dataset.SPS, run.slot_at, OTHER, run.attempt), body)
    world.merge(run)
    assert [(row["T2"], row["T3"]) for row in snapshot(world, 0)] == [("-1", "-1")]
    world.merge(world.collected(0, attempt=2, spot=None, band=None))
    assert [(row["T2"], row["T3"]) for row in snapshot(world, 0)] == [("-1", "-1")]


def report_of(region: str) -> CollectorReport:
    """A collector's report of one row of scores."""
    return CollectorReport(dataset=Dataset.SPS, region=region, status="complete", rows=1)


def test_a_record_that_expired_before_its_end_stops_no_later_attempt_of_its_slot(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}, sizes=SIZES))
    world.objects.delete(keys.attempt_record(FIRST, 1))  # written before midnight, its end after
    world.merge(world.collected(0, attempt=5, spot=0.02, scores={"1": 2}, sizes=[SIZE], filtered=True))
    assert [(row["SpotPrice"], row["Score"]) for row in latest(world)] == [(0.02, 2), (0.01, 3)]
    answers = read_slot_answers(world.objects, FIRST, ())  # as a resumed attempt does
    assert (answers.attempts, dict(answers.whole)) == ((1, 5), {REGION: frozenset((Dataset.PRICE, Dataset.EVICTION))})


@pytest.mark.parametrize("damage", [b"", b"{", b'{"schema": 99}', b"[]", b'{"schema": 2}'])
@pytest.mark.parametrize("slot", [0, 144])
def test_a_damaged_manifest_stops_no_merge_of_its_slot_or_of_the_day_after(
    world: World, damage: bytes, slot: int
) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    world.objects.put(keys.manifest(FIRST), damage)
    manifest = world.merge(world.collected(slot, attempt=200, scores={"1": 3}))
    assert (manifest["status"], manifest["rows_difference_percent"]) == ("complete", None)
