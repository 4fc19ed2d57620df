"""An emulated AWS for tests: one process a session, and small things to put on it."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import REGION, EmulatedAws
from spotlake_local.aws.patches.batch import RECLAIM_PATH
from spotlake_local.aws.roles import credentials_of_role
from spotlake_local.workspace import ROOT

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_logs.client import CloudWatchLogsClient
    from mypy_boto3_stepfunctions.client import SFNClient

_PATIENCE_SECONDS = 60.0  # only a failing test waits so long
_POLL_SECONDS = 0.05


@pytest.fixture(scope="session")
def aws() -> Iterator[EmulatedAws]:
    with start_emulator() as running:
        yield running


@contextmanager
def start_emulator(state: Path | None = None) -> Iterator[EmulatedAws]:
    """An emulator as local runs have it, without packages for Batch jobs."""
    with EmulatedAws.start(state, lambda_python=lambda_python(ROOT)) as running:
        yield running


def wait_for[T](look: Callable[[], T | None], *, what: str, patience_seconds: float = _PATIENCE_SECONDS) -> T:
    """The first true value of ``look``; fails with ``what`` when there never is one."""
    give_up_at = time.monotonic() + patience_seconds
    while time.monotonic() < give_up_at:
        if found := look():
            return found
        time.sleep(_POLL_SECONDS)
    pytest.fail(f"waited {patience_seconds:.0f} s in vain for {what}")


# -- what is put on it ----------------------------------------------------------------------------


def statement(*actions: str, resource: str = "*", effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Action": list(actions), "Resource": resource}


def policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(*services: str) -> str:
    principal = {"Service": [f"{service}.amazonaws.com" for service in services]}
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def make_role(aws: EmulatedAws, name: str, *statements: Mapping[str, Any]) -> str:
    """A role with one inline policy (none without statements); returns its ARN."""
    iam = cast("IAMClient", aws.client("iam"))
    services = ("lambda", "states", "scheduler", "ecs-tasks")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(*services))["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy(*statements))
    return arn


def deploy_template(
    aws: EmulatedAws, name: str, resources: Mapping[str, Any], outputs: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Create a stack from resources; returns its outputs."""
    client = cast("CloudFormationClient", aws.client("cloudformation"))
    template = {"Resources": resources, "Outputs": {key: {"Value": value} for key, value in (outputs or {}).items()}}
    client.create_stack(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"])
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}


def zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return buffer.getvalue()


def make_function(aws: EmulatedAws, name: str, code: str, *, layers: tuple[bytes, ...] = (), role: str = "") -> str:
    """A function whose ``code`` defines ``handler(event, context)``; returns its ARN."""
    client = cast("LambdaClient", aws.client("lambda"))
    versions = [
        client.publish_layer_version(LayerName=f"{name}-{number}", Content={"ZipFile": body})["LayerVersionArn"]
        for number, body in enumerate(layers)
    ]
    made = client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role or make_role(aws, f"{name}-role"),
        Handler="index.handler",
        Code={"ZipFile": zipped({"index.py": code})},
        Layers=versions,
        Timeout=30,
    )
    return made["FunctionArn"]


# -- what is done with it -------------------------------------------------------------------------


def invoke(aws: EmulatedAws, function: str, event: Mapping[str, Any] | None = None) -> tuple[Any, str | None]:
    """A function's answer, and the kind of its error if it had one."""
    client = cast("LambdaClient", aws.client("lambda"))
    answer = client.invoke(FunctionName=function, Payload=json.dumps(event or {}))
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


@dataclass(frozen=True)
class Ended:
    """How an execution ended."""

    status: str
    output: Any
    error: str | None
    cause: str | None


def execute(aws: EmulatedAws, name: str, role: str, states: Mapping[str, Any]) -> Ended:
    """Make a state machine of these states, the first one first, and run it."""
    client = cast("SFNClient", aws.client("stepfunctions"))
    definition = {"StartAt": next(iter(states)), "States": states}
    machine = client.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)
    started = client.start_execution(stateMachineArn=machine["stateMachineArn"], input="{}")

    def ended() -> Any:
        seen = client.describe_execution(executionArn=started["executionArn"])
        return None if seen["status"] == "RUNNING" else seen

    seen = wait_for(ended, what=f"the execution of {name}")
    output = json.loads(seen["output"]) if "output" in seen else None
    return Ended(seen["status"], output, seen.get("error"), seen.get("cause"))


def log_lines(aws: EmulatedAws, group: str, *, stream: str = "") -> list[str]:
    """Every line of a log group, or of one stream; none when there is no such group or stream."""
    client = cast("CloudWatchLogsClient", aws.client("logs"))
    only: dict[str, Any] = {"logStreamNames": [stream]} if stream else {}
    try:
        return [event["message"] for event in client.filter_log_events(logGroupName=group, **only)["events"]]
    except client.exceptions.ResourceNotFoundException:
        return []


def client_as(aws: EmulatedAws, role_arn: str, service: str, *, region: str = REGION) -> Any:
    """A client with a session of a role."""
    given = credentials_of_role(aws, role_arn)
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=aws.endpoint_url,
        region_name=region,
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=given["AWS_SESSION_TOKEN"],
    )


def reclaim(aws: EmulatedAws, job_id: str, *, grace_seconds: float = 0.0) -> bool:
    """Take away the host of a Batch job; whether it was running."""
    url, body = aws.endpoint_url + RECLAIM_PATH, json.dumps({"jobId": job_id, "graceSeconds": grace_seconds})
    request = AWSRequest("POST", url, data=body)
    credentials = aws.session().get_credentials()
    assert credentials is not None
    SigV4Auth(credentials, "batch", REGION).add_auth(request)
    answer = requests.post(url, data=body, headers=dict(request.headers), timeout=10)
    answer.raise_for_status()
    return bool(answer.json()["stopped"])
