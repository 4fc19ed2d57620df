"""Whether a claim's owner still runs: what cannot be told is never taken for an answer."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from spotlake.errors import StoreError
from spotlake.stores.executions import is_running

ARN = "arn:aws:states:us-west-2:000000000000:execution:collector:one"


def stubbed(**answer: str) -> tuple[object, Stubber]:
    client = boto3.client("stepfunctions", region_name="us-west-2", aws_access_key_id="a", aws_secret_access_key="b")
    stub = Stubber(client)
    if "error" in answer:
        stub.add_client_error("describe_execution", answer["error"])
    else:
        found = {"executionArn": ARN, "stateMachineArn": ARN, "startDate": 0, "status": answer["status"]}
        stub.add_response("describe_execution", found)
    stub.activate()
    return client, stub


@pytest.mark.parametrize(("status", "running"), [("RUNNING", True), ("SUCCEEDED", False), ("ABORTED", False)])
def test_only_a_running_execution_holds_its_claim(status: str, running: bool) -> None:
    client, _ = stubbed(status=status)
    assert is_running(client, ARN) is running  # type: ignore[arg-type]


def test_one_that_nobody_remembers_holds_nothing() -> None:
    client, _ = stubbed(error="ExecutionDoesNotExist")
    assert is_running(client, ARN) is False  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_what_cannot_be_told_is_a_store_error_that_plan_is_tried_again_for(code: str) -> None:
    client, _ = stubbed(error=code)
    with pytest.raises(StoreError, match="cannot find out whether"):
        is_running(client, ARN)  # type: ignore[arg-type]
