"""Schedules and metrics on the emulator: attributes are filled in, roles count, EMF becomes metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from spotlake_local.aws.launcher import EmulatedAws
from tests.support.emulator import invoke, make_function, make_role, statement, wait_for

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_scheduler.client import EventBridgeSchedulerClient
    from mypy_boto3_stepfunctions.client import SFNClient

pytestmark = pytest.mark.emulator
ATTRIBUTES = ("scheduled-time", "schedule-arn", "execution-id", "attempt-number")


def test_a_schedule_fills_in_its_attributes_and_needs_its_role(aws: EmulatedAws) -> None:
    workflows = cast("SFNClient", aws.client("stepfunctions"))
    schedules = cast("EventBridgeSchedulerClient", aws.client("scheduler"))
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    roles = {
        "refused": make_role(aws, "scheduler-refused", statement("states:StopExecution")),
        "allowed": make_role(aws, "scheduler-allowed", statement("states:StartExecution")),
    }
    machines = {
        name: workflows.create_state_machine(name=f"scheduled-{name}", definition=definition, roleArn=role)[
            "stateMachineArn"
        ]
        for name, role in roles.items()
    }
    text = json.dumps({name: f"<aws.scheduler.{name}>" for name in ATTRIBUTES})
    for name, arn in machines.items():  # the refused one comes first, and so is due first
        schedules.create_schedule(
            Name=name,
            ScheduleExpression="at(2020-01-01T00:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn, "RoleArn": roles[name], "Input": text},
        )
    (execution,) = wait_for(
        lambda: workflows.list_executions(stateMachineArn=machines["allowed"])["executions"], what="the schedule"
    )
    filled = json.loads(workflows.describe_execution(executionArn=execution["executionArn"])["input"])
    scheduled_at = datetime.strptime(filled["scheduled-time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert scheduled_at.second == 0
    assert timedelta() <= execution["startDate"] - scheduled_at < timedelta(minutes=2)
    assert filled["schedule-arn"] == schedules.get_schedule(Name="allowed")["Arn"]
    assert filled["attempt-number"] == "1"
    assert len(filled["execution-id"]) == 36
    assert workflows.list_executions(stateMachineArn=machines["refused"])["executions"] == []
    assert f"AccessDenied: {roles['refused']} may not perform states:StartExecution" in aws.log_file.read_text()


def test_a_record_of_emf_becomes_metrics_and_another_line_does_not(aws: EmulatedAws) -> None:
    metrics = [{"Name": "Calls", "Unit": "Count"}, {"Name": "Waits", "Unit": "Seconds"}]
    directive = {"Namespace": "Emulated", "Dimensions": [["Kind"]], "Metrics": metrics}
    record: dict[str, Any] = {
        "_aws": {"Timestamp": 0, "CloudWatchMetrics": [directive]},
        "Kind": "test",
        "Calls": 3,
        "Waits": [1.5, 2.5],
    }
    code = "def handler(event, context):\n    for line in event['lines']:\n        print(line, flush=True)"
    make_function(aws, "measures", code)
    broken = json.dumps({"_aws": {"CloudWatchMetrics": [{"Namespace": "Emulated"}]}})
    _, error = invoke(aws, "measures", {"lines": [json.dumps(record), broken, 'not "CloudWatchMetrics"', "{}"]})
    assert error is None
    client = cast("CloudWatchClient", aws.client("cloudwatch"))
    now = datetime.now(UTC)

    def sum_of(name: str) -> float:
        points = client.get_metric_statistics(
            Namespace="Emulated",
            MetricName=name,
            Dimensions=[{"Name": "Kind", "Value": "test"}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=10),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(point["Sum"] for point in points)

    assert (sum_of("Calls"), sum_of("Waits")) == (3, 4)
    assert {one["MetricName"] for one in client.list_metrics(Namespace="Emulated")["Metrics"]} == {"Calls", "Waits"}
