"""The commands of `make deploy` and `make destroy`, with the real CDK CLI, against the emulated AWS."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.cli import main
from spotlake_local.workspace import ROOT, host_architecture
from tests.support.assembly import synthesise_here
from tests.support.emulator import start_emulator

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_scheduler.client import EventBridgeSchedulerClient

STACK, OTHER = "spotlake-azure-test", "spotlake-azure-blue"
BUCKET, TABLE = "spotlake-test", "azure-test"


# What is given on the command line as -c, by what it is for.
SETTINGS: dict[str, dict[str, str]] = {
    "plain": {},
    "changed": {"schedule_enabled": "true", "functions": '{"merge": {"memory_mb": 1536}}'},
    "blue": {"stage": "blue", "deletion_protection": "false"},
}


class Cli:
    """The CDK CLI on one emulator."""

    def __init__(self, aws: EmulatedAws, folder: Path) -> None:
        self.aws, self.folder = aws, folder

    def run(self, command: str, *words: str, settings: str = "plain") -> str:
        """What it said; fails when it did not end well.

        The app is synthesised here where the CLI is not asked to (``make``): that takes half of a command's time.
        """
        assembly = self.folder / settings
        if not assembly.exists():
            synthesise_here(assembly, SETTINGS[settings])
        return self.type(command, *words, "--app", str(assembly))

    def type(self, *words: str) -> str:
        """The same with the app of cdk.json."""
        done = subprocess.run(
            ["node_modules/.bin/cdk", *words, "--no-notices", "--no-color"],
            cwd=ROOT,
            env={**os.environ, **self.aws.environment(), "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20"},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def deploy(self, stack: str = STACK, *, settings: str = "plain") -> str:
        return self.run("deploy", stack, "--require-approval", "never", settings=settings)


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    with start_emulator() as aws:
        cli = Cli(aws, tmp_path_factory.mktemp("cdk.out"))
        cli.run("bootstrap", "aws://000000000000/us-west-2", settings="blue")
        yield cli


def make(cli: Cli, word: str, *words: str) -> str:
    """As `make deploy` and `make diff` call the CLI: it runs the app itself."""
    given = ("-c", f"architecture={host_architecture()}", "--output", str(cli.folder / "plain"))
    return cli.type(word, STACK, *words, *given)


@pytest.fixture(scope="module")
def deployed(cli: Cli) -> str:
    return make(cli, "deploy", "--require-approval", "never")


def names(aws: EmulatedAws, stack: str) -> set[str]:
    """Physical names of everything that a stack made."""
    client = cast("CloudFormationClient", aws.client("cloudformation"))
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {one["PhysicalResourceId"] for page in pages for one in page["StackResourceSummaries"]}


def test_deploy_says_how_to_start_by_hand_where_to_look_and_what_full_runs_need(deployed: str) -> None:
    assert re.search(r"StartByHand = aws stepfunctions start-execution --state-machine-arn arn:aws:states:", deployed)
    assert re.search(r"LookAt = https://us-west-2\.console\.aws\.amazon\.com/states/", deployed)
    assert re.search(r"FullRunsNeed = an image at ImageUri: `make image`", deployed)
    assert f"WriteBucket = {BUCKET}" in deployed


def test_a_second_deploy_changes_nothing(cli: Cli, deployed: str) -> None:
    assert "Number of stacks with differences: 0" in cli.run("diff", STACK)
    assert "(no changes)" in cli.deploy()


def test_a_schedule_that_was_never_on_is_not_paused_and_resume_does_not_start_it(
    cli: Cli, deployed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in cli.aws.environment().items():
        monkeypatch.setenv(name, value)
    assert main(["ops", "pause"]) == 0
    assert capsys.readouterr().out.startswith("off already: this stack was deployed with schedule_enabled=false")
    assert main(["ops", "resume"]) == 1
    assert "nothing to resume: `make deploy` with -c schedule_enabled=true" in capsys.readouterr().err
    schedules = cast("EventBridgeSchedulerClient", cli.aws.client("scheduler"))
    assert schedules.get_schedule(Name=f"{STACK}-schedule")["State"] == "DISABLED"


def test_another_setting_is_an_update_in_place(cli: Cli, deployed: str) -> None:
    before = names(cli.aws, STACK)
    cli.deploy(settings="changed")
    assert before <= names(cli.aws, STACK)  # and the alarm that only a schedule needs
    functions = cast("LambdaClient", cli.aws.client("lambda"))
    assert functions.get_function_configuration(FunctionName=f"{STACK}-merge")["MemorySize"] == 1536
    schedules = cast("EventBridgeSchedulerClient", cli.aws.client("scheduler"))
    assert schedules.get_schedule(Name=f"{STACK}-schedule")["State"] == "ENABLED"


def test_two_stages_side_by_side_share_nothing_and_one_goes_without_the_other(cli: Cli, deployed: str) -> None:
    said = cli.deploy(OTHER, settings="blue")
    assert names(cli.aws, OTHER) & names(cli.aws, STACK) == set()
    assert "WriteBucket = spotlake-blue" in said
    before = names(cli.aws, STACK)
    cli.run("destroy", OTHER, "--force", settings="blue")
    assert names(cli.aws, STACK) == before
    client = cast("CloudFormationClient", cli.aws.client("cloudformation"))
    assert client.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"].endswith("COMPLETE")


def test_destroy_keeps_bucket_and_tables_with_what_is_in_them(cli: Cli, deployed: str) -> None:
    s3 = cast("S3Client", cli.aws.client("s3"))
    dynamodb = cast("DynamoDBClient", cli.aws.client("dynamodb"))
    s3.put_object(Bucket=BUCKET, Key="runs/azure/2025/12/15/10-00.json", Body=b"{}")
    dynamodb.put_item(TableName=TABLE, Item={"InstanceType": {"S": "Standard_D2s_v5"}, "Workload": {"S": "eastus#1"}})
    cli.run("destroy", STACK, "--force")
    functions = cast("LambdaClient", cli.aws.client("lambda")).list_functions()["Functions"]
    assert not [one["FunctionName"] for one in functions if one["FunctionName"].startswith(STACK)]
    assert s3.get_object(Bucket=BUCKET, Key="runs/azure/2025/12/15/10-00.json")["Body"].read() == b"{}"
    assert dynamodb.scan(TableName=TABLE)["Count"] == 1
