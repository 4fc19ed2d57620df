"""The state machine's file by itself: valid, complete, and in step with the stack and the library."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from cdk.constructs.workflow import MAP_LABEL, definition
from cdk.settings import FUNCTION_SIZES, StackSettings
from spotlake import errors
from spotlake.events import CollectEvent
from spotlake.models import Dataset
from spotlake.settings import Settings
from spotlake_local.workspace import ROOT
from tests.workflow.asl import Asl, the_file

# What AWS itself calls things (Step Functions and Lambda manuals, 2026-11).
AWS_ERRORS = {
    *("Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"),
    *("Lambda.ClientExecutionTimeoutException", "Lambda.TooManyRequestsException", "Sandbox.Timedout"),
    *("States.Timeout", "States.ALL"),
    *("Batch.AWSBatchException", "Batch.ServerException", "Batch.TooManyRequestsException"),
}


COLLECTORS = ("CollectPlacementScores", "CollectPrices", "CollectEvictionRates")


@pytest.fixture(scope="module")
def asl() -> Asl:
    return the_file()


def test_the_validator_accepts_it(tmp_path: Path) -> None:
    filled = tmp_path / "filled.asl.json"
    filled.write_text(definition(StackSettings()))
    validator = ROOT / "node_modules/.bin/asl-validator"
    done = subprocess.run([validator, "--json-path", filled], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_validator_would_notice_a_state_that_does_not_exist(tmp_path: Path) -> None:
    broken = tmp_path / "broken.asl.json"
    broken.write_text(definition(StackSettings()).replace('"Next": "Notify"', '"Next": "Nobody"'))
    validator = ROOT / "node_modules/.bin/asl-validator"
    done = subprocess.run([validator, "--json-path", broken], capture_output=True, text=True, check=False)
    assert done.returncode != 0


def test_every_function_of_the_stack_is_used_and_every_one_used_exists(asl: Asl) -> None:
    assert set(asl.functions.values()) == set(FUNCTION_SIZES)


def test_every_retried_or_caught_error_has_a_name_that_somebody_raises(asl: Asl) -> None:
    ours = {
        name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.SpotlakeError)
    }
    named = {
        error
        for state in asl.states.values()
        for rule in (*state.get("Retry", ()), *state.get("Catch", ()))
        for error in rule["ErrorEquals"]
    }
    assert named <= AWS_ERRORS | ours
    assert asl.machine["States"]["CheckCoverage"]["Choices"][0]["Assign"]["failure"]["error"] in ours


def test_every_task_ends_in_time_retries_what_is_worth_it_and_catches_the_rest(asl: Asl) -> None:
    for name, state in asl.tasks.items():
        assert state["Catch"][-1]["ErrorEquals"] == ["States.ALL"], name
        assert state["TimeoutSeconds"] > 0, name
        assert state.get("Retry"), f"{name} is not retried: give it a Retry in statemachine/collector.asl.json"
        for rule in state["Retry"]:
            # Starting the daily full run is a side act: whatever refuses it is tried again, then left alone.
            assert name == "StartFullRun" or not {"States.ALL", "States.TaskFailed"} & set(rule["ErrorEquals"]), name
            assert rule["JitterStrategy"] == "FULL", name
            assert rule["MaxDelaySeconds"] <= 60, name
            assert rule["MaxAttempts"] <= 8, name


def test_the_three_collectors_are_retried_in_the_same_way_and_all_functions_by_the_same_two_rules(asl: Asl) -> None:
    first, *others = (asl.tasks[name]["Retry"] for name in COLLECTORS)
    assert others == [first, first]
    for name in asl.functions:
        assert asl.tasks[name]["Retry"][:2] == first, name
        # One rule more where a store, or the time of a merge, may fail: its errors are those of README.
        assert len(asl.tasks[name]["Retry"]) == 2 + (name in OWN_RULES), name


# Row of README -> the task and the place of its rule.
TOLD = {
    "Lambda service errors": ("Notify", 0),
    "Lambda throttling": ("Notify", 1),
    "Plan, PlanInstead, Report: `StoreError`, `ConflictError`": ("Plan", 2),
    "Merge: those, `DeadlineError`, a time-out": ("Merge", 2),
    "Batch refuses a submission": ("FullRun", 0),
    "StartFullRun: any error": ("StartFullRun", 0),
}
OWN_RULES = ("Plan", "PlanInstead", "Report", "Merge")


@pytest.mark.parametrize("row", TOLD)
def test_readme_tells_how_often_and_how_long_each_error_is_tried_again(asl: Asl, row: str) -> None:
    readme = (ROOT / "statemachine/README.md").read_text(encoding="utf-8")
    (line,) = [one for one in readme.splitlines() if one.startswith(f"| {row} |")]
    task, place = TOLD[row]
    rule = asl.tasks[task]["Retry"][place]
    first, most, tries = rule["IntervalSeconds"], rule["MaxDelaySeconds"], rule["MaxAttempts"]
    assert f"| {tries} times, {first} s doubling, full jitter, at most {most} s" in line
    assert rule["BackoffRate"] == 2
    assert f"| {sum(min(first * 2**number, most) for number in range(tries))} s" in line


def test_every_store_error_is_retried_alike(asl: Asl) -> None:
    plan, instead, report, merge = (asl.tasks[name]["Retry"][2] for name in OWN_RULES)
    assert plan["ErrorEquals"] == instead["ErrorEquals"] == report["ErrorEquals"] == merge["ErrorEquals"][:2]
    for rule in (instead, report, merge):
        assert {**plan, "Comment": "", "ErrorEquals": ""} == {**rule, "Comment": "", "ErrorEquals": ""}


def test_throttling_and_service_errors_are_retried_apart(asl: Asl) -> None:
    for name in asl.functions:
        rules = {tuple(rule["ErrorEquals"]) for rule in asl.tasks[name]["Retry"]}
        assert ("Lambda.TooManyRequestsException",) in rules, name
        assert any("Lambda.ServiceException" in rule for rule in rules), name


def test_a_function_may_end_by_itself_before_its_state_gives_up(asl: Asl) -> None:
    for name, function in asl.functions.items():
        assert FUNCTION_SIZES[function].timeout_seconds < asl.tasks[name]["TimeoutSeconds"], name
    assert max(state["TimeoutSeconds"] for state in asl.tasks.values()) < asl.machine["TimeoutSeconds"]


EXPRESS_SECONDS = 300  # Step Functions, "Quotas for Express Workflows", read 2026-11


def test_a_group_ends_by_itself_before_an_express_workflow_is_ended(asl: Asl) -> None:
    given = re.search(r"\$millis\(\) \+ (\d+)", asl.states["BeginGroup"]["Output"]["ends_at"])
    assert given
    group_seconds = int(given[1]) / 1000
    for name in COLLECTORS:
        function_seconds = FUNCTION_SIZES[asl.functions[name]].timeout_seconds
        assert function_seconds <= group_seconds - 30, name
        assert asl.tasks[name]["TimeoutSeconds"] == function_seconds + 30 <= group_seconds, name
    assert group_seconds <= EXPRESS_SECONDS - 30


def test_every_collector_is_handed_its_groups_end(asl: Asl) -> None:
    for name in ("ScoresOfGroup", "PricesOfGroup", "RatesOfGroup"):
        item = asl.states[name]["ItemSelector"]
        assert set(item) == set(CollectEvent.__annotations__), name
        assert item["ends_at"] == "{% $states.input.ends_at %}", name
        (task, _) = asl.states[name]["ItemProcessor"]["States"].values()
        assert task["Arguments"]["Payload"] == "{% $states.input %}", name


def test_the_children_s_names_are_those_that_the_role_may_watch(asl: Asl) -> None:
    assert asl.states["CollectRegions"]["Label"] == MAP_LABEL


def test_no_group_is_missed_for_another_one(asl: Asl) -> None:
    assert asl.states["CollectRegions"]["ToleratedFailurePercentage"] == 100
    assert asl.states["RatesOfGroup"]["MaxConcurrency"] == 1


@pytest.mark.parametrize(
    ("concurrency", "groups", "wanted"),
    [(20, 4, (4, 5)), (3, 4, (3, 1)), (1, 4, (1, 1)), (40, 1, (1, 40)), (20, 3, (3, 6))],
)
def test_never_more_regions_at_once_than_the_setting_says(
    concurrency: int, groups: int, wanted: tuple[int, int]
) -> None:
    settings = StackSettings(map_concurrency=concurrency, running=Settings(region_groups=groups))
    filled = json.loads(definition(settings))["States"]["CollectRegions"]
    branches = filled["ItemProcessor"]["States"]["CollectGroup"]["Branches"]
    inner = [state["MaxConcurrency"] for branch in branches for state in branch["States"].values()]
    assert (filled["MaxConcurrency"], inner) == (wanted[0], [wanted[1], wanted[1], 1])
    assert wanted[0] * wanted[1] <= concurrency


@pytest.mark.parametrize("children", ["EXPRESS", "STANDARD"])
def test_one_word_chooses_what_a_group_is(children: str) -> None:
    filled = json.loads(definition(StackSettings(map_children=children)))["States"]["CollectRegions"]
    assert filled["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": children}


def test_the_parallel_states_use_nothing_that_is_special_to_jsonata(asl: Asl) -> None:
    for state in asl.states.values():
        if state["Type"] == "Parallel":
            assert set(state) & {"Arguments", "Output", "Assign"} == set()


def test_a_lost_data_set_is_told_by_its_folders_name(asl: Asl) -> None:
    assert [asl.tasks[name]["Catch"][0]["Output"]["dataset"] for name in COLLECTORS] == [one.value for one in Dataset]


@pytest.mark.parametrize("state", ["PlanInstead", "CollectRegions"])
def test_what_was_collected_is_merged_whatever_failed(asl: Asl, state: str) -> None:
    assert [rule["Next"] for rule in asl.states[state]["Catch"]] == ["Merge"]
    assert asl.states["CollectRegions"]["Next"] == "Merge"


def test_a_full_run_that_fails_is_merged_or_where_it_is_the_first_replaced_by_the_map(asl: Asl) -> None:
    assert asl.states["FullRun"]["Next"] == "Merge"
    assert [rule["Next"] for rule in asl.states["FullRun"]["Catch"]] == ["ChooseAfterFullRun"]
    assert asl.states["ChooseAfterFullRun"]["Default"] == "Merge"
    assert [rule["Next"] for rule in asl.states["ChooseAfterFullRun"]["Choices"]] == ["PlanInstead"]
    assert asl.states["PlanInstead"]["Next"] == "CollectRegions"


def test_no_slot_waits_for_the_daily_full_run_or_fails_with_it(asl: Asl) -> None:
    start = asl.states["StartFullRun"]
    assert start["Resource"] == "arn:aws:states:::states:startExecution"  # it does not wait
    assert (start["Next"], [rule["Next"] for rule in start["Catch"]]) == ("CollectRegions", ["CollectRegions"])


def test_every_failure_is_told_before_it_ends_the_run(asl: Asl) -> None:
    assert asl.states["DescribeFailure"]["Next"] == "Notify"
    assert asl.states["Notify"]["Next"] == "Failed"
    assert [rule["Next"] for rule in asl.states["Notify"]["Catch"]] == ["Failed"]
    for name in ("Plan", "Merge", "Report"):
        assert [rule["Next"] for rule in asl.states[name]["Catch"]] == ["DescribeFailure"], name
