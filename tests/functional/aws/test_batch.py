"""Batch jobs on the emulator run, end and are retried as on AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest

from spotlake_local.aws.launcher import EmulatedAws
from tests.support.emulator import (
    deploy_template,
    execute,
    log_lines,
    make_role,
    reclaim,
    statement,
    trust,
    wait_for,
)

if TYPE_CHECKING:
    from mypy_boto3_batch.client import BatchClient
    from mypy_boto3_s3.client import S3Client

pytestmark = pytest.mark.emulator
GROUP = "/test/batch"
SUBNET = {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.1.0.0/24"}}
RULES = [
    {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
    {"Action": "RETRY", "OnExitCode": "75"},
    {"Action": "EXIT", "OnReason": "*"},
]
WAITS_AT_FIRST = """
import os, signal
print("attempt", os.environ["AWS_BATCH_JOB_ATTEMPT"])
if os.environ["AWS_BATCH_JOB_ATTEMPT"] == "1":
    signal.pause()
"""


def role(*statements: Mapping[str, Any]) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    properties: dict[str, Any] = {"AssumeRolePolicyDocument": trust("ecs-tasks")}
    if statements:
        properties["Policies"] = [{"PolicyName": "inline", "PolicyDocument": document}]
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def resources() -> dict[str, Any]:
    """What the CDK makes of a job on spot machines, in small."""
    environment = {
        "Type": "MANAGED",
        "ComputeResources": {
            "Type": "SPOT",
            "MaxvCpus": 4,
            "InstanceTypes": ["m7g"],
            "Subnets": [{"Ref": "Subnet"}],
            "SecurityGroupIds": [],
        },
    }
    order = [{"Order": 1, "ComputeEnvironment": {"Fn::GetAtt": ["Environment", "ComputeEnvironmentArn"]}}]
    container = {
        "Image": "none",
        "Command": ["python", "-c", "import sys; print(sys.argv)", "Ref::word"],
        "Environment": [{"Name": "COLOUR", "Value": "blue"}],
        "JobRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {"awslogs-group": GROUP, "awslogs-stream-prefix": "test"},
        },
    }
    definition = {
        "Type": "container",
        "Parameters": {"word": "by default"},
        "RetryStrategy": {"Attempts": 4, "EvaluateOnExit": RULES},
        "Timeout": {"AttemptDurationSeconds": 60},
        "ContainerProperties": container,
    }
    return {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16"}},
        "Subnet": SUBNET,
        "Role": role(statement("s3:PutObject", resource="arn:aws:s3:::batch-mine/*")),
        "Environment": {"Type": "AWS::Batch::ComputeEnvironment", "Properties": environment},
        "Queue": {
            "Type": "AWS::Batch::JobQueue",
            "Properties": {"Priority": 1, "ComputeEnvironmentOrder": order, "JobQueueName": "queue"},
        },
        "Definition": {"Type": "AWS::Batch::JobDefinition", "Properties": definition},
    }


class Jobs:
    """Submits jobs and waits for them."""

    def __init__(self, aws: EmulatedAws, queue: str, definition: str) -> None:
        self.aws, self.queue, self.definition = aws, queue, definition
        self.client = cast("BatchClient", aws.client("batch"))

    def submit(self, script: str | None = None, **options: Any) -> str:
        if script is not None:
            overrides = options.setdefault("containerOverrides", {})
            overrides["command"] = ["python", "-c", script]
        answer = self.client.submit_job(jobName="job", jobQueue=self.queue, jobDefinition=self.definition, **options)
        return answer["jobId"]

    def look(self, job_id: str) -> dict[str, Any]:
        (job,) = self.client.describe_jobs(jobs=[job_id])["jobs"]
        return cast("dict[str, Any]", job)

    def ended(self, job_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            job = self.look(job_id)
            return job if job["status"] in ("SUCCEEDED", "FAILED") else None

        return wait_for(look, what=f"the end of job {job_id}")

    def lines(self, job_id: str) -> list[str]:
        return log_lines(self.aws, GROUP, stream=f"test/default/{job_id}")


def codes(job: Mapping[str, Any]) -> Sequence[int]:
    return [attempt["container"]["exitCode"] for attempt in job["attempts"]]


@pytest.fixture(scope="module")
def jobs(aws: EmulatedAws) -> Jobs:
    outputs = {
        "Queue": {"Fn::GetAtt": ["Queue", "JobQueueArn"]},
        "Definition": {"Ref": "Definition"},
    }
    made = deploy_template(aws, "batch", resources(), outputs)
    return Jobs(aws, made["Queue"], made["Definition"])


def test_a_template_makes_environment_queue_and_definition(jobs: Jobs) -> None:
    (queue,) = jobs.client.describe_job_queues(jobQueues=[jobs.queue])["jobQueues"]
    assert (queue["jobQueueName"], queue["priority"]) == ("queue", 1)
    (environment,) = jobs.client.describe_compute_environments(
        computeEnvironments=[queue["computeEnvironmentOrder"][0]["computeEnvironment"].rsplit("/", 1)[-1]]
    )["computeEnvironments"]
    assert environment["computeResources"]["maxvCpus"] == 4
    (definition,) = jobs.client.describe_job_definitions(jobDefinitions=[jobs.definition])["jobDefinitions"]
    assert definition["retryStrategy"]["attempts"] == 4
    assert definition["timeout"] == {"attemptDurationSeconds": 60}
    assert definition["parameters"] == {"word": "by default"}


def test_a_job_runs_the_definitions_command_with_parameters_and_logs_in_its_group(jobs: Jobs) -> None:
    usual = jobs.submit()
    asked = jobs.submit(parameters={"word": "by hand"})
    assert [jobs.ended(one)["status"] for one in (usual, asked)] == ["SUCCEEDED"] * 2
    assert jobs.lines(usual) == ["['-c', 'by default']"]
    assert jobs.lines(asked) == ["['-c', 'by hand']"]


def test_a_job_has_the_definitions_environment_and_the_overrides(jobs: Jobs) -> None:
    names = ("COLOUR", "TASTE", "AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ATTEMPT", "AWS_BATCH_JQ_NAME", "AWS_REGION")
    script = f"import os; print(*(os.environ[name] for name in {names}))"
    overrides = {"environment": [{"name": "TASTE", "value": "sweet"}]}
    job_id = jobs.submit(script, containerOverrides=overrides)
    assert jobs.ended(job_id)["status"] == "SUCCEEDED"
    assert jobs.lines(job_id) == [f"blue sweet {job_id} 1 queue us-west-2"]


def test_a_job_has_its_roles_rights_and_no_more(jobs: Jobs, aws: EmulatedAws) -> None:
    s3 = cast("S3Client", aws.client("s3"))
    for bucket in ("batch-mine", "batch-other"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    script = """
import boto3, botocore
for bucket in ("batch-mine", "batch-other"):
    try:
        boto3.client("s3").put_object(Bucket=bucket, Key="x", Body=b"x")
        print(bucket, "written")
    except botocore.exceptions.ClientError as error:
        print(bucket, error.response["Error"]["Code"])
"""
    job_id = jobs.submit(script)
    assert jobs.ended(job_id)["status"] == "SUCCEEDED"
    assert jobs.lines(job_id) == ["batch-mine written", "batch-other AccessDenied"]


def test_a_job_that_says_75_is_retried_until_it_succeeds(jobs: Jobs) -> None:
    job = jobs.ended(jobs.submit("import os, sys; sys.exit(75 if os.environ['AWS_BATCH_JOB_ATTEMPT'] < '3' else 0)"))
    assert (job["status"], codes(job)) == ("SUCCEEDED", [75, 75, 0])


def test_a_job_that_says_75_for_ever_fails_after_its_attempts(jobs: Jobs) -> None:
    job = jobs.ended(jobs.submit("raise SystemExit(75)"))
    assert (job["status"], codes(job)) == ("FAILED", [75] * 4)


def test_any_other_failure_ends_by_the_last_rule(jobs: Jobs) -> None:
    job = jobs.ended(jobs.submit("raise SystemExit(1)"))
    assert (job["status"], codes(job)) == ("FAILED", [1])


def test_a_strategy_without_rules_retries_everything(jobs: Jobs) -> None:
    job = jobs.ended(jobs.submit("raise SystemExit(1)", retryStrategy={"attempts": 2}))
    assert (job["status"], codes(job)) == ("FAILED", [1, 1])


@pytest.mark.parametrize(("grace_seconds", "code"), [(0.0, 137), (30.0, 143)])
def test_a_job_whose_host_is_taken_away_goes_on_elsewhere(jobs: Jobs, grace_seconds: float, code: int) -> None:
    job_id = jobs.submit(WAITS_AT_FIRST)
    wait_for(lambda: jobs.lines(job_id), what="the first attempt")
    assert reclaim(jobs.aws, job_id, grace_seconds=grace_seconds)
    job = jobs.ended(job_id)
    assert (job["status"], codes(job)) == ("SUCCEEDED", [code, 0])
    assert job["attempts"][0]["statusReason"].startswith("Host EC2")
    assert jobs.lines(job_id) == ["attempt 1", "attempt 2"]
    assert not reclaim(jobs.aws, job_id)


def test_an_attempt_that_takes_too_long_is_killed(jobs: Jobs) -> None:
    job_id = jobs.submit("import signal; signal.pause()", timeout={"attemptDurationSeconds": 1})
    job = jobs.ended(job_id)
    assert (job["status"], codes(job)) == ("FAILED", [137])
    assert job["statusReason"] == "Job attempt duration exceeded timeout"


def test_a_command_that_is_not_there_fails_the_job(jobs: Jobs) -> None:
    job = jobs.ended(jobs.submit(containerOverrides={"command": ["no-such-command"]}))
    assert (job["status"], codes(job)) == ("FAILED", [127])
    assert job["statusReason"].startswith("CannotStartContainerError")


def test_a_terminated_job_is_not_retried(jobs: Jobs) -> None:
    job_id = jobs.submit(WAITS_AT_FIRST, retryStrategy={"attempts": 3})
    wait_for(lambda: jobs.lines(job_id), what="the first attempt")
    jobs.client.terminate_job(jobId=job_id, reason="enough")
    job = jobs.ended(job_id)
    assert (job["status"], job["statusReason"], codes(job)) == ("FAILED", "enough", [143])


@pytest.mark.parametrize("field", ["jobQueue", "jobDefinition"])
def test_a_queue_or_definition_that_is_not_there_is_refused(jobs: Jobs, field: str) -> None:
    wanted: dict[str, Any] = {
        "jobName": "job",
        "jobQueue": jobs.queue,
        "jobDefinition": jobs.definition,
        field: "nothing",
    }
    with pytest.raises(jobs.client.exceptions.ClientException, match="does not exist"):
        jobs.client.submit_job(**wanted)


def state(jobs: Jobs, script: str, resource: str = "submitJob.sync") -> dict[str, Any]:
    parameters = {
        "JobName": "job",
        "JobQueue": jobs.queue,
        "JobDefinition": jobs.definition,
        "ContainerOverrides": {"Command": ["python", "-c", script]},
    }
    return {"Type": "Task", "Resource": f"arn:aws:states:::batch:{resource}", "Parameters": parameters, "End": True}


@pytest.fixture(scope="module")
def submitter(aws: EmulatedAws) -> str:
    return make_role(aws, "submitter", statement("batch:*"))


def test_a_workflow_gets_the_job_as_it_ended(jobs: Jobs, submitter: str) -> None:
    ended = execute(jobs.aws, "batch-good", submitter, {"Run": state(jobs, "print('from a workflow')")})
    assert (ended.status, ended.output["Status"]) == ("SUCCEEDED", "SUCCEEDED")
    assert ended.output["Attempts"][0]["Container"]["ExitCode"] == 0
    assert "from a workflow" in log_lines(jobs.aws, GROUP)


def test_a_workflow_fails_as_its_job_does(jobs: Jobs, submitter: str) -> None:
    ended = execute(jobs.aws, "batch-bad", submitter, {"Run": state(jobs, "raise SystemExit(3)")})
    assert (ended.status, ended.error) == ("FAILED", "States.TaskFailed")
    assert '"ExitCode": 3' in str(ended.cause)
