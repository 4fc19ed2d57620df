"""One local run: start everything, deploy, execute, follow, summarise, stop everything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import orjson
import yaml
from rich.console import Console

from spotlake import keys
from spotlake.azure.credentials import AzureCredentials
from spotlake.clock import WallClock
from spotlake.errors import InvalidInputError
from spotlake.models import SLOT_MINUTES, Dataset, from_iso, run_id_of, to_iso
from spotlake.settings import Settings
from spotlake.stores.objects import S3Objects
from spotlake_local.assembly import synthesise
from spotlake_local.aws.deploy import deploy_assembly
from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.aws.seed import seed_credentials, seed_production, stop_leftover_executions
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.files import copy_objects
from spotlake_local.following import Ended, follow, shard_keys
from spotlake_local.progress import progress
from spotlake_local.slots import choose_slot, is_collected
from spotlake_local.summary import print_summary, summarise
from spotlake_local.waiting import waiting
from spotlake_local.workspace import ROOT, Workspace, host_architecture

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_stepfunctions.client import SFNClient

STACK = "spotlake-azure-test"
_PORTS = ("aws", "azure", "token")
_MAP_CONCURRENCY = "8"  # for two cores; more regions at once would only wait (docs/decisions)


class LocalRun:
    """The steps of ``spotlake run``."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        wanted: dict[str, Any],
        floored: bool,
        subscriptions: int,
        live_credentials: AzureCredentials | None,
        lock: int,
    ) -> None:
        """Prepare the run; nothing is started.

        Args:
            workspace: Folder of the state.
            wanted: Checked input of the execution.
            floored: Whether the timestamp was moved to its slot, for a message.
            subscriptions: Number of subscriptions of the simulated Azure.
            live_credentials: Credentials of the real Azure (``live_azure``); None: use the simulated Azure.
            lock: Result of ``Workspace.alone``.

        Raises:
            InvalidInputError: The workspace holds data of the other Azure, which must not be mixed with this one's.
        """
        self.workspace, self.wanted, self.floored = workspace, wanted, floored
        self.subscriptions, self.live_credentials, self.lock = subscriptions, live_credentials, lock
        self.source = "simulated" if live_credentials is None else "live"
        self.console = Console()
        held = self.workspace.source()
        if held not in (None, self.source):
            allowed = f"{held}, as all data in {workspace.folder} are, or another STATE_DIR"
            raise InvalidInputError("azure", self.source, allowed)
        self.slot_at = self._slot()
        self.is_again = is_collected(workspace, self.slot_at)
        self.wanted["timestamp"] = to_iso(self.slot_at)

    def run(self) -> int:
        """Run. Returns 0 only if the execution succeeded."""
        began = time.monotonic()
        if self.floored:
            self.console.print(f"the timestamp was moved to its ten-minute slot, {to_iso(self.slot_at)}")
        if self.is_again:
            again = "this is one more attempt, which adds to what is there and overwrites nothing"
            self.console.print(f"{run_id_of(self.slot_at)} has been collected before: {again}")
        with ExitStack() as stack:
            with self._step("starting emulated AWS" + (" and simulated Azure" if self.source == "simulated" else "")):
                aws, azure = self._start(stack)
            deploy_began = time.monotonic()
            with self._step("the stack's template"):
                self._synthesise(azure)
            with self._step("deploying the stack"):
                machine_arn = self._deploy(aws, azure)
            deploy_seconds = time.monotonic() - deploy_began
            self.workspace.remember(self.slot_at, self.source)
            ended, beside = self._execute(aws, azure, machine_arn)
            objects = S3Objects(cast("S3Client", aws.client("s3")), Settings().write_bucket)
            summary = summarise(
                objects,
                slot_at=self.slot_at,
                ended=ended,
                source=self.source,
                deploy_seconds=deploy_seconds,
                beside=beside,
            )
            self._keep(objects, summary)
            with self._step("saving the state and stopping"):
                stack.close()
        summary["seconds"]["total"] = round(time.monotonic() - began, 1)
        self.workspace.summary.write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2))
        print_summary(self.console, summary, self.workspace)
        return 0 if ended.status == "SUCCEEDED" else 1

    def _slot(self) -> datetime:
        """The slot asked for; else the first free one."""
        if "timestamp" in self.wanted:
            return from_iso(self.wanted["timestamp"])
        return choose_slot(
            self.workspace,
            now_at=WallClock().now(),
            is_live=self.source == "live",
            resumes=self.wanted.get("resume", False),
        )

    def _start(self, stack: ExitStack) -> tuple[EmulatedAws, SimulatedAzure | None]:
        ports = self.workspace.ports(_PORTS)
        architecture = host_architecture()
        job_packages = [
            ROOT / "functions/full_run",
            ROOT / "layers/common/python",
            ROOT / f"build/layers/dependencies-{architecture}/python",
        ]
        aws = stack.enter_context(
            EmulatedAws.start(
                self.workspace.aws,
                lambda_python=lambda_python(ROOT),
                job_python_path=job_packages,
                port=ports["aws"],
                lock=self.lock,
            )
        )
        if self.source == "live":
            return aws, None
        azure = stack.enter_context(
            SimulatedAzure.start(
                self.workspace.azure,
                subscriptions=self.subscriptions,
                port=ports["azure"],
                token_port=ports["token"],
            )
        )
        return aws, azure

    def _synthesise(self, azure: SimulatedAzure | None) -> None:
        context = {
            "architecture": host_architecture(),
            "map_concurrency": _MAP_CONCURRENCY,
            "deletion_protection": "false",
            "plan_effort_seconds": "2",  # one percent more calls, half a minute less
            "image_uri": "local/full-run:not-built",  # the emulator starts the entry point itself
            "clock": "wall" if azure is None else "run",
            **(azure.settings() if azure else {}),
        }
        synthesise(self.workspace.assembly, context)

    def _deploy(self, aws: EmulatedAws, azure: SimulatedAzure | None) -> str:
        """Make what exists outside the stack, then the stack. Returns the state machine's ARN."""
        settings = Settings()
        # With the real Azure there is no configuration of production, so the whole quota is ours.
        seed_production(aws, settings, production_objects(self.slot_at) if azure else {})
        credentials = azure or self.live_credentials
        if credentials is None:
            raise AssertionError("one of the two Azures is asked")
        seed_credentials(
            aws,
            settings,
            tenant_id=credentials.tenant_id,
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            subscriptions=credentials.subscriptions,
        )
        outputs = deploy_assembly(aws, self.workspace.assembly, STACK)
        stop_leftover_executions(aws)
        return outputs["StateMachineArn"]

    def _execute(self, aws: EmulatedAws, azure: SimulatedAzure | None, machine_arn: str) -> tuple[Ended, Ended | None]:
        """Start the execution, follow it to the end, then follow the full run that it started."""
        client = cast("SFNClient", aws.client("stepfunctions"))
        objects = S3Objects(cast("S3Client", aws.client("s3")), Settings().write_bucket)
        if azure is not None:
            azure.set_clock(self.slot_at)
        # Names are unique per machine: the same slot may be run again.
        name = f"{run_id_of(self.slot_at)}-{int(time.time() * 1000)}"
        started = client.start_execution(
            stateMachineArn=machine_arn, name=name, input=orjson.dumps(self.wanted).decode()
        )
        beside = None
        with progress(self.console) as show:
            ended = follow(client, started["executionArn"], objects=objects, slot_at=self.slot_at, show=show)
            # The daily full run works beside the slot, and the emulator must not stop before it ends.
            for other in client.list_executions(stateMachineArn=machine_arn)["executions"]:
                is_later = other["startDate"] >= started["startDate"]
                if is_later and other["executionArn"] != started["executionArn"]:
                    beside = follow(client, other["executionArn"], objects=objects, slot_at=self.slot_at, show=show)
        return ended, beside

    def _keep(self, objects: S3Objects, summary: dict[str, Any]) -> None:
        """Copy what the run wrote into plain files."""
        wanted = list(summary["outputs"])
        for dataset in Dataset:
            wanted.extend(shard_keys(objects, dataset, self.slot_at))
        wanted.extend(objects.keys(keys.price_histories_of_slot(self.slot_at)))
        # The history's files of days and months are written again by later slots, so all of them are copied again.
        history = (key for key in objects.keys(keys.HISTORY_PREFIX) if not key.startswith(keys.HISTORY_RUNS_PREFIX))
        of_slot = keys.sizes_of_slot(self.slot_at)
        sizes = [one for prefix in (of_slot, keys.LATEST_SIZES, keys.SIZES) for one in objects.keys(prefix)]
        wanted.extend([*history, *objects.keys(keys.LATEST_TABLE), keys.DATA_PACKAGE, *sizes])
        copy_objects(objects, wanted, self.workspace.outputs)

    @contextmanager
    def _step(self, words: str) -> Iterator[None]:
        began = time.monotonic()
        with waiting(self.console, words):
            yield
        self.console.print(f"[dim]{words}: {time.monotonic() - began:.1f} s[/dim]")


def production_objects(slot_at: datetime) -> dict[str, bytes]:
    """Production's configuration for local runs, fresh for the slot's day."""
    slot_number = int(slot_at.timestamp()) // (SLOT_MINUTES * 60)
    metadata = {"desired_count_index": slot_number % 11, "workload_date": slot_at.strftime("%Y-%m-%d")}
    maps = {"region_map": {"koreacentral": "KR Central"}, "instance_map": {}}
    return {
        keys.PRODUCTION_SPS_METADATA: yaml.safe_dump(metadata).encode(),
        keys.PRODUCTION_MAPS: orjson.dumps(maps),
        keys.PRODUCTION_INVALID_REGIONS: orjson.dumps(["germany", "korea"]),
        keys.PRODUCTION_INVALID_INSTANCE_TYPES: orjson.dumps([]),
    }
