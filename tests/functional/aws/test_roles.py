"""Rights on the emulator: what IAM refuses on AWS is refused here, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from spotlake_local.aws.launcher import EmulatedAws
from tests.support.emulator import client_as, execute, make_function, make_role, policy, statement

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_s3.client import S3Client

pytestmark = pytest.mark.emulator


def test_a_bucket_that_wants_tls_is_open_to_those_who_may(aws: EmulatedAws) -> None:
    root = cast("S3Client", aws.client("s3"))
    root.create_bucket(Bucket="tls-only", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    deny: dict[str, Any] = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::tls-only", "arn:aws:s3:::tls-only/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    root.put_bucket_policy(Bucket="tls-only", Policy=policy(deny))
    writer = make_role(aws, "tls-writer", statement("s3:PutObject"))
    reader = make_role(aws, "tls-reader", statement("s3:GetObject"))
    client_as(aws, writer, "s3").put_object(Bucket="tls-only", Key="x", Body=b"x")
    assert client_as(aws, reader, "s3").get_object(Bucket="tls-only", Key="x")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="AccessDenied"):
        client_as(aws, reader, "s3").put_object(Bucket="tls-only", Key="x", Body=b"y")


def test_a_workflow_without_the_right_to_invoke_is_refused(aws: EmulatedAws) -> None:
    arn = make_function(aws, "invoked", "def handler(event, context): return 'done'")
    allowed = make_role(aws, "may-invoke", statement("lambda:InvokeFunction", resource=arn))
    other = make_role(aws, "may-invoke-other", statement("lambda:InvokeFunction", resource=arn + "-other"))
    bounded = make_role(aws, "may-invoke-but", statement("lambda:InvokeFunction", resource=arn))
    iam = cast("IAMClient", aws.client("iam"))
    limit = iam.create_policy(PolicyName="reads", PolicyDocument=policy(statement("s3:GetObject")))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="may-invoke-but", PermissionsBoundary=limit)
    direct = {"Type": "Task", "Resource": arn, "End": True}
    service = {**direct, "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": arn}}
    for way, state in (("direct", direct), ("service", service)):
        assert execute(aws, f"{way}-allowed", allowed, {"Run": state}).status == "SUCCEEDED"
        for name, role in (("other", other), ("bounded", bounded)):
            ended = execute(aws, f"{way}-{name}", role, {"Run": state})
            assert (ended.status, ended.error) == ("FAILED", "Lambda.AccessDeniedException")
            assert "lambda:InvokeFunction" in str(ended.cause)


def test_a_workflow_without_the_right_to_submit_is_refused(aws: EmulatedAws) -> None:
    role = make_role(aws, "may-not-submit", statement("lambda:*"))
    parameters = {"JobName": "job", "JobQueue": "queue", "JobDefinition": "definition"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob", "Parameters": parameters, "End": True}
    assert execute(aws, "no-submit", role, {"Run": state}).error == "Batch.AccessDeniedException"


def test_partiql_is_allowed_by_its_own_actions(aws: EmulatedAws) -> None:
    root = cast("DynamoDBClient", aws.client("dynamodb"))
    for name in ("partiql-mine", "partiql-other"):
        root.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    mine = "arn:aws:dynamodb:us-west-2:000000000000:table/partiql-mine"
    client = client_as(aws, make_role(aws, "inserter", statement("dynamodb:PartiQLInsert", resource=mine)), "dynamodb")

    def run(*texts: str) -> list[Any]:
        return cast(
            "list[Any]", client.batch_execute_statement(Statements=[{"Statement": one} for one in texts])["Responses"]
        )

    insert = "INSERT INTO \"{}\" VALUE {{'k': '{}'}}"
    assert not any(
        "Error" in one for one in run(insert.format("partiql-mine", "a"), insert.format("partiql-mine", "b"))
    )
    delete = "DELETE FROM \"partiql-mine\" WHERE k='a'"
    for refused in (insert.format("partiql-other", "a"), delete):
        with pytest.raises(ClientError, match="AccessDenied"):
            run(insert.format("partiql-mine", "c"), refused)
    assert root.scan(TableName="partiql-mine", Select="COUNT")["Count"] == 2
