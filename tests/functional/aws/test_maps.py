"""Distributed Maps on the emulator: JSONata as on AWS, and children that are executions of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from spotlake_local.aws.launcher import EmulatedAws
from tests.support.emulator import execute, make_function, make_role, statement, wait_for

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

pytestmark = pytest.mark.emulator

BEGIN = {"Type": "Pass", "QueryLanguage": "JSONata", "Assign": {"items": [1, 2], "outer": "seen"}, "Next": "Each"}


def the_map(inner: Any, **more: Any) -> dict[str, Any]:
    """A Map over ``$items``, with one state in each child."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": "Inner",
        "States": {"Inner": {"QueryLanguage": "JSONata", "End": True, **inner}},
    }
    each = {
        "Type": "Map",
        "QueryLanguage": "JSONata",
        "Label": "each",
        "Items": "{% [$items] %}",
        "ItemSelector": {"value": "{% $states.context.Map.Item.Value %}", "of": "{% $outer %}"},
        "ItemProcessor": processor,
        "End": True,
    }
    return {"Begin": BEGIN, "Each": {**each, **more}}


@pytest.fixture(scope="module")
def role(aws: EmulatedAws) -> str:
    return make_role(aws, "maps", statement("states:StartExecution"), statement("lambda:InvokeFunction"))


def test_items_are_made_and_results_kept_by_jsonata(aws: EmulatedAws, role: str) -> None:
    inner = {"Type": "Pass", "Output": "{% $states.input.of & $string($states.input.value) %}"}
    last = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $kept %}", "End": True}
    states = the_map(inner, Assign={"kept": "{% $join($states.result, '+') %}"}, Next="Last")
    del states["Each"]["End"]
    ended = execute(aws, "maps-jsonata", role, {**states, "Last": last})
    assert (ended.status, ended.output) == ("SUCCEEDED", "seen1+seen2")


def test_a_child_sees_no_variable_of_its_parent(aws: EmulatedAws, role: str) -> None:
    ended = execute(aws, "maps-outer", role, the_map({"Type": "Pass", "Output": "{% $outer %}"}))
    assert (ended.status, ended.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")


def test_a_child_has_a_name_of_its_own(aws: EmulatedAws, role: str) -> None:
    inner = {"Type": "Pass", "Output": "{% $states.context.Execution.Id %}"}
    ended = execute(aws, "maps-name", role, the_map(inner))
    assert len(set(ended.output)) == 2
    assert all(":execution:maps-name/each:" in one for one in ended.output)


def test_a_machine_that_may_not_start_itself_starts_no_child(aws: EmulatedAws) -> None:
    role = make_role(aws, "maps-may-not", statement("states:StartExecution", resource="*other"))
    ended = execute(aws, "maps-refused", role, the_map({"Type": "Pass"}))
    assert ended.status == "FAILED"
    assert "states:StartExecution" in str(ended.cause)


def test_a_child_that_is_stopped_ends_and_the_others_do_not(aws: EmulatedAws, role: str) -> None:
    code = "import time\ndef handler(event, context):\n    time.sleep(20 * (event['value'] == 1))\n    return event"
    function = make_function(aws, "maps-sleeper", code)
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": "{% $states.input %}"},
        "Output": "{% $states.result.Payload.value %}",
    }
    client = cast("SFNClient", aws.client("stepfunctions"))
    first = the_map(task, ToleratedFailurePercentage=100)
    body = {"StartAt": "Begin", "States": first}
    machine = client.create_state_machine(name="maps-stopped", definition=json.dumps(body), roleArn=role)
    arn = client.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]

    def one_left() -> str | None:
        runs = client.list_map_runs(executionArn=arn)["mapRuns"]
        children = client.list_executions(mapRunArn=runs[0]["mapRunArn"])["executions"] if runs else []
        left = [one["executionArn"] for one in children if one["status"] == "RUNNING"]
        return left[0] if len(children) == 2 and len(left) == 1 else None

    client.stop_execution(executionArn=wait_for(one_left, what="the child that sleeps"))
    ended = wait_for(
        lambda: (seen := client.describe_execution(executionArn=arn))["status"] != "RUNNING" and seen,
        what="the end of the Map",
        patience_seconds=15,
    )
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", [None, 2])
