"""Every way through the state machine's own file, on the emulator's engine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflow.conftest import Machine

pytestmark = pytest.mark.emulator


def test_a_good_run_collects_every_region_three_times_and_reports(machine: Machine) -> None:
    ended = machine.run()
    assert (ended.status, ended.output["status"]) == ("SUCCEEDED", "collected")
    assert sorted(event["region"] for event in ended.of("price")) == ["eastus", "westus"]
    assert [len(ended.of(name)) for name in ("sps", "eviction", "merge", "report", "notify")] == [2, 2, 1, 1, 1]
    (plan,) = ended.of("plan")
    assert set(plan) == {"input", "execution_id", "execution_started_at"}
    assert plan["execution_id"].startswith("arn:aws:states:")
    assert ended.of("merge") == [{"run": ended.output["run"], "failures": [], "failure": {}}]
    (report,) = ended.of("report")
    assert len(report["collectors"]) == 6
    assert set(report) == {"run", "plan", "collectors", "merge"}
    assert ended.of("notify")[0]["error"] is None


def test_one_region_is_still_a_list(machine: Machine) -> None:
    ended = machine.run(groups=[["koreacentral"]])
    assert ended.status == "SUCCEEDED"
    assert [event["region"] for event in ended.of("sps")] == ["koreacentral"]


def test_no_region_is_a_run_too(machine: Machine) -> None:
    ended = machine.run(groups=[[]])
    assert (ended.status, ended.of("merge")[0]["failures"], ended.of("sps")) == ("SUCCEEDED", [], [])


def test_a_data_set_that_is_lost_does_not_stop_its_neighbours(machine: Machine) -> None:
    ended = machine.run(faults={"sps/eastus": "AzureUnavailableError"})
    assert ended.status == "SUCCEEDED"
    assert [len(ended.of(name)) for name in ("price", "eviction", "report")] == [2, 2, 1]
    (failure,) = ended.of("merge")[0]["failures"]
    assert {key: failure[key] for key in ("dataset", "region", "error")} == {
        "dataset": "sps",
        "region": "eastus",
        "error": "AzureUnavailableError",
    }
    assert "sps said" in failure["cause"]


def test_a_collector_that_says_failed_is_a_failure_too(machine: Machine) -> None:
    ended = machine.run(refused="price/westus")
    assert ended.of("merge")[0]["failures"] == [
        {"dataset": "spot_price", "region": "westus", "error": "UntrustedAnswerError", "cause": "empty"}
    ]


def test_a_start_while_another_run_goes_on_ends_quietly(machine: Machine) -> None:
    ended = machine.run(skip=True)
    assert (ended.status, ended.output) == ("SUCCEEDED", {"status": "skipped", "reason": "another run"})
    assert [name for name, _ in ended.calls] == ["plan"]


@pytest.mark.parametrize(
    ("given", "error", "cause", "state", "called"),
    [
        ({"faults": {"plan": "InvalidInputError"}}, "InvalidInputError", 'plan said \\"no\\"', "Plan", ["plan"]),
        ({"faults": {"merge": "TypeError"}}, "TypeError", 'merge said \\"no\\"', "Merge", ["plan", "merge"]),
        (
            {"faults": {"report": "TypeError"}},
            "TypeError",
            'report said \\"no\\"',
            "Report",
            ["plan", "merge", "history", "report"],
        ),
        (
            {"short": True},
            "CoverageError",
            "only 12.3 percent of the plan was collected; it has been merged",
            "CheckCoverage",
            ["plan", "merge", "history", "report"],
        ),
    ],
)
def test_a_failed_run_says_what_failed_and_tells_it(
    machine: Machine, given: dict[str, Any], error: str, cause: str, state: str, called: list[str]
) -> None:
    ended = machine.run(groups=[[]], **given)
    assert (ended.status, ended.error, ended.cause) == ("FAILED", error, cause)
    assert [name for name, _ in ended.calls] == [*called, "notify"]
    (told,) = ended.of("notify")
    assert (told["error"], told["cause"], told["state"]) == (error, cause, state)
    assert told["execution_id"].startswith("arn:aws:states:")


def test_a_failing_notifier_hides_nothing(machine: Machine) -> None:
    ended = machine.run(groups=[[]], short=True, faults={"notify": "TypeError"})
    assert (ended.status, ended.error) == ("FAILED", "CoverageError")


def test_a_good_run_stays_good_when_that_cannot_be_told(machine: Machine) -> None:
    ended = machine.run(groups=[[]], faults={"notify": "TypeError"})
    assert (ended.status, ended.output["status"]) == ("SUCCEEDED", "collected")


def test_a_failed_job_is_merged_reported_told_and_fails_the_run(machine: Machine) -> None:
    ended = machine.run(mode="full")  # the queue does not exist
    assert ended.status == "FAILED"
    assert [name for name, _ in ended.calls] == ["plan", "merge", "history", "report", "notify"]
    assert ended.of("notify")[0]["state"] == "FullRun"
    assert ended.error == ended.of("notify")[0]["error"]


def test_the_first_failure_is_the_one_that_is_told(machine: Machine) -> None:
    ended = machine.run(mode="full", short=True, faults={"merge": "TypeError"})
    assert ended.of("notify")[0]["state"] == "FullRun"
    assert ended.error != "TypeError"


def test_the_daily_full_run_is_an_execution_of_its_own_and_its_slot_goes_on(machine: Machine) -> None:
    ended = machine.run(start_full_run=True)
    assert (ended.status, len(ended.of("price"))) == ("SUCCEEDED", 2)
    machine.wait_for_others()
    inputs = [event["input"] for event in machine.events("plan")]
    assert inputs[1:] == [{"mode": "full", "timestamp": "2026-01-01T00:00Z"}]
    # It fails by itself (the queue does not exist), and is told by itself.
    assert [event["state"] for event in machine.events("notify") if event["error"]] == ["FullRun"]


def test_the_first_full_run_that_fails_is_replaced_by_the_map_and_still_told(machine: Machine) -> None:
    ended = machine.run(mode="full", collect_instead=True)
    assert [event["input"] for event in ended.of("plan")][1:] == [
        {"mode": "incremental", "timestamp": "2026-01-01T00:00Z", "resume": True, "past": True}
    ]
    assert [len(ended.of(name)) for name in ("sps", "price", "eviction", "merge", "report")] == [2, 2, 2, 1, 1]
    assert ended.status == "FAILED"
    assert ended.of("notify")[0]["state"] == "FullRun"
