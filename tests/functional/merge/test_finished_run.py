"""What Merge answers, and what it leaves for later runs: catalogue, listings, prices, sweep, findings, full runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.events import MergeResult
from spotlake.merge.findings import Finding, Findings
from spotlake.models import Dataset, Mode, Run, ScoreCall, WorkItem
from spotlake.planning.attempt import AttemptRecord, Failure, Work
from spotlake.planning.catalogue import Catalogue
from spotlake.planning.cover import Block
from spotlake.planning.price_memory import Compared, Told
from spotlake.planning.scope import Scope
from spotlake.planning.sweep import Sweep, block_id
from spotlake.reports import CollectorReport
from spotlake.reports import Findings as Found
from spotlake.settings import Settings
from spotlake.state.attempts import write_record, write_work
from spotlake.state.call_plan import CALL_PLAN, StoredPlan
from spotlake.state.catalogue import change_catalogue, read_catalogue
from spotlake.state.findings import FINDINGS
from spotlake.state.full_runs import read_full_runs
from spotlake.state.last_good import LastGood, read_last_good
from spotlake.state.lessons import read_learnt
from spotlake.state.price_histories import write_price_history
from spotlake.state.price_memory import PRICE_MEMORY
from spotlake.state.refused_subscriptions import REFUSED_SUBSCRIPTIONS
from spotlake.state.sweep import read_sweep
from spotlake.usecases.merge.finish_run import FinishDeps, finish_run
from spotlake.usecases.merge.merge_run import MergeDeps
from tests.functional.merge.conftest import FIRST, NAME, REGION, SIZE, World

OTHER, ODD = "Standard_E4s_v5", "Standard_B2ms"  # the second can never be spot
DAY = timedelta(days=1)


def finish(world: World, run: Run, *failures: Failure, **settings: Any) -> MergeResult:
    merge = MergeDeps(
        objects=world.objects, workloads=world.workloads, clock=ManualClock(run.slot_at),
        deadline=Deadline.after(600), settings=Settings(**settings), monotonic=lambda: 0.0,
    )  # fmt: skip
    return finish_run(run, failures, FinishDeps(merge=merge, objects=world.objects))


def listing(
    world: World, run: Run, *sizes: str, region: str = REGION, dataset: Dataset = Dataset.PRICE, **report: Any
) -> None:
    """A whole listing of a region, with a report of one's own."""
    fields: dict[str, Any] = {"status": "complete", **report}
    told = CollectorReport(dataset=dataset, region=region, rows=len(sizes), **fields)
    common = {
        "run_id": run.run_id,
        "source": "live",
        "observed_at": "",
        "spot_meter_id": "",
        "spot_effective_start_at": "",
    }
    rows = [{**common, **world.price(size, 0.01, None), "region": region} for size in sizes]
    other = World()
    other.shard(run, dataset, rows, report=told, region=region)
    body = other.objects.get(keys.shard(dataset, run.slot_at, REGION, run.attempt))
    assert body is not None
    world.objects.put(keys.shard(dataset, run.slot_at, region, run.attempt), body.body)


def planned(world: World, number: int, *items: WorkItem, mode: Mode = Mode.INCREMENTAL, **scope: Any) -> Run:
    """An attempt with its record and the work of these regions."""
    run = replace(world.run(number), mode=mode)
    write_record(world.objects, AttemptRecord(run=run, scope=Scope(**scope)))
    write_work(world.objects, Work(run=run, items={item.region: item for item in items}, quota_left=5))
    return run


def test_the_result_of_a_slot_in_every_field(world: World) -> None:
    run = world.collected(0, scores={"1": 3, "2": 1})
    assert finish(world, run) == {
        "status": "complete", "coverage_percent": 100.0, "coverage_sufficient": True, "filtered": False,
        "rows": {"sps": 2, "price": 1, "eviction": 1, "merged": 2},
        "sps_calls": 0, "throttled_calls": 0, "quota_left": 0, "stale_regions": 0, "rows_difference_percent": None,
        "score_age_median_minutes": 0, "score_age_p95_minutes": 0, "oldest_score_age_minutes": 0,
        "changed_rows": 2, "written_items": 2, "overtaken_items": 0, "invalid_items": 0, "items_left": 0,
        "consumed_write_units": 2.0, "refused_shards": 0, "manifest_key": "runs/azure/2025/12/15/10-00.json",
        "unconfirmed_percent": 0.0, "new_unknown_kinds": 0, "new_price_disagreements": 0,
        "witness_disagreement_percent": None, "findings": [], "data_findings": 0, "new_findings": 0,
    }  # fmt: skip


def test_failures_are_kept_with_the_attempt(world: World) -> None:
    run = world.collected(0, band=None)
    finish(world, run, Failure(error="Lambda.Unknown", cause="killed", dataset="spot_if", region=REGION))
    stored = world.objects.get(keys.manifest(run.slot_at))
    assert stored is not None
    stale = [one for one in orjson.loads(stored.body)["stale"] if one["dataset"] == "spot_if"]
    assert [(one["region"], one["error"], one["cause"]) for one in stale] == [(REGION, "Lambda.Unknown", "killed")]


# -- the catalogue -----------------------------------------------------------------------------------


def test_the_catalogue_has_what_was_listed_and_can_be_spot(world: World) -> None:
    finish(world, world.collected(0, sizes=(SIZE, ODD), scores={"1": 3}))
    day = "2025-12-15"
    assert read_catalogue(world.objects) == Catalogue(
        pairs={REGION: {SIZE: day}}, names={REGION: NAME}, listed={REGION: (day,)}
    )


def test_a_part_by_hand_changes_known_regions_not_and_adds_unknown_ones(world: World) -> None:
    finish(world, world.collected(0))
    part: dict[str, Any] = {"instance_types": (OTHER,), "filtered": True}
    finish(world, world.collected(144, sizes=(OTHER,), **part))
    assert read_catalogue(world.objects).pairs == {REGION: {SIZE: "2025-12-15"}}
    fresh = World()
    finish(fresh, fresh.collected(0, sizes=(OTHER,), **part))
    assert read_catalogue(fresh.objects).pairs == {REGION: {OTHER: "2025-12-15"}}


@pytest.mark.parametrize(("days", "sizes"), [(1, {OTHER}), (2, {SIZE, OTHER})])
def test_a_pair_is_kept_for_the_days_of_the_settings(world: World, days: int, sizes: set[str]) -> None:
    finish(world, world.collected(0, sizes=(SIZE, OTHER)), catalogue_days=days)
    for number in (144, 288):
        finish(world, world.collected(number, sizes=(OTHER,)), catalogue_days=days)
    assert set(read_catalogue(world.objects).pairs[REGION]) == sizes


@pytest.mark.parametrize(("days", "is_kept"), [(1, False), (3, True)])
def test_a_region_that_sells_nothing_any_more_is_kept_until_its_pairs_retire(
    world: World, days: int, *, is_kept: bool
) -> None:
    finish(world, world.collected(0), catalogue_days=1, retire_after_days=days)
    for number in (144, 288):
        run = planned(world, number, WorkItem(region=REGION))
        listing(world, run)
        finish(world, run, catalogue_days=1, retire_after_days=days)
    assert (REGION in read_catalogue(world.objects).pairs) == is_kept


def test_a_lost_catalogue_gets_the_live_pairs_of_all_regions_back(world: World) -> None:
    finish(world, world.collected(0, sizes=(SIZE, ODD)))
    world.objects.delete(keys.CATALOGUE)
    run = planned(world, 150, WorkItem(region="eastus"))
    listing(world, run, OTHER, region="eastus")
    finish(world, run)
    assert read_catalogue(world.objects).pairs == {
        "eastus": {OTHER: "2025-12-16"}, REGION: {SIZE: "2025-12-15"}
    }  # fmt: skip


def test_retired_pairs_of_a_lost_catalogue_stay_lost(world: World) -> None:
    finish(world, world.collected(0, sizes=(SIZE, OTHER)), retire_after_days=1)
    for number in (144, 288):
        finish(world, world.collected(number, sizes=(OTHER,)), retire_after_days=1)
    world.objects.delete(keys.CATALOGUE)
    run = planned(world, 289, WorkItem(region="eastus"))
    listing(world, run, OTHER, region="eastus")
    finish(world, run, retire_after_days=1)
    assert set(read_catalogue(world.objects).pairs[REGION]) == {OTHER}


def test_regions_that_the_catalogue_has_are_left_as_they_are(world: World) -> None:
    finish(world, world.collected(0, sizes=(SIZE, OTHER)))
    change_catalogue(world.objects, lambda _: Catalogue(pairs={REGION: {SIZE: "2025-12-01"}}))
    run = planned(world, 1, WorkItem(region="eastus"))
    listing(world, run, OTHER, region="eastus")
    finish(world, run)
    assert read_catalogue(world.objects).pairs[REGION] == {SIZE: "2025-12-01"}


# -- listings, lessons, prices -----------------------------------------------------------------------


def test_whole_listings_and_answers_are_noted_with_their_slot(world: World) -> None:
    finish(world, world.collected(0, scores={"1": 3}, sizes=(SIZE, OTHER)))
    at = "2025-12-15T10:00:00Z"
    assert read_last_good(world.objects) == LastGood(
        rows={REGION: {"spot_price": 2, "spot_if": 2}},
        collected_at={REGION: {"spot_price": at, "spot_if": at, "sps": at}},
    )
    finish(world, world.collected(1, sizes=(SIZE,), instance_types=(SIZE,), filtered=True))  # no whole listing
    assert read_last_good(world.objects).rows == {REGION: {"spot_price": 2, "spot_if": 2}}


def test_lessons_and_refusals_are_those_of_the_own_attempt(world: World) -> None:
    found = Found(invalid_regions=("nowhere",), refused_subscriptions={"ab12": "Denied"})
    first = planned(world, 0, WorkItem(region=REGION, datasets=(Dataset.PRICE, Dataset.SPS)))
    listing(world, first, SIZE)
    other = replace(first, attempt=9)
    write_record(world.objects, AttemptRecord(run=other, scope=Scope()))
    call = ScoreCall(call_id="c1", location=REGION, regions=(REGION,), instance_types=(SIZE,), desired_count=1)
    write_work(world.objects, Work(run=other, items={REGION: WorkItem(region=REGION, calls=(call,))}))
    listing(world, other, dataset=Dataset.SPS, found=found)
    finish(world, first)
    assert read_learnt(world.objects).invalid.regions == {}
    finish(world, other)
    assert read_learnt(world.objects).invalid.regions == {"nowhere": "20251215T1000Z"}
    assert REFUSED_SUBSCRIPTIONS.read(world.objects) == {"ab12": "20251215T1000Z"}


def test_odd_prices_are_new_once_and_findings_say_so(world: World) -> None:
    found = Found(
        unknown_kinds=({"kind": "odd"}, {"kind": "other"}, {"kind": "third"}),
        disagreeing_sizes=("spot A", "spot B"), absent_spot=(OTHER,), unconfirmed_sizes=(OTHER,),
    )  # fmt: skip
    results = []
    for number in (0, 2):
        run = planned(world, number, WorkItem(region=REGION))
        listing(world, run, SIZE, found=found)
        results.append(finish(world, run))
    assert [(one["new_unknown_kinds"], one["new_price_disagreements"]) for one in results] == [(3, 2), (0, 0)]
    assert results[0]["witness_disagreement_percent"] is None
    memory = PRICE_MEMORY.read(world.objects)
    first, last = "2025-12-15T10:00:00Z", "2025-12-15T10:20:00Z"
    assert memory.told["price_disagreement"] == dict.fromkeys(
        (f"{REGION} spot A", f"{REGION} spot B"), Told(first=first, last=last)
    )
    assert memory.absent == {REGION: {"spot": {OTHER: last}, "ondemand": {}}}
    # Half of the pairs is not confirmed: one of two.
    assert {*results[0]["findings"]} >= {"unknown_kinds", "price_disagreements"}
    assert results[0]["data_findings"] == len(results[0]["findings"]) == results[0]["new_findings"]


def history_row(size: str, usd: float) -> dict[str, str]:
    told = [{"effectiveDate": "2025-12-01T00:00:00Z", "priceUSD": usd}]
    return {"skuName": size, "osType": "linux", "location": REGION, "spotPrices": orjson.dumps(told).decode()}


def test_the_second_witness_is_compared_and_its_share_told(world: World) -> None:
    run = planned(world, 0, WorkItem(region=REGION, witness=True))
    listing(world, run, SIZE, OTHER, "Standard_F2s_v2")
    rows = [history_row(SIZE, 0.02), history_row(OTHER, 0.01), history_row("Standard_F2s_v2", 0.01)]
    write_price_history(world.objects, run, REGION, rows, source="live", collected_at=FIRST)
    result = finish(world, run)
    assert (result["witness_disagreement_percent"], "price_witness" in result["findings"]) == (33.33, True)
    assert PRICE_MEMORY.read(world.objects).witnessed == {
        REGION: Compared(at="2025-12-15T10:00:00Z", agreeing=2, disagreeing=1)
    }  # fmt: skip


# -- findings ----------------------------------------------------------------------------------------


def test_findings_are_kept_with_their_slot_and_told_once(world: World) -> None:
    poor: dict[str, Any] = {"minimum_coverage_percent": 100}
    first = finish(world, world.collected(0, band=None, scores={"1": 3}), **poor)
    assert (first["findings"], first["data_findings"], first["new_findings"]) == (["coverage"], 1, 1)
    at, later = "2025-12-15T10:00:00Z", "2025-12-15T10:20:00Z"
    passing = {"no_quota": Finding(since=at)}  # this world has no quota; that may pass
    assert FINDINGS.read(world.objects) == Findings(at=at, seen={"coverage": Finding(since=at, told=at), **passing})
    second = finish(world, world.collected(2, band=None, scores={"1": 3}), **poor)
    assert (second["findings"], second["data_findings"], second["new_findings"]) == (["coverage"], 1, 0)
    assert FINDINGS.read(world.objects) == Findings(at=later, seen={"coverage": Finding(since=at, told=at), **passing})


@pytest.mark.parametrize("is_late", [True, False], ids=["an older slot", "a part"])
def test_what_says_nothing_of_now_is_told_and_not_kept(world: World, *, is_late: bool) -> None:
    poor: dict[str, Any] = {"minimum_coverage_percent": 100}
    finish(world, world.collected(5, scores={"1": 3}), **poor)
    known = FINDINGS.read(world.objects)
    assert set(known.seen) == {"no_quota"}
    scope: dict[str, Any] = {} if is_late else {"filtered": True, "instance_types": (SIZE,)}
    number = 4 if is_late else 6
    result = finish(world, world.collected(number, band=None, scores={"1": 3}, **scope), **poor)
    assert (result["findings"], result["new_findings"]) == (["coverage"], 1)
    assert FINDINGS.read(world.objects) == known
    again = finish(world, world.collected(5, attempt=30, band=None), **poor)  # the newest slot's own second attempt
    assert FINDINGS.read(world.objects).at == "2025-12-15T10:50:00Z"
    assert again["findings"] == []


# -- full runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "others", "changes", "is_done"),
    [
        (1, 0, {}, True),
        (1, 1, {}, False),  # a half is not most
        (2, 1, {}, True),
        (1, 0, {"mode": Mode.INCREMENTAL}, False),
        (1, 0, {"filtered": True}, False),
        (1, 0, {"dataset": Dataset.EVICTION}, False),
        (1, 0, {"status": "failed"}, False),
    ],
)
def test_a_full_run_is_done_when_it_listed_most_regions(
    world: World, listed: int, others: int, changes: dict[str, Any], *, is_done: bool
) -> None:
    regions = ["eastus", "japaneast", "westus"][: listed + others]
    scope = {"filtered": True} if changes.get("filtered") else {}
    run = planned(world, 0, *(WorkItem(region=one) for one in regions), mode=changes.get("mode", Mode.FULL), **scope)
    report = {name: changes[name] for name in ("dataset", "status") if name in changes}
    for region in regions[:listed]:
        listing(world, run, region=region, **report)
    finish(world, run)
    assert (read_full_runs(world.objects).done_at == FIRST) == is_done


def test_a_full_run_that_ended_before_its_plan_is_not_done(world: World) -> None:
    run = replace(world.run(0), mode=Mode.FULL)
    write_record(world.objects, AttemptRecord(run=run, scope=Scope()))
    listing(world, run, SIZE)
    finish(world, run)
    assert read_full_runs(world.objects).done_at is None


# -- the sweep ---------------------------------------------------------------------------------------


def test_answered_and_failed_blocks_of_the_plan_are_recorded_by_count(world: World) -> None:
    sizes = [f"Standard_D{number}s_v5" for number in (2, 4, 8, 16)]
    blocks = [Block((REGION,), (size,)) for size in sizes]
    names = [block_id(block) for block in blocks]
    CALL_PLAN.write(world.objects, StoredPlan(pairs_digest="x", blocks=tuple(blocks[:3])))
    run = replace(world.run(0), desired_counts=(1, 5))
    calls = [
        ScoreCall(call_id=f"c{number}", location=REGION, regions=(REGION,), instance_types=(size,), desired_count=count)
        for number, (size, count) in enumerate([*((size, 1) for size in sizes), (sizes[1], 5)])
    ]
    write_record(world.objects, AttemptRecord(run=run, scope=Scope()))
    item = WorkItem(region=REGION, instance_types=tuple(sizes), calls=tuple(calls), datasets=(Dataset.SPS,))
    told = {"c0": names[0], "c1": names[1], "c3": names[3], "c4": names[1]}  # c2 is of no block, c3 of a part's own
    write_work(world.objects, Work(run=run, items={REGION: item}, blocks=told))
    rows = [world.score(sizes[0], "1", 3, 1), world.score(sizes[3], "1", 3, 1), world.score(sizes[2], "1", 3, 1)]
    world.shard(run, Dataset.SPS, rows)
    finish(world, run)
    at = "2025-12-15T10:00:00Z"
    assert read_sweep(world.objects) == Sweep(
        began_at=at, answered={1: {names[0]: at}, 5: {}}, failed={1: {names[1]: (1, at)}, 5: {names[1]: (1, at)}},
        next_began_at=at,
    )  # fmt: skip


def test_a_slot_that_asked_no_block_leaves_the_sweep(world: World) -> None:
    finish(world, world.collected(0, scores={"1": 3}))
    assert world.objects.get(keys.SWEEP) is None
