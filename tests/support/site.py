"""The whole stack on emulated AWS, in front of a simulated Azure with one small region."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spotlake.settings import Settings
from spotlake_local.aws.deploy import deploy_assembly
from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.aws.seed import seed_credentials, seed_production
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.workspace import ROOT, host_architecture
from tests.support.assembly import synthesise_here
from tests.support.emulator import wait_for

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_stepfunctions.client import SFNClient

STACK = "spotlake-azure-test"
PATIENCE_SECONDS = 180.0  # a run takes ten seconds on a quiet machine


@dataclass(frozen=True)
class Site:
    """The deployed stack and its simulated Azure."""

    aws: EmulatedAws
    azure: SimulatedAzure
    machine_arn: str

    @property
    def workflows(self) -> SFNClient:
        return cast("SFNClient", self.aws.client("stepfunctions"))

    def executions(self) -> list[Any]:
        return list(self.workflows.list_executions(stateMachineArn=self.machine_arn)["executions"])

    def start(self, **wanted: Any) -> str:
        """Start an execution. Tests ask for slots of the past on purpose."""
        if "timestamp" in wanted:
            wanted = {"past": True, **wanted}
        return self.workflows.start_execution(stateMachineArn=self.machine_arn, input=json.dumps(wanted))[
            "executionArn"
        ]

    def ended(self, arn: str) -> Any:
        """Wait for an execution to end, and return it."""

        def look() -> Any:
            found = self.workflows.describe_execution(executionArn=arn)
            return None if found["status"] == "RUNNING" else found

        return wait_for(look, what=f"the end of {arn}", patience_seconds=PATIENCE_SECONDS)

    def entered(self, arn: str) -> list[str]:
        """States that an execution has entered so far."""
        events = self.workflows.get_execution_history(executionArn=arn)["events"]
        return [one["stateEnteredEventDetails"]["name"] for one in events if "stateEnteredEventDetails" in one]

    def object(self, key: str) -> Any:
        """A JSON object of the write bucket."""
        return json.loads(
            cast("S3Client", self.aws.client("s3")).get_object(Bucket="spotlake-test", Key=key)["Body"].read()
        )


@contextmanager
def start_site(folder: Path, **context: str) -> Iterator[Site]:
    """Start everything and deploy, with default settings except for the ``context``."""
    architecture = host_architecture()
    packages = ["functions/full_run", "layers/common/python", f"build/layers/dependencies-{architecture}/python"]
    with (
        SimulatedAzure.start(folder / "azure", subscriptions=2) as azure,
        EmulatedAws.start(
            None, lambda_python=lambda_python(ROOT), job_python_path=[ROOT / one for one in packages]
        ) as aws,
    ):
        small = {
            "image_uri": "local/full-run:not-built",  # the emulator starts the entry point itself
            "plan_effort_seconds": "0",
            "regions": "westcentralus",
            "instance_types": "Standard_D2*",
        }
        synthesise_here(folder / "cdk.out", {**small, **azure.settings(), **context})
        seed_production(aws, Settings(), {})
        seed_credentials(
            aws,
            Settings(),
            tenant_id=azure.tenant_id,
            client_id=azure.client_id,
            client_secret=azure.client_secret,
            subscriptions=list(azure.subscriptions),
        )
        yield Site(aws, azure, deploy_assembly(aws, folder / "cdk.out", STACK)["StateMachineArn"])
