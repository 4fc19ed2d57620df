"""The full run's job as Batch starts it: a process, with stores on the emulator and a simulated Azure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

from spotlake import keys
from spotlake.clock import WallClock
from spotlake.models import Dataset, Mode, Run, ScoreCall, run_id_of
from spotlake.planning.attempt import AttemptRecord
from spotlake.planning.scope import Scope
from spotlake.settings import Settings
from spotlake.shards import RawShard, open_shard
from spotlake.state.attempts import read_work, write_record
from spotlake.state.checkpoints import read_job_record
from spotlake.stores.ledger import DynamoDbLedger
from spotlake.stores.objects import S3Objects
from spotlake.usecases.full_run.exit_codes import RECLAIMED
from spotlake_local.aws.launcher import REGION, EmulatedAws
from spotlake_local.aws.seed import seed_credentials
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.workspace import ROOT, host_architecture
from tests.support.emulator import deploy_template, policy, statement, trust, wait_for
from tests.support.shards import parsed_rows

if TYPE_CHECKING:
    from mypy_boto3_batch.client import BatchClient
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

SLOT_AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
REGIONS = ("eastus", "koreacentral", "westus")
SIZES = ("Standard_D2*", "Standard_E2*")
ENTRY = ROOT / "functions/full_run"
LOG_GROUP = "/test/full-run"
RETRY_RULES = [
    {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
    {"Action": "RETRY", "OnExitCode": str(RECLAIMED)},
    {"Action": "EXIT", "OnReason": "*"},
]
# Folders in place of the packages inside the image, as in local runs.
JOB_PACKAGES = (ENTRY, ROOT / "layers/common/python", ROOT / f"build/layers/dependencies-{host_architecture()}/python")


# What is true of a pair: times and what depends on the subscription that asked are left out.
_COMPARED = {
    Dataset.SPS: ("region", "instance_type", "physical_zone", "desired_count", "score"),
    Dataset.PRICE: ("region", "instance_type", "spot_price_usd_per_hour", "ondemand_price_usd_per_hour"),
    Dataset.EVICTION: ("region", "instance_type", "eviction_band"),
}


_SLOW_SECONDS = 0.3


@dataclass(frozen=True)
class Stored:
    """Data that attempts have stored so far: finished shards, and answered calls by question."""

    done: frozenset[tuple[Dataset, str]]
    calls: frozenset[str]


@dataclass
class Job:
    """One execution's job: its run, its stores, and a process for each attempt."""

    aws: EmulatedAws
    azure: SimulatedAzure
    folder: Path
    name: str
    regions: tuple[str, ...] = REGIONS
    instance_types: tuple[str, ...] = SIZES
    counts: tuple[int, ...] = (1, 5)
    environment: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 0
    stall: int = -1
    run: Run = field(init=False)

    def __post_init__(self) -> None:
        s3 = cast("S3Client", self.aws.client("s3"))
        dynamodb = cast("DynamoDBClient", self.aws.client("dynamodb"))
        point_to = cast("dict[str, Any]", self.azure.settings())
        self.settings = Settings(write_bucket=self.name, control_table=self.name, clock="run", **point_to)
        s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": REGION})
        make_control_table(dynamodb, self.name)
        self.objects = S3Objects(s3, self.name)
        self.ledger = DynamoDbLedger(dynamodb, self.name)
        self.run = Run(
            run_id=run_id_of(SLOT_AT),
            mode=Mode.FULL,
            desired_counts=self.counts,
            started_at=WallClock().now(),
            owner=f"arn:execution:{self.name}",
            attempt=1,
        )
        self.prepare()

    def prepare(self) -> None:
        """Make what Plan and the sign-in make before the job."""
        sign_in_with(self.aws, self.azure, self.azure.client_secret)
        scope = Scope(
            regions=self.regions, instance_types=self.instance_types, desired_counts=self.counts, filtered=True
        )
        self.objects.delete(keys.attempt_record(SLOT_AT, self.run.attempt))
        write_record(self.objects, AttemptRecord(run=self.run, scope=scope))
        self.azure.set_clock(SLOT_AT)
        self.azure.options(graph_queries=1000)

    # -- attempts --------------------------------------------------------------------------------

    def start(self) -> subprocess.Popen[bytes]:
        """Start the next attempt. Its output goes to ``log``."""
        self.attempts += 1
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ENTRY),
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.aws.environment(),
            "AWS_BATCH_JOB_ATTEMPT": str(self.attempts),
            **self.settings.to_environment(),
            **self.environment,
        }
        command = [sys.executable, "-m", "full_run", "--run", orjson.dumps(self.run.to_dict()).decode()]
        with self.log.open("wb") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd="/")

    def finish(self) -> int:
        """Run an attempt to its end. Returns the exit code."""
        return self.start().wait(timeout=60)

    @property
    def log(self) -> Path:
        """Output of the last attempt."""
        return self.folder / f"{self.name}-{self.attempts}.log"

    def kill_when(
        self, number: signal.Signals, *, seconds: float, enough_done: int = 0, enough_calls: int = 0, **stall: Any
    ) -> int:
        """Start an attempt, kill it while Azure keeps it waiting, and return its exit code.

        Args:
            number: Signal to send.
            seconds: Seconds that Azure keeps the request waiting.
            enough_done: Number of shards that must be finished too.
            enough_calls: Number of calls whose answers must be stored too.
            stall: Fields of the fault rule that stalls a request.
        """
        self.azure.fault(latency_seconds=seconds, times=1, **stall)
        self.stall = len(self.fault_rules()) - 1
        if stall.get("api") == "sps":
            self.azure.fault(api="sps", latency_seconds=_SLOW_SECONDS)  # else all others end while one waits
        process = self.start()

        def is_stalled() -> bool:
            assert process.poll() is None, self.log.read_text()
            stored = self.stored() if self.is_stalled() else None
            return stored is not None and len(stored.done) >= enough_done and len(stored.calls) >= enough_calls

        try:
            wait_for(is_stalled, what=f"a request that fits {stall}")
            process.send_signal(number)
            return process.wait(timeout=60)
        finally:
            process.kill()

    def is_stalled(self) -> bool:
        """Whether the fault rule that is to stall a request has met it (the last one, unless ``kill_when`` says)."""
        return bool(self.fault_rules()[self.stall]["used"])

    def fault_rules(self) -> list[dict[str, Any]]:
        """The rules in force, with how often each was used."""
        rules: list[dict[str, Any]] = self.azure.control("GET", "faults")["rules"]
        return rules

    # -- what they leave -------------------------------------------------------------------------

    def stored(self) -> Stored:
        """The data in the bucket now."""
        prefix = keys.checkpoint(SLOT_AT, self.run.attempt, "").removesuffix(".json.gz")
        done, calls = set(), set()
        for key in self.objects.keys(prefix):
            parts = key.removeprefix(prefix).removesuffix(".json.gz").split("/")
            if parts[0] == "scores":
                calls.add(parts[2])
        for dataset in Dataset:
            shards = self.objects.keys(keys.shards_of_slot(dataset, SLOT_AT))
            done |= {(dataset, keys.region_and_attempt(key)[0]) for key in shards}
        asked = {call.call_id: question(call) for call in self.planned()}
        return Stored(frozenset(done), frozenset(asked[call] for call in calls if call in asked))

    def planned(self) -> list[ScoreCall]:
        """Every placement-score call of the plan; none before it is made."""
        work = read_work(self.objects, SLOT_AT, self.run.attempt)
        return [] if work is None else work.calls()

    def shard(self, dataset: Dataset, region: str) -> tuple[RawShard, list[dict[str, Any]]]:
        """A finished shard and its rows."""
        key = keys.shard(dataset, SLOT_AT, region, self.run.attempt)
        found = self.objects.get(key)
        assert found is not None, key
        shard = open_shard(
            found.body,
            key=key,
            dataset=dataset,
            run_id=self.run.run_id,
            region=region,
            attempt=self.run.attempt,
        )
        return shard, parsed_rows(shard)

    def record(self) -> dict[str, Any]:
        """The job's record."""
        content = read_job_record(self.objects, self.run)
        assert content is not None
        return cast("dict[str, Any]", content)

    def observations(self, counts: Collection[int]) -> dict[Dataset, list[tuple[str, ...]]]:
        """Rows of every shard, in order; placement scores of the given counts only."""
        found = {}
        for dataset, names in _COMPARED.items():
            rows = [row for region in self.regions for row in self.shard(dataset, region)[1]]
            wanted = [row for row in rows if dataset is not Dataset.SPS or row["desired_count"] in counts]
            found[dataset] = sorted(tuple(str(row[name]) for name in names) for row in wanted)
        return found


@dataclass(frozen=True)
class Batch:
    """A queue of spot machines and the job's definition, with what the CDK gives them."""

    aws: EmulatedAws
    queue: str
    definition: str

    @classmethod
    def deploy(cls, aws: EmulatedAws, name: str, settings: Settings) -> Batch:
        """Deploy them for a job with these settings."""
        outputs = {"Queue": {"Fn::GetAtt": ["Queue", "JobQueueArn"]}, "Definition": {"Ref": "Definition"}}
        made = deploy_template(aws, name, _batch_resources(name, settings), outputs)
        return cls(aws, made["Queue"], made["Definition"])

    def submit(self, run: Run) -> str:
        """Submit the job of a run, as the state machine does. Returns its id."""
        parameters = {"run": orjson.dumps(run.to_dict()).decode()}
        answer = self._client.submit_job(
            jobName="full-run", jobQueue=self.queue, jobDefinition=self.definition, parameters=parameters
        )
        return answer["jobId"]

    def ended(self, job_id: str) -> tuple[str, list[int]]:
        """Wait for the job. Returns its status and the exit code of each attempt."""

        def look() -> Any:
            (job,) = self._client.describe_jobs(jobs=[job_id])["jobs"]
            return job if job["status"] in ("SUCCEEDED", "FAILED") else None

        job = wait_for(look, what=f"the end of job {job_id}")
        return job["status"], [attempt["container"]["exitCode"] for attempt in job["attempts"]]

    @property
    def _client(self) -> BatchClient:
        return cast("BatchClient", self.aws.client("batch"))


def _batch_resources(name: str, settings: Settings) -> dict[str, Any]:
    """A small form of what cdk/constructs/full_run_job.py makes; tests/infra compares the retry rules."""
    network = {"SecurityGroupIds": [], "Subnets": [], "InstanceTypes": ["m7g"]}
    return {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": trust("ecs-tasks"),
                "Policies": [{"PolicyName": "all", "PolicyDocument": policy(statement("*"))}],
            },
        },
        "Environment": {
            "Type": "AWS::Batch::ComputeEnvironment",
            "Properties": {"Type": "MANAGED", "ComputeResources": {"Type": "SPOT", "MaxvCpus": 4, **network}},
        },
        "Queue": {
            "Type": "AWS::Batch::JobQueue",
            "Properties": {
                "Priority": 1,
                "JobQueueName": name,
                "ComputeEnvironmentOrder": [
                    {"Order": 1, "ComputeEnvironment": {"Fn::GetAtt": ["Environment", "ComputeEnvironmentArn"]}}
                ],
            },
        },
        "Definition": {
            "Type": "AWS::Batch::JobDefinition",
            "Properties": {
                "Type": "container",
                "Parameters": {"run": "{}"},
                "RetryStrategy": {"Attempts": 5, "EvaluateOnExit": RETRY_RULES},
                "ContainerProperties": {
                    "Image": "none",
                    "Command": ["python", "-m", "full_run", "--run", "Ref::run"],
                    "Environment": [{"Name": key, "Value": value} for key, value in settings.to_environment().items()],
                    "JobRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                    "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": LOG_GROUP}},
                },
            },
        },
    }


def question(call: ScoreCall) -> str:
    """A call as the simulated Azure names it when it counts repetitions (without the slot)."""
    regions, sizes = ",".join(sorted(call.regions)), ",".join(sorted(size.lower() for size in call.instance_types))
    return f"{regions} {sizes} {call.desired_count} True"


def repeated(azure: SimulatedAzure) -> Mapping[str, int]:
    """Questions that were answered more than once, as ``question`` writes them."""
    counted: dict[str, int] = azure.stats()["repeated_calls"]
    return {asked.partition(" ")[2]: times for asked, times in counted.items()}


def sign_in_with(aws: EmulatedAws, azure: SimulatedAzure, secret: str) -> None:
    """Put AzureAuth in production's form, with this secret."""
    seed_credentials(
        aws,
        Settings(),
        tenant_id=azure.tenant_id,
        client_id=azure.client_id,
        client_secret=secret,
        subscriptions=azure.subscriptions,
    )


def make_control_table(dynamodb: DynamoDBClient, name: str) -> None:
    """Make the control table as the stack does."""
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "Key", "KeyType": "HASH"}, {"AttributeName": "Sort", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "Key", "AttributeType": "S"},
            {"AttributeName": "Sort", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
