from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from cdk.constructs.workflow import definition
from cdk.settings import FUNCTION_SIZES, StackSettings
from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.workspace import ROOT

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_stepfunctions.client import SFNClient

NO_QUEUE = "arn:aws:batch:us-west-2:000000000000:job-queue/none"
STUB = Path(__file__).with_name("stub_function.py")
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Ended(NamedTuple):
    """How an execution ended, and what each function was called with."""

    status: str
    output: Any
    error: str | None
    cause: str | None
    calls: list[tuple[str, Any]]

    def of(self, function: str) -> list[Any]:
        """Events of one function."""
        return [event for name, event in self.calls if name == function]


class Machine:
    """The state machine's file over functions that do as the input says."""

    def __init__(
        self, aws: EmulatedAws, record: Path, *, queue: str = NO_QUEUE, job: str = "none", children: str = "EXPRESS"
    ) -> None:
        self._client = cast("SFNClient", aws.client("stepfunctions"))
        self._record = record
        functions = cast("LambdaClient", aws.client("lambda"))
        role = _role(cast("IAMClient", aws.client("iam")))
        text = definition(StackSettings(map_concurrency=4, map_children=children))
        for name in FUNCTION_SIZES:
            made = functions.create_function(
                FunctionName=name,
                Runtime="python3.13",
                Role=role,
                Handler="stub_function.lambda_handler",
                Code={"ZipFile": _zipped(STUB)},
                Timeout=20,
                Environment={"Variables": {"NAME": name, "RECORD": str(record)}},
            )
            text = text.replace(f"${{{name.capitalize()}FunctionArn}}", made["FunctionArn"])
        text = text.replace("${JobQueueArn}", queue).replace("${JobDefinitionArn}", job)
        self._arn = self._client.create_state_machine(name="collector", definition=text, roleArn=role)[
            "stateMachineArn"
        ]

    def run(self, **given: Any) -> Ended:
        """Run once; ``faults`` maps "function" or "function/region" to an error's name."""
        self._record.write_text("")
        started = self._client.start_execution(stateMachineArn=self._arn, input=json.dumps(given))
        deadline = time.monotonic() + 60
        while (ended := self._client.describe_execution(executionArn=started["executionArn"]))[
            "status"
        ] == "RUNNING" and time.monotonic() < deadline:
            time.sleep(0.05)
        calls = self._calls()
        output = json.loads(ended["output"]) if ended["status"] == "SUCCEEDED" else None
        return Ended(ended["status"], output, ended.get("error"), ended.get("cause"), calls)

    def wait_for_others(self) -> None:
        """Wait for executions that another one has started."""
        deadline = time.monotonic() + 60
        while (
            time.monotonic() < deadline
            and self._client.list_executions(stateMachineArn=self._arn, statusFilter="RUNNING")["executions"]
        ):
            time.sleep(0.05)

    def events(self, function: str) -> list[Any]:
        """Events of one function, in all executions since the last ``run``."""
        return [event for name, event in self._calls() if name == function]

    def _calls(self) -> list[tuple[str, Any]]:
        return [tuple(json.loads(line)) for line in self._record.read_text().splitlines()]


def _role(client: IAMClient) -> str:
    trust = {"Version": "2012-10-17", "Statement": []}
    role = client.create_role(RoleName="all", AssumeRolePolicyDocument=json.dumps(trust))
    client.put_role_policy(RoleName="all", PolicyName="all", PolicyDocument=json.dumps(ALLOW))
    return role["Role"]["Arn"]


def _zipped(path: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(path, path.name)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with EmulatedAws.start(None, lambda_python=lambda_python(ROOT)) as aws:
        yield Machine(aws, tmp_path_factory.mktemp("machine") / "calls.jsonl")


@pytest.fixture(scope="session")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with EmulatedAws.start(None, lambda_python=lambda_python(ROOT)) as aws:
        yield Machine(aws, tmp_path_factory.mktemp("standard") / "calls.jsonl", children="STANDARD")
