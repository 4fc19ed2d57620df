"""The stack with its schedule on: a run begins by itself, and a second start beside it ends at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from spotlake.models import floor_to_slot, from_iso, run_id_of, to_iso
from spotlake.settings import Settings
from spotlake_local.assembly import synthesise
from spotlake_local.aws.deploy import deploy_assembly
from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.aws.seed import seed_credentials, seed_production
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.workspace import ROOT, host_architecture
from tests.support.emulator import wait_for

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_stepfunctions.client import SFNClient

REGION = "westcentralus"
_PATIENCE_SECONDS = 180.0  # the schedule waits for the next minute, and the run takes a while


class Scheduled:
    """The deployed stack, all but the schedule at rest."""

    def __init__(self, aws: EmulatedAws, machine_arn: str) -> None:
        self.aws, self.machine_arn = aws, machine_arn
        self.workflows = cast("SFNClient", aws.client("stepfunctions"))

    def executions(self) -> list[Any]:
        return list(self.workflows.list_executions(stateMachineArn=self.machine_arn)["executions"])

    def ended(self, arn: str) -> Any:
        found = self.workflows.describe_execution(executionArn=arn)
        return None if found["status"] == "RUNNING" else found


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduled]:
    folder: Path = tmp_path_factory.mktemp("scheduled")
    architecture = host_architecture()
    packages = ["functions/full_run", "layers/common/python", f"build/layers/dependencies-{architecture}/python"]
    with (
        SimulatedAzure.start(folder / "azure", subscriptions=2) as azure,
        EmulatedAws.start(
            None, lambda_python=lambda_python(ROOT), job_python_path=[ROOT / one for one in packages]
        ) as aws,
    ):
        context = {
            "architecture": architecture,
            "image_uri": "local/full-run:not-built",  # the emulator starts the entry point itself
            "plan_effort_seconds": "0",
            "regions": REGION,
            "instance_types": "Standard_D2*",
            "schedule_enabled": "true",
            "schedule_expression": "cron(0/1 * * * ? *)",  # every minute: nobody waits for ten
            **azure.settings(),
        }
        synthesise(folder / "cdk.out", context)
        seed_production(aws, Settings(), {})
        seed_credentials(
            aws,
            Settings(),
            tenant_id=azure.tenant_id,
            client_id=azure.client_id,
            client_secret=azure.client_secret,
            subscriptions=list(azure.subscriptions),
        )
        yield Scheduled(aws, deploy_assembly(aws, folder / "cdk.out", "spotlake-azure-test")["StateMachineArn"])


def test_a_run_begins_by_itself_and_one_started_beside_it_is_skipped(scheduled: Scheduled) -> None:
    (first, *_) = wait_for(scheduled.executions, what="the schedule", patience_seconds=_PATIENCE_SECONDS)
    beside = scheduled.workflows.start_execution(stateMachineArn=scheduled.machine_arn, input="{}")["executionArn"]
    skipped = wait_for(lambda: scheduled.ended(beside), what="the second start")
    assert skipped["status"] == "SUCCEEDED"
    assert json.loads(skipped["output"])["status"] == "skipped"

    ended = wait_for(
        lambda: scheduled.ended(first["executionArn"]), what="the first run", patience_seconds=_PATIENCE_SECONDS
    )
    assert ended["status"] == "SUCCEEDED", ended
    scheduled_at = from_iso(json.loads(ended["input"])["timestamp"])
    assert to_iso(scheduled_at) == json.loads(ended["input"])["timestamp"]
    slot_at = floor_to_slot(scheduled_at)
    s3 = cast("S3Client", scheduled.aws.client("s3"))
    manifest = json.loads(
        s3.get_object(Bucket="spotlake-test", Key=f"runs/azure/{slot_at:%Y/%m/%d/%H-%M}.json")["Body"].read()
    )
    assert (manifest["run_id"], manifest["complete"], manifest["status"]) == (run_id_of(slot_at), True, "complete")
    assert manifest["rows"]["merged"] > 10
