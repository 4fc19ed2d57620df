"""Whether a claim's owner still runs: what cannot be told is never taken for an answer."""

from __future__ import annotations

import pytest

from spotlake.errors import StoreError
from spotlake.stores.executions import is_running
from tests.support.errors import says
from tests.support.stubs import Stubbed, unreachable

ARN = "arn:aws:states:us-west-2:000000000000:execution:collector:one"
ASKED = {"executionArn": ARN}


@pytest.mark.parametrize(
    ("status", "running"), [("RUNNING", True), ("SUCCEEDED", False), ("ABORTED", False), ("PENDING_REDRIVE", False)]
)
def test_only_a_running_execution_holds_its_claim(status: str, running: bool) -> None:
    found = {"executionArn": ARN, "stateMachineArn": ARN, "startDate": 0, "status": status}
    with Stubbed("stepfunctions").answers("describe_execution", ASKED, found) as states:
        assert is_running(states.client, ARN) is running


def test_one_that_nobody_remembers_holds_nothing() -> None:
    with Stubbed("stepfunctions").refuses("describe_execution", ASKED, "ExecutionDoesNotExist") as states:
        assert is_running(states.client, ARN) is False


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "InvalidArn"])
def test_what_cannot_be_told_is_a_store_error_that_plan_is_tried_again_for(code: str) -> None:
    states = Stubbed("stepfunctions").refuses("describe_execution", ASKED, code)
    with states, says(StoreError, f"cannot find out whether {ARN} still runs: {code}"):
        is_running(states.client, ARN)


def test_step_functions_out_of_reach_says_nothing_of_an_execution() -> None:
    said = f"cannot find out whether {ARN} still runs: EndpointConnectionError"
    with unreachable("stepfunctions") as client, says(StoreError, said):
        is_running(client, ARN)
