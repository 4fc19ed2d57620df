"""A stack that was destroyed, or never came to be, is deployed again, and takes over the data that stayed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from spotlake_local.workspace import ROOT
from tests.deployed.test_cdk_cli import BUCKET, SETTINGS, STACK, TABLE, Cli, names
from tests.support.emulator import start_emulator

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

ADOPT = ("--require-approval", "never", "--import-existing-resources")
# The emulator takes a bucket that is to be adopted for one whose name is taken, so here it stays outside of the stack.
SETTINGS["kept"] = {"create_bucket": "false"}
ITEM = {"InstanceType": {"S": "Standard_D2s_v5"}, "Workload": {"S": "eastus#1"}}


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    with start_emulator() as aws:
        cli = Cli(aws, tmp_path_factory.mktemp("cdk.out"))
        cli.run("bootstrap", "aws://000000000000/us-west-2")
        yield cli


def test_make_deploy_adopts() -> None:
    words = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "$(CDK) deploy --import-existing-resources --outputs-file $(OUTPUTS) $(CDK_ARGS)" in words


def test_after_a_destroy_and_after_a_failed_creation_the_stack_has_its_data_again(cli: Cli) -> None:
    s3 = cast("S3Client", cli.aws.client("s3"))
    dynamodb = cast("DynamoDBClient", cli.aws.client("dynamodb"))
    cli.run("deploy", STACK, *ADOPT)
    s3.put_object(Bucket=BUCKET, Key="runs/azure/2025/12/15/10-00.json", Body=b"{}")
    dynamodb.put_item(TableName=TABLE, Item=ITEM)
    cli.run("destroy", STACK, "--force")
    with pytest.raises(AssertionError, match="ROLLBACK_COMPLETE"):
        cli.deploy()  # without adopting the names are taken: a creation that fails, and leaves them as they are
    cli.run("deploy", STACK, *ADOPT, settings="kept")
    assert {TABLE, "spotlake-azure-test-control"} <= names(cli.aws, STACK)
    assert s3.get_object(Bucket=BUCKET, Key="runs/azure/2025/12/15/10-00.json")["Body"].read() == b"{}"
    assert dynamodb.scan(TableName=TABLE)["Items"] == [ITEM]


def test_a_shell_that_is_not_signed_in_is_told_so_in_one_sentence(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }
    command = [sys.executable, "-m", "cdk.signed_in"]
    done = subprocess.run(command, cwd=ROOT, env={**kept, **nowhere}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "aws configure sso" in done.stderr
