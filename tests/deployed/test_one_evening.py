"""docs/deploying.md in one evening: bootstrap, doctor, deploy, image, first run, operations, destroy, deploy again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest

from spotlake.models import floor_to_slot, slot_of_run_id, to_iso
from spotlake.settings import Settings
from spotlake_local.aws.roles import credentials_of_role
from spotlake_local.aws_doctor import CHECKS, before, check_all
from spotlake_local.aws_doctor.account import Account, Verdict
from spotlake_local.azure_doctor import CHECKS as AZURE_CHECKS
from spotlake_local.image_source import content_tag
from spotlake_local.workspace import ROOT
from tests.deployed.test_cdk_cli import BUCKET, STACK, TABLE, names
from tests.support.emulator import make_role, statement
from tests.support.evening import MAIL, Evening, spend_evening

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_ssm.client import SSMClient

CONTROL = f"{STACK}-control"
ITEM = {"InstanceType": {"S": "Standard_D2s_v5"}, "Workload": {"S": "kept#1"}}
PAGE = (ROOT / "docs/deploying.md").read_text(encoding="utf-8")
type Undo = Callable[[], Any]


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    with spend_evening(tmp_path_factory.mktemp("evening")) as evening:
        yield evening


@pytest.fixture
def session(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    """Signed in to the account as its owner."""
    for name, value in evening.aws.environment().items():
        monkeypatch.setenv(name, value)
    return boto3.Session()


# -- the steps ------------------------------------------------------------------------------------


def test_the_doctor_says_what_comes_next(evening: Evening) -> None:
    at_first, then = (evening.said[step].splitlines() for step in ("doctor at first", "doctor before"))
    (to_do,) = [line for line in at_first if line.startswith("TO DO")]
    assert to_do.endswith("this account and region are not prepared for the CDK: `make bootstrap`")
    assert [line[:6].strip() for line in then] == ["passed"] * 8 + ["later"] * 4


def test_the_image_is_built_in_aws_by_the_projects_role_and_once(evening: Evening) -> None:
    assert "ImageProject = spotlake-azure-test-image" in evening.said["deploy"]
    lines = evening.said["image"].splitlines()
    assert lines[0].startswith("building in AWS (CodeBuild, about five minutes): spotlake-azure-test-image:")
    image = f"{STACK}-full-run:{content_tag(ROOT)}"
    assert any(line.startswith("pushed ") and line.endswith(image) for line in lines)  # of the build's log
    assert lines[-2].endswith(image)
    assert lines[-1] == "full runs take it"
    there = evening.said["image again"].splitlines()
    assert there[0].startswith("nothing to build, the image is there: ")
    assert there[0].endswith(image)


def test_without_azure_auth_every_state_ends_as_documented(evening: Evening) -> None:
    ended = evening.ended["without AzureAuth"]
    assert (ended["status"], ended["error"]) == ("FAILED", "ConfigurationError")
    assert ended["cause"].startswith("the job ended with exit code 78: a setting or permission is wrong")
    assert " → ".join(ended["states"]) in PAGE
    assert "the job ended with exit code 78" in PAGE


def test_without_productions_bucket_the_first_run_is_whole(evening: Evening) -> None:
    assert evening.ended["first run"]["status"] == "SUCCEEDED", evening.ended["first run"]
    told = json.loads(evening.ended["first run"]["output"])
    assert (told["run"]["mode"], told["merge"]["coverage_percent"]) == ("full", 100)
    assert min(told["merge"]["rows"].values()) > 0
    buckets = [one["Name"] for one in cast("S3Client", evening.aws.client("s3")).list_buckets()["Buckets"]]
    assert Settings().read_bucket not in buckets


# -- the doctor, each fault once ------------------------------------------------------------------


def test_the_doctor_passes_what_is_deployed(session: boto3.Session) -> None:
    found = dict(check_all(session, stage="test"))
    assert [name for name, one in found.items() if not one.passed] == []
    assert found["bucket"].said == f"{BUCKET} is yours"
    assert found["mail"].said == MAIL  # the emulator confirms by itself
    assert found["image"].said == f"{STACK}-full-run:{content_tag(ROOT)}"


def test_one_command_and_one_table_pass_the_account_and_azure(evening: Evening) -> None:
    lines = evening.spotlake("doctor").splitlines()
    assert len(lines) == len(CHECKS) + len(AZURE_CHECKS)
    assert {line.split()[0] for line in lines} == {"passed"}
    assert evening.azure.client_secret not in "".join(lines)


def no_bootstrap(evening: Evening) -> Undo:
    client, name = cast("SSMClient", evening.aws.client("ssm")), "/cdk-bootstrap/hnb659fds/version"
    version = client.get_parameter(Name=name)["Parameter"]["Value"]
    client.delete_parameter(Name=name)
    return lambda: client.put_parameter(Name=name, Value=version, Type="String")


def old_bootstrap(evening: Evening) -> Undo:
    undo = no_bootstrap(evening)
    client, name = cast("SSMClient", evening.aws.client("ssm")), "/cdk-bootstrap/hnb659fds/version"
    client.put_parameter(Name=name, Value="5", Type="String")

    def both() -> None:
        client.delete_parameter(Name=name)
        undo()

    return both


def lost_table(evening: Evening) -> Undo:
    client = cast("DynamoDBClient", evening.aws.client("dynamodb"))
    table = client.describe_table(TableName=CONTROL)["Table"]
    client.update_table(TableName=CONTROL, DeletionProtectionEnabled=False)
    client.delete_table(TableName=CONTROL)
    return lambda: client.create_table(
        TableName=CONTROL,
        KeySchema=table["KeySchema"],
        AttributeDefinitions=table["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
    )


def poor(**account: Any) -> Callable[[Evening], Undo]:
    def make(evening: Evening) -> Undo:
        evening.make_poor(**account)
        return evening.make_poor

    return make


def broken_machine(evening: Evening) -> Undo:
    file, usual = evening.cli.folder / "broken.asl.json", before.MACHINE_FILE
    file.write_text(usual.read_text().replace('"Next": "Notify"', '"Next": "Nobody"'))
    before.MACHINE_FILE = file
    return lambda: setattr(before, "MACHINE_FILE", usual)


def mute_alarms(evening: Evening) -> Undo:
    client = cast("SNSClient", evening.aws.client("sns"))
    (topic,) = [one["TopicArn"] for one in client.list_topics()["Topics"] if STACK in one["TopicArn"]]
    policy = client.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    denied = [one for one in json.loads(policy)["Statement"] if one["Effect"] == "Deny"]
    mute = json.dumps({"Version": "2012-10-17", "Statement": denied})
    client.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=mute)
    return lambda: client.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


def no_image(evening: Evening) -> Undo:
    client = cast("Any", evening.aws.client("ecr"))
    (image,) = client.describe_images(repositoryName=f"{STACK}-full-run")["imageDetails"]
    client.batch_delete_image(repositoryName=f"{STACK}-full-run", imageIds=[{"imageDigest": image["imageDigest"]}])
    return lambda: evening.spotlake("image")


@pytest.mark.parametrize(
    ("fault", "name", "way_out"),
    [
        (no_bootstrap, "bootstrap", "not prepared for the CDK: `make bootstrap`"),
        (old_bootstrap, "bootstrap", "of version 5, 6 is needed"),
        (lost_table, "tables", f"table {CONTROL} is gone: restore it from a backup"),
        (poor(lambdas=10), "Lambda quota", "deploy with -c map_concurrency=1, or ask for quota L-B99A9384"),
        (poor(spot_vcpus=0), "spot vCPU quota", "ask for quota L-34B43A08"),
        (poor(families=["t3"]), "machine families", "deploy with -c architecture="),
        (broken_machine, "state machine", "so `make deploy` would fail"),
        (mute_alarms, "alarms", "so they are mute: `make deploy` again"),
        (no_image, "image", "full runs have no image: `make image`"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_the_doctor_tells_each_fault_with_what_to_do(
    evening: Evening, session: boto3.Session, fault: Callable[[Evening], Undo], name: str, way_out: str
) -> None:
    undo = fault(evening)
    try:
        found = looked_at(session, name)
    finally:
        undo()
    assert not found.passed
    assert way_out in found.said
    assert looked_at(session, name).passed


def looked_at(session: boto3.Session, name: str, *, stage: str = "test", bucket: str = "") -> Verdict:
    return dict(CHECKS)[name](Account(session, stage, bucket))


def test_what_belongs_to_somebody_else_is_told_before_anything_is_made(
    evening: Evening, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = cast("DynamoDBClient", evening.aws.client("dynamodb"))
    client.create_table(
        TableName="azure-green",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    found = looked_at(session, "tables", stage="green")
    assert (found.passed, "table azure-green is another's" in found.said) == (False, True)
    assert looked_at(session, "bucket", stage="green").said == "spotlake-green is free"
    nobody = make_role(evening.aws, "nobody", statement("cloudformation:DescribeStacks"))
    for name, value in credentials_of_role(evening.aws, nobody).items():
        monkeypatch.setenv(name, value)
    found = looked_at(boto3.Session(), "bucket", bucket=BUCKET)
    assert not found.passed
    assert f"{BUCKET} belongs to somebody else (403): choose another with -c write_bucket=NAME" in found.said


# -- what an operator does ------------------------------------------------------------------------


def test_pause_and_resume_switch_the_schedule_and_the_alarm_on_missing_runs(
    evening: Evening, session: boto3.Session
) -> None:
    scheduler, alarms = (cast("Any", evening.aws.client(one)) for one in ("scheduler", "cloudwatch"))

    def state() -> tuple[Any, bool]:
        found = scheduler.get_schedule(Name=f"{STACK}-schedule")
        (alarm,) = alarms.describe_alarms(AlarmNames=[f"{STACK}-nocompleterun"])["MetricAlarms"]
        times = ("CreationDate", "LastModificationDate", "ResponseMetadata")
        return {name: found[name] for name in found if name not in times}, alarm["ActionsEnabled"]

    usual = state()
    assert "no run begins by itself" in evening.spotlake("ops", "pause")
    paused = state()
    assert "paused already" in evening.spotlake("ops", "pause")
    assert looked_at(session, "schedule").said.startswith("nothing runs by itself")
    assert "resumed" in evening.spotlake("ops", "resume")
    assert paused == ({**usual[0], "State": "DISABLED"}, False)
    assert state() == usual == ({**usual[0], "State": "ENABLED"}, True)


def test_a_slot_is_run_again_and_what_it_has_is_left_alone(evening: Evening) -> None:
    slot_at = slot_of_run_id(json.loads(evening.ended["first run"]["output"])["run"]["run_id"])
    asked = evening.azure.stats()["answers"]["retail 200"]
    said = evening.spotlake("ops", "rerun", to_iso(slot_at))
    assert "started arn:aws:states:" in said
    assert f"done: `spotlake show {slot_at:%Y%m%dT%H%MZ} --bucket {BUCKET}` tells" in said
    assert evening.azure.stats()["answers"]["retail 200"] == asked  # its prices are there
    assert "a slot of the last hour" in evening.spotlake("ops", "rerun", "2025-01-01 10:00", code=2)


def test_a_new_secret_is_put_only_when_azure_takes_it(evening: Evening) -> None:
    client = cast("DynamoDBClient", evening.aws.client("dynamodb", region=Settings().auth_region))

    def secret() -> str:
        item = client.get_item(TableName=Settings().auth_table, Key={"id": {"S": Settings().auth_item}})["Item"]
        return str(item["data"]["M"]["client_secret"]["S"])

    refused = evening.spotlake("ops", "replace-secret", given="not-the-secret\n", code=1)
    assert "Azure refused the sign-in (AADSTS" in refused
    assert "not-the-secret" not in refused
    assert secret() == evening.azure.client_secret
    assert "the new secret's value" in evening.spotlake("ops", "replace-secret", given="\n", code=2)
    taken = evening.spotlake("ops", "replace-secret", given=f"{evening.azure.client_secret}\n")
    assert "it counts from the next run on" in taken
    assert evening.azure.client_secret not in taken
    with_end = evening.spotlake(
        "ops", "replace-secret", "--expires", "2126-11-23", given=f"{evening.azure.client_secret}\n"
    )
    assert "it counts from the next run on" in with_end
    assert "secret's end        in 36" in evening.spotlake("doctor", "--azure")
    assert "a day such as" in evening.spotlake("ops", "replace-secret", "--expires", "soon", given="x\n", code=2)


def test_an_operator_of_a_stack_that_is_not_there_is_told_so(evening: Evening) -> None:
    for words in (("pause",), ("rerun", to_iso(floor_to_slot(datetime.now(UTC)))), ("replace-secret",)):
        said = evening.spotlake("ops", "--stage", "nowhere", *words, given="x\n", code=1)
        assert said.startswith("spotlake: stack spotlake-azure-nowhere is not deployed here: `make deploy`"), words


# -- and the next morning -------------------------------------------------------------------------


def test_after_a_destroy_and_after_a_failed_creation_the_stack_has_its_data_again(
    evening: Evening, session: boto3.Session
) -> None:
    dynamodb = cast("DynamoDBClient", evening.aws.client("dynamodb"))
    dynamodb.put_item(TableName=TABLE, Item=ITEM)
    known = evening.manifests()
    evening.cli.run("destroy", STACK, "--force", settings="evening")
    assert looked_at(session, "tables").said == f"{TABLE}, {CONTROL} stayed; `make deploy` adopts them"
    assert looked_at(session, "bucket").said == f"{BUCKET} is yours; `make deploy` adopts it"
    with pytest.raises(AssertionError, match="ROLLBACK_COMPLETE"):
        evening.cli.deploy(settings="evening")  # without adopting the names are taken; they stay as they are
    evening.deploy()
    assert {BUCKET, TABLE, CONTROL} <= names(evening.aws, STACK)
    assert known
    assert evening.manifests() == known
    assert dynamodb.get_item(TableName=TABLE, Key=ITEM)["Item"] == ITEM
    assert "building in AWS" in evening.spotlake("image", "--outputs", str(evening.outputs))  # its repository is new
    evening.run("after the adoption")
    assert evening.ended["after the adoption"]["status"] == "SUCCEEDED"
