"""Every role of the deployed stack tries to write to production on the emulated AWS, rights enforced."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from spotlake.settings import Settings
from spotlake_local.aws.deploy import deploy_assembly
from spotlake_local.aws.launcher import REGION, EmulatedAws
from spotlake_local.aws.roles import credentials_of_role
from spotlake_local.aws.seed import seed_credentials, seed_production
from tests.support.assembly import synthesise_here
from tests.support.emulator import start_emulator

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_s3.client import S3Client

STACK = "spotlake-azure-test"
KEY = "rawdata/azure/localfile/sps_metadata.yaml"
ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
DENIED = {"AccessDenied", "AccessDeniedException"}
type Attempt = Callable[["Clients"], Any]


class Clients:
    """What code of a role has."""

    def __init__(self, aws: EmulatedAws, role_arn: str) -> None:
        given = credentials_of_role(aws, role_arn)
        session = boto3.Session(
            given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"], given["AWS_SESSION_TOKEN"], region_name=REGION
        )
        self.s3: S3Client = session.client("s3", endpoint_url=aws.endpoint_url, region_name=REGION)
        self.near: DynamoDBClient = session.client("dynamodb", endpoint_url=aws.endpoint_url, region_name=REGION)
        # Production's credentials lie in another region.
        self.far: DynamoDBClient = session.client("dynamodb", endpoint_url=aws.endpoint_url, region_name="us-east-1")


def table_writes(client: str, table: str, key: dict[str, Any]) -> dict[str, Attempt]:
    def of(clients: Clients) -> DynamoDBClient:
        return cast("DynamoDBClient", getattr(clients, client))

    batch: Any = {table: [{"PutRequest": {"Item": key}}]}
    ((name, value),) = list(key.items())[:1]
    statement = f"INSERT INTO \"{table}\" VALUE {{'{name}': ?}}"
    return {
        f"{table} PutItem": lambda one: of(one).put_item(TableName=table, Item=key),
        f"{table} UpdateItem": lambda one: of(one).update_item(TableName=table, Key=key),
        f"{table} DeleteItem": lambda one: of(one).delete_item(TableName=table, Key=key),
        f"{table} BatchWriteItem": lambda one: of(one).batch_write_item(RequestItems=batch),
        f"{table} PartiQLInsert": lambda one: of(one).execute_statement(Statement=statement, Parameters=[value]),
        f"{table} DeleteTable": lambda one: of(one).delete_table(TableName=table),
    }


ATTEMPTS: dict[str, Attempt] = {
    "spotlake PutObject": lambda one: one.s3.put_object(Bucket="spotlake", Key=KEY, Body=b"desired_count_index: 0"),
    "spotlake DeleteObject": lambda one: one.s3.delete_object(Bucket="spotlake", Key=KEY),
    "spotlake PutObjectTagging": lambda one: one.s3.put_object_tagging(
        Bucket="spotlake", Key=KEY, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    ),
    "spotlake DeleteBucket": lambda one: one.s3.delete_bucket(Bucket="spotlake"),
    **table_writes("near", "azure", {"id": {"S": "x"}}),
    **table_writes("far", "AzureAuth", {"id": {"S": "x"}}),
}


def succeeded(clients: Clients) -> list[str]:
    """Which writes were not refused for want of rights."""
    found = []
    for name, attempt in ATTEMPTS.items():
        try:
            attempt(clients)
        except ClientError as error:
            if error.response["Error"]["Code"] in DENIED:
                continue
        found.append(name)
    return found


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedAws]:
    folder: Path = tmp_path_factory.mktemp("isolated")
    with start_emulator() as aws:
        seed_production(aws, Settings(), {KEY: b"desired_count_index: 3\n"})
        seed_credentials(
            aws,
            Settings(),
            tenant_id="tenant",
            client_id="client",
            client_secret="never-to-be-seen",
            subscriptions=["s"],
        )
        near = cast("DynamoDBClient", aws.client("dynamodb"))
        near.create_table(
            TableName="azure",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        synthesise_here(folder / "cdk.out", {"image_uri": "local/full-run:not-built"})
        deploy_assembly(aws, folder / "cdk.out", STACK)
        yield aws


def roles(aws: EmulatedAws) -> dict[str, str]:
    client = cast("IAMClient", aws.client("iam"))
    return {one["RoleName"]: one["Arn"] for one in client.list_roles()["Roles"] if one["RoleName"].startswith(STACK)}


def test_every_role_is_refused_every_write_and_production_is_as_it_was(deployed: EmulatedAws) -> None:
    known = roles(deployed)
    parts = ("plan", "sps", "price", "eviction", "merge", "report", "notify", "Schedule", "Workflow", "JobRole")
    assert [part for part in parts if not any(part in name for name in known)] == []
    assert {name: found for name, arn in known.items() if (found := succeeded(Clients(deployed, arn)))} == {}
    s3 = cast("S3Client", deployed.client("s3"))
    assert s3.get_object(Bucket="spotlake", Key=KEY)["Body"].read() == b"desired_count_index: 3\n"
    near = cast("DynamoDBClient", deployed.client("dynamodb"))
    assert near.scan(TableName="azure")["Count"] == 0


def test_a_role_that_was_widened_is_held_by_the_boundary_and_without_it_is_noticed(deployed: EmulatedAws) -> None:
    iam = cast("IAMClient", deployed.client("iam"))
    (name,) = [one for one in roles(deployed) if "Functionsprice" in one]
    arn = roles(deployed)[name]
    boundary = iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
    iam.put_role_policy(RoleName=name, PolicyName="careless", PolicyDocument=json.dumps(ALLOW_ALL))
    try:
        assert succeeded(Clients(deployed, arn)) == []
        iam.delete_role_permissions_boundary(RoleName=name)
        found = succeeded(Clients(deployed, arn))
        assert {"spotlake PutObject", "azure PutItem", "AzureAuth PutItem"} <= set(found)
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="careless")
        iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
