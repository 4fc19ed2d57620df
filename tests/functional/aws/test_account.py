"""What the patched emulator has of an account besides: quotas, families, a judge of definitions, builds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, WaiterError

from spotlake_local.aws.launcher import ACCOUNT, REGION, EmulatedAws
from spotlake_local.aws.patches.account import ACCOUNT_PARAMETER
from tests.support.emulator import deploy_template, log_lines, make_role, statement

pytestmark = pytest.mark.emulator
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


@pytest.fixture
def poor(aws: EmulatedAws) -> Iterator[Any]:
    """Makes the account poor for one test."""
    ssm = cast("Any", aws.client("ssm"))

    def make(**account: Any) -> None:
        ssm.put_parameter(Name=ACCOUNT_PARAMETER, Value=json.dumps(account), Type="String", Overwrite=True)

    yield make
    make()


def test_quotas_and_families_are_those_of_the_account(aws: EmulatedAws, poor: Any) -> None:
    quotas, ec2, functions = (cast("Any", aws.client(name)) for name in ("service-quotas", "ec2", "lambda"))

    def seen() -> tuple[float, set[str], int]:
        offered = ec2.describe_instance_type_offerings()["InstanceTypeOfferings"]
        return (
            quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-34B43A08")["Quota"]["Value"],
            {one["InstanceType"].partition(".")[0] for one in offered},
            functions.get_account_settings()["AccountLimit"]["ConcurrentExecutions"],
        )

    assert seen() == (64.0, {"m6g", "c6g", "r6g", "c7g", "m6i", "c6i", "r6i", "c7i"}, 1000)
    poor(spot_vcpus=0, families=["t3"], lambdas=10)
    assert seen() == (0.0, {"t3"}, 10)


def test_a_definition_is_judged(aws: EmulatedAws) -> None:
    client = cast("Any", aws.client("stepfunctions"))
    states: Any = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}
    good, bad = (json.dumps({"StartAt": "A", "States": one}) for one in (states, {"A": states["A"]}))
    assert client.validate_state_machine_definition(definition=good)["result"] == "OK"
    answer = client.validate_state_machine_definition(definition=bad)
    assert (answer["result"], answer["diagnostics"][0]["severity"]) == ("FAIL", "ERROR")


def build(aws: EmulatedAws, name: str, *rights: Any) -> Any:
    """A project that pushes to a repository of its name, built once with a role of these rights."""
    codebuild = cast("Any", aws.client("codebuild"))
    variables = [{"name": "REPOSITORY", "value": f"{REGISTRY}/{name}"}, {"name": "TAG", "value": "abc"}]
    codebuild.create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": "{}"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "any",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": variables,
        },
        serviceRole=make_role(aws, f"{name}-role", *rights),
    )
    return codebuild.start_build(projectName=name)["build"]


def test_a_build_pushes_what_its_role_may_push_and_nothing_else(aws: EmulatedAws, poor: Any) -> None:
    ecr = cast("Any", aws.client("ecr"))
    for name in ("built", "barred", "failing"):
        ecr.create_repository(repositoryName=name)
    push = statement("ecr:PutImage", resource=f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/built")
    built, barred = build(aws, "built", push), build(aws, "barred", push)
    poor(build="FAILED")
    failing = build(aws, "failing", statement("ecr:PutImage"))
    assert [one["buildStatus"] for one in (built, barred, failing)] == ["SUCCEEDED", "FAILED", "FAILED"]
    assert log_lines(aws, "/aws/codebuild/built")[-1] == f"pushed {REGISTRY}/built:abc"
    assert "may not push" in log_lines(aws, "/aws/codebuild/barred")[-1]
    (image,) = ecr.describe_images(repositoryName="built")["imageDetails"]
    assert image["imageTags"] == ["abc"]
    assert ecr.describe_images(repositoryName="barred")["imageDetails"] == []


BUCKET = {"Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "stayed"}}}


def test_a_bucket_that_stayed_is_adopted_and_one_that_is_not_asked_for_is_refused(aws: EmulatedAws) -> None:
    client = cast("Any", aws.client("cloudformation"))
    deploy_template(aws, "first", BUCKET)
    client.delete_stack(StackName="first")
    client.get_waiter("stack_delete_complete").wait(StackName="first", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    body = json.dumps({"Resources": BUCKET})
    made = client.create_change_set(
        StackName="second",
        ChangeSetName="adopt",
        ChangeSetType="CREATE",
        TemplateBody=body,
        ImportExistingResources=True,
    )
    client.execute_change_set(ChangeSetName=made["Id"])
    client.get_waiter("stack_create_complete").wait(StackName="second", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    with pytest.raises(WaiterError, match="ROLLBACK_COMPLETE"):
        deploy_template(aws, "third", BUCKET)


def test_a_budget_comes_and_goes_with_its_stack(aws: EmulatedAws) -> None:
    budget = {"BudgetName": "month", "BudgetType": "COST", "TimeUnit": "MONTHLY"}
    limit = {"BudgetLimit": {"Amount": 25, "Unit": "USD"}}
    deploy_template(
        aws, "spending", {"Month": {"Type": "AWS::Budgets::Budget", "Properties": {"Budget": budget | limit}}}
    )
    client = cast("Any", aws.client("budgets"))
    found = client.describe_budget(AccountId=ACCOUNT, BudgetName="month")["Budget"]
    assert float(found["BudgetLimit"]["Amount"]) == 25
    cloudformation = cast("Any", aws.client("cloudformation"))
    cloudformation.delete_stack(StackName="spending")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="spending", WaiterConfig={"Delay": 1})
    with pytest.raises(ClientError, match="NotFound"):
        client.describe_budget(AccountId=ACCOUNT, BudgetName="month")
