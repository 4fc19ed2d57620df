"""The verdict on a run that failed or starved is the same for every reader of its manifest."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from spotlake import keys
from spotlake.models import Run
from spotlake.planning.attempt import Failure
from spotlake.reporting.facts import gather
from spotlake.reporting.jobs import job_ends
from spotlake.reporting.verdict import JudgedManifest, judge
from spotlake.run_files import parse_manifest
from tests.functional.merge.conftest import FIRST, REGION, World
from tests.report.runs import (
    EXIT,
    NOTHING_ASKED,
    NOTHING_CAME,
    SENTENCE,
    failed_run,
    first_schema,
    starved_run,
    stored_first_schema,
)


def read(world: World, run: Run) -> JudgedManifest:
    key = keys.manifest(run.slot_at)
    stored = world.objects.get(key)
    assert stored is not None
    manifest = parse_manifest(stored.body, key)
    return judge(manifest, job_ends(world.objects, manifest["run_id"], manifest["attempts"]))


def judged(content: dict[str, Any]) -> JudgedManifest:
    return judge(parse_manifest(orjson.dumps(content), "manifest"))


def test_a_run_of_which_nothing_came_has_failed_with_the_job_s_own_sentence() -> None:
    found = read(*failed_run())
    assert (found["status"], found["verdict"]) == ("failed", "failed")
    assert (found["error"], found["cause"]) == ("SignInUnavailableError", SENTENCE)


def test_without_the_job_s_record_the_state_machine_s_words_stand() -> None:
    world, run = failed_run()
    stored = world.objects.get(keys.manifest(run.slot_at))
    assert stored is not None
    assert judge(parse_manifest(stored.body, "manifest"))["cause"] == EXIT.cause
    world.objects.put(keys.checkpoint(run.slot_at, run.attempt, "job"), b"damaged")
    assert read(world, run)["cause"] == EXIT.cause


def test_the_attempt_that_collected_in_a_full_run_s_place_tells_the_job_s_sentence() -> None:
    world, run = failed_run()
    instead = world.collected(0, attempt=2, scores={"1": 3}, resume=True)
    world.merge(instead, failures=[EXIT])
    found = read(world, run)
    assert found["cause"] == SENTENCE
    assert found["verdict"] != "failed"  # prices, rates and scores came


def test_another_attempt_s_failure_is_not_called_the_job_s() -> None:
    world, run = failed_run()
    world.merge(world.collected(0, attempt=2), failures=[Failure(error="States.Timeout", cause="570 s")])
    assert (read(world, run)["error"], read(world, run)["cause"]) == ("States.Timeout", "570 s")


def test_a_later_attempt_that_ended_well_counts() -> None:
    world, run = failed_run()
    world.merge(world.collected(0, attempt=2, scores={"1": 3}))
    assert (read(world, run)["error"], read(world, run)["cause"]) == (None, None)


def test_a_run_that_could_ask_no_score_has_starved() -> None:
    found = read(*starved_run())
    assert (found["verdict"], found["waits"], found["coverage"]["sps"]) == ("starved", True, None)
    assert found["calls_waiting"] == 319
    assert "quota" in found["coverage_reasons"]["sps"]


def test_too_little_is_explained_by_what_most_of_it_says() -> None:
    stale = [
        {"dataset": "spot_if", "region": region, "error": "AzureUnavailableError", "cause": cause, "since": None}
        for region, cause in (("a", "time-out"), ("b", "time-out"), ("c", "502"))
    ]
    found = judged({**first_schema(), "schema": 2, **_second(), "coverage_sufficient": False, "stale": stale})
    assert found["verdict"] == "failed"
    assert (found["error"], found["cause"]) == ("AzureUnavailableError", "time-out (2 of 3 say so)")


def _second() -> dict[str, Any]:
    return {
        "attempts": [],
        "coverage_reasons": {},
        "accounts": [],
        "quota_left": 0,
        "score_ages": [],
        "score_age_median_minutes": None,
        "score_age_p95_minutes": None,
        "overtaken_items": 0,
        "oldest_waiting_minutes": 0.0,
        "oldest_score_age_minutes": 0,
    }


@pytest.mark.parametrize(
    ("changes", "status", "verdict"),
    [
        ({}, "complete", "complete"),
        (NOTHING_CAME, "failed", "failed"),
        ({**NOTHING_CAME, "coverage_sufficient": True}, "failed", "failed"),
        (NOTHING_ASKED, "partial", "starved"),
        ({"status": "partial"}, "partial", "partial"),
    ],
)
def test_old_manifests_are_not_believed_where_they_call_nothing_complete(
    changes: dict[str, Any], status: str, verdict: str
) -> None:
    found = judged(first_schema(**changes))
    assert (found["status"], found["verdict"]) == (status, verdict)
    assert (found["coverage"]["sps"] is None) == (changes.get("sps_calls") == 0)
    assert found["coverage_percent"] < 100 or verdict in {"complete", "partial"}


def test_counts_that_were_not_asked_are_in_no_curve() -> None:
    world = World()
    world.merge(world.collected(0, scores={"1": 3, "2": 3}, count=1))
    world.merge(world.collected(1, scores={"1": 1}, count=20))
    assert gather(world.objects, FIRST)["asked"] == [{"count": 1, "scored": 2}]
    second = gather(world.objects, world.run(1).slot_at)["asked"]
    assert second == [{"count": 1, "scored": 2}, {"count": 20, "scored": 1}]
    assert gather(stored_first_schema().objects, FIRST)["asked"] == [{"count": 1, "scored": None}]


def test_scores_count_for_the_region_that_was_scored() -> None:
    world = World()
    run = world.collected(0, regions=(REGION, "eastus"), scores={"1": 3})
    world.merge(run)
    came = {(one["region"], one["dataset"]): one["came"] for one in gather(world.objects, FIRST)["came"]}
    assert came[REGION, "sps"] == "complete"
    assert came["eastus", "sps"] == came["eastus", "spot_price"] == "failed"  # it was asked, and nothing came
