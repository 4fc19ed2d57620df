from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from spotlake.errors import ConfigurationError
from spotlake_local.aws import patches
from spotlake_local.aws.launcher import EmulatedAws
from tests.support.emulator import deploy_template, start_emulator

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

ITEM: Any = {
    "InstanceType": {"S": "Standard_D2_v5"},
    "Spelt": {"S": "서울 \udcff é".encode("utf-8", "replace").decode()},
    "Body": {"B": bytes(range(256))},
    "Price": {"N": "0.096"},
    "Scores": {"M": {"1": {"M": {"s": {"N": "3"}}}}},
    "Zones": {"SS": ["1", "2"]},
    "Many": {"L": [{"NULL": True}, {"BOOL": False}]},
}
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "TableName": "kept",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "InstanceType", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "InstanceType", "AttributeType": "S"}],
    },
}


def fill(aws: EmulatedAws) -> None:
    deploy_template(aws, "kept", {"Table": TABLE})
    cast("DynamoDBClient", aws.client("dynamodb")).put_item(TableName="kept", Item=ITEM)
    s3 = cast("S3Client", aws.client("s3"))
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket="kept", Key="a/b.gz", Body=b"\x00\x01", ContentEncoding="gzip")


def test_what_was_there_is_there_after_a_new_start(tmp_path: Path) -> None:
    with start_emulator(tmp_path) as aws:
        fill(aws)
    with start_emulator(tmp_path) as aws:
        dynamodb, s3 = cast("DynamoDBClient", aws.client("dynamodb")), cast("S3Client", aws.client("s3"))
        found = dynamodb.get_item(TableName="kept", Key={"InstanceType": ITEM["InstanceType"]})["Item"]
        assert found == ITEM
        kept = s3.get_object(Bucket="kept", Key="a/b.gz")
        assert (kept["Body"].read(), kept["ContentEncoding"]) == (b"\x00\x01", "gzip")
        (stack,) = cast("CloudFormationClient", aws.client("cloudformation")).describe_stacks(StackName="kept")[
            "Stacks"
        ]
        assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_a_state_cut_off_in_the_middle_does_not_stop_the_next_start(tmp_path: Path) -> None:
    with start_emulator(tmp_path) as aws:
        fill(aws)
    file = tmp_path / "state/dynamodb.json"
    file.write_bytes(file.read_bytes()[:-20])
    with start_emulator(tmp_path) as aws:
        assert cast("DynamoDBClient", aws.client("dynamodb")).list_tables()["TableNames"] == []


def test_a_patch_that_finds_another_emulator_says_which_name_it_misses() -> None:
    with pytest.raises(ConfigurationError, match=r"no json\._no_such_name, which the patch 'a patch' needs"):
        patches.need(__import__("json"), "_no_such_name", "a patch")
