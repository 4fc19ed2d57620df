"""Makes what exists outside the stack: production's bucket with its configuration, and the table AzureAuth."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from spotlake.settings import Settings
from spotlake_local.aws.launcher import REGION, EmulatedAws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_stepfunctions.client import SFNClient


def seed_production(aws: EmulatedAws, settings: Settings, objects: Mapping[str, bytes]) -> None:
    """Make production's bucket and its configuration objects. A second call changes nothing."""
    s3 = cast("S3Client", aws.client("s3"))
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=settings.read_bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key, body in objects.items():
        s3.put_object(Bucket=settings.read_bucket, Key=key, Body=body)


def seed_credentials(
    aws: EmulatedAws,
    settings: Settings,
    *,
    tenant_id: str,
    client_id: str,
    client_secret: str,
    subscriptions: Sequence[str],
) -> None:
    """Make the table AzureAuth in its region and put the item, in production's own form."""
    client = cast("DynamoDBClient", aws.client("dynamodb", region=settings.auth_region))
    with contextlib.suppress(client.exceptions.ResourceInUseException):
        client.create_table(
            TableName=settings.auth_table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    data = {
        "tenant_id": tenant_id,
        "client_id": client_id,
        "client_secret": client_secret,
        "subscriptions": ", ".join(subscriptions),  # blanks occur in production
    }
    fields = {name: {"S": value} for name, value in data.items()}
    client.put_item(TableName=settings.auth_table, Item={"id": {"S": settings.auth_item}, "data": {"M": fields}})


def stop_leftover_executions(aws: EmulatedAws) -> int:
    """Abort executions that a killed local run left RUNNING in the saved state. Returns their number."""
    client = cast("SFNClient", aws.client("stepfunctions"))
    stopped = 0
    for machine in client.list_state_machines()["stateMachines"]:
        running = client.list_executions(stateMachineArn=machine["stateMachineArn"], statusFilter="RUNNING")
        for execution in running["executions"]:
            try:
                client.stop_execution(executionArn=execution["executionArn"], cause="left over by an earlier run")
                stopped += 1
            except ClientError:
                continue
    return stopped
