"""docs/deploying.md from its third step on, as somebody does it in one evening, on the emulated AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spotlake.settings import Settings
from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.aws.patches.account import ACCOUNT_PARAMETER
from spotlake_local.aws.seed import seed_credentials
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.workspace import ROOT
from tests.deployed.test_cdk_cli import BUCKET, SETTINGS, STACK, Cli
from tests.full_run.job import JOB_PACKAGES
from tests.support.site import Site

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_ssm.client import SSMClient

ADOPT = ("--require-approval", "never", "--import-existing-resources")
MAIL = "me@example.com"


@dataclass
class Evening:
    """The account, and what each step has said.

    Attributes:
        said: Words of a command by the step's name.
        ended: Executions as they ended, by the step's name.
    """

    cli: Cli
    azure: SimulatedAzure
    outputs: Path
    said: dict[str, str] = field(default_factory=dict)
    ended: dict[str, Any] = field(default_factory=dict)

    @property
    def aws(self) -> EmulatedAws:
        return self.cli.aws

    def spotlake(self, *words: str, given: str = "", code: int = 0) -> str:
        """A command of ours, on a machine without a container engine; what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "spotlake_local.cli", *words],
            cwd=ROOT,
            env={**os.environ, **self.aws.environment(), "PATH": ""},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def deploy(self) -> str:
        """As `make deploy` has it."""
        words = (*ADOPT, "--outputs-file", str(self.outputs))
        return self.cli.run("deploy", STACK, *words, settings="evening")

    def run(self, step: str, **wanted: Any) -> None:
        """Start an execution and keep how it ended, and which states it entered."""
        site = self.site()
        arn = site.start(**wanted)
        self.ended[step] = {**site.ended(arn), "states": list(dict.fromkeys(site.entered(arn)))}

    def manifests(self) -> list[str]:
        """Keys of the manifests of all slots."""
        client = cast("S3Client", self.aws.client("s3"))
        listed = client.list_objects_v2(Bucket=BUCKET, Prefix="runs/azure/").get("Contents", [])
        return [one["Key"] for one in listed if one["Key"].endswith(".json") and "_" not in one["Key"]]

    def seed(self) -> None:
        """Put the item of AzureAuth, as the page's second step does."""
        seed_credentials(
            self.aws,
            Settings(),
            tenant_id=self.azure.tenant_id,
            client_id=self.azure.client_id,
            client_secret=self.azure.client_secret,
            subscriptions=list(self.azure.subscriptions),
        )

    def site(self) -> Site:
        """The deployed stack."""
        machines = cast("Any", self.aws.client("stepfunctions")).list_state_machines()["stateMachines"]
        (arn,) = [one["stateMachineArn"] for one in machines if one["name"] == f"{STACK}-collector"]
        return Site(self.aws, self.azure, arn)

    def make_poor(self, **account: Any) -> None:
        """Give the account less than it has; nothing given: all again."""
        ssm = cast("SSMClient", self.aws.client("ssm"))
        ssm.put_parameter(Name=ACCOUNT_PARAMETER, Value=json.dumps(account), Type="String", Overwrite=True)


@contextmanager
def spend_evening(folder: Path) -> Iterator[Evening]:
    """An account where nothing is: no bucket `spotlake`, and no AzureAuth until the first run has failed for it."""
    with (
        SimulatedAzure.start(folder / "azure", subscriptions=2) as azure,
        EmulatedAws.start(None, lambda_python=lambda_python(ROOT), job_python_path=JOB_PACKAGES) as aws,
    ):
        SETTINGS["evening"] = {
            "alert_email": MAIL,
            "plan_effort_seconds": "0",
            "regions": "westcentralus",
            "instance_types": "Standard_D2*",
            "schedule_enabled": "true",
            "schedule_expression": "cron(0 0 1 1 ? 2199)",
            **azure.settings(),
        }
        evening = Evening(Cli(aws, folder / "cdk.out"), azure, folder / "outputs.json")
        evening.said["doctor at first"] = evening.spotlake("doctor", "--aws", code=1)
        evening.cli.run("bootstrap", "aws://000000000000/us-west-2", settings="evening")
        evening.said["doctor before"] = evening.spotlake("doctor", "--aws")
        evening.said["deploy"] = evening.deploy()
        evening.said["image"] = evening.spotlake("image", "--outputs", str(evening.outputs))
        evening.said["image again"] = evening.spotlake("image", "--outputs", str(evening.outputs))
        evening.run("without AzureAuth")
        evening.seed()
        evening.run("first run", mode="full")
        yield evening
