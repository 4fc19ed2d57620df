"""Grants: each role may do what its handler needs, limited by key prefix and leading key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns

from cdk.acknowledgements import acknowledge
from cdk.constructs.full_run_job import FullRunJob
from cdk.constructs.functions import Functions
from cdk.constructs.storage import SNAPSHOT_PREFIX, Storage
from cdk.constructs.workflow import MAP_LABEL, Workflow
from cdk.settings import StackSettings
from spotlake import keys
from spotlake.models import Dataset

_PRODUCTION_FILES = (
    keys.PRODUCTION_SPS_METADATA,
    keys.PRODUCTION_MAPS,
    keys.PRODUCTION_INVALID_REGIONS,
    keys.PRODUCTION_INVALID_INSTANCE_TYPES,
)
_CONTROL_READ = ("dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem")
_CONTROL_WRITE = ("dynamodb:PutItem", "dynamodb:UpdateItem")
_SHARD_PREFIX = "rawdata/azure/{}/"
# What Plan itself changes of the state; the chain, the merged states and the lessons are others'.
_PLANNED = (keys.CALL_PLAN, keys.SWEEP, keys.LOCATIONS, keys.PRODUCTION_SEEN, keys.FULL_RUNS)
_LOCALFILE_PREFIX = "rawdata/azure/localfile/"
_SNAPSHOTS = f"{SNAPSHOT_PREFIX}*"


def grant_all(
    *,
    settings: StackSettings,
    storage: Storage,
    functions: Functions,
    job: FullRunJob,
    workflow: Workflow,
    topic: sns.ITopic,
) -> None:
    """Write every grant of the stack."""
    granter = _Granter(settings, storage)
    roles = {name: function.role for name, function in functions.by_name.items() if function.role}
    granter.plan(roles["plan"], workflow)
    granter.collector(roles["sps"], Dataset.SPS, signs_in=True)
    granter.collector(roles["price"], Dataset.PRICE, signs_in=False)
    granter.collector(roles["eviction"], Dataset.EVICTION, signs_in=True)
    granter.turns(roles["eviction"])
    granter.price_history(roles["eviction"])
    granter.quota(roles["sps"])
    granter.merge(roles["merge"])
    granter.history(roles["history"])
    granter.report(roles["report"])
    granter.notify(roles["notify"], topic)
    granter.full_run(job.job_role)
    _grant_workflow(workflow, functions, job)


class _Granter:
    def __init__(self, settings: StackSettings, storage: Storage) -> None:
        self.running = settings.running
        self.storage = storage
        self.settings = settings

    def plan(self, role: iam.IRole, workflow: Workflow) -> None:
        self._read_production(role)
        self._read(role, keys.STATE_PREFIX, keys.WORK_PREFIX, keys.MANIFEST_PREFIX, "rawdata/azure/")
        self._write(role, *_PLANNED, keys.WORK_PREFIX)
        self._control(role, "claim", write=True)
        self._scan_quota(role)
        self._sign_in(role)
        machine = workflow.machine
        stack = cdk.Stack.of(machine)
        executions = stack.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{self.settings.stack_name}-collector:*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        _allow(role, ["states:DescribeExecution"], [executions])

    def collector(self, role: iam.IRole, dataset: Dataset, *, signs_in: bool) -> None:
        # Its own shards too, because a stored shard is never overwritten.
        own = _SHARD_PREFIX.format(dataset.value)
        self._read(role, keys.STATE_PREFIX, keys.WORK_PREFIX, own)
        doubts = () if dataset is Dataset.SPS else (f"{keys.DOUBTS_PREFIX}{dataset.value}/",)
        self._write(role, own, *doubts)
        if signs_in:
            self._sign_in(role)

    def price_history(self, role: iam.IRole) -> None:
        """The second witness of prices, which the collector of eviction rates asks."""
        self._read(role, keys.PRICE_HISTORY_PREFIX)
        self._write(role, keys.PRICE_HISTORY_PREFIX)

    def turns(self, role: iam.IRole) -> None:
        """Turns at Resource Graph: one write per query."""
        self._control(role, "turn#*", write=True)

    def quota(self, role: iam.IRole) -> None:
        """The ledger: items of any location, because a call may fall back to another location."""
        self._control(role, "quota#*", write=True)

    def merge(self, role: iam.IRole) -> None:
        shards = [_SHARD_PREFIX.format(dataset.value) for dataset in Dataset]
        written = (
            _SNAPSHOTS, *keys.NEWEST_FILES, keys.STATE_PREFIX, keys.WORK_PREFIX, keys.MANIFEST_PREFIX
        )  # fmt: skip
        self._read(role, *shards, keys.PRICE_HISTORY_PREFIX, *written)
        self._write(role, *written)
        # States that the chain no longer needs.
        states = f"{keys.MERGED_STATES_PREFIX}*"
        _allow(role, ["s3:DeleteObject"], [f"{_bucket_arn(self.running.write_bucket)}/{states}"])
        table = self.storage.workloads.table_arn
        actions = ("PutItem", "UpdateItem", "GetItem", "BatchGetItem", "PartiQLInsert", "PartiQLUpdate")
        _allow(role, [f"dynamodb:{action}" for action in actions], [table])

    def history(self, role: iam.IRole) -> None:
        written = keys.HISTORY_PREFIX, keys.LATEST_TABLE, keys.DATA_PACKAGE
        self._read(
            role,
            keys.MERGED_CHAIN,
            keys.MERGED_STATES_PREFIX,
            keys.MANIFEST_PREFIX,
            keys.PRICE_HISTORY_PREFIX,
            *written,
        )
        self._write(role, *written)

    def report(self, role: iam.IRole) -> None:
        # The page compares the snapshot of this run with the one before.
        self._read(role, keys.STATE_PREFIX, keys.WORK_PREFIX, keys.MANIFEST_PREFIX, _LOCALFILE_PREFIX, _SNAPSHOTS)
        self._write(role, _LOCALFILE_PREFIX, keys.MANIFEST_PREFIX)
        self._control(role, "claim", write=True)

    def notify(self, role: iam.IRole, topic: sns.ITopic) -> None:
        self._read(role, keys.STATE_PREFIX)
        self._write(role, keys.HEALTH)
        self._control(role, "claim", write=True)
        topic.grant_publish(role)
        if self.running.slack_webhook_parameter:
            self._parameter(role, self.running.slack_webhook_parameter, cdk.Stack.of(role).region)

    def full_run(self, role: iam.IRole) -> None:
        self._read_production(role)
        self._read(role, keys.STATE_PREFIX, keys.WORK_PREFIX, "rawdata/azure/")
        self._write(
            role, *_PLANNED, keys.CATALOGUE, keys.PRICE_MEMORY, keys.SIZES, keys.DOUBTS_PREFIX, keys.WORK_PREFIX,
            keys.SIZES_PREFIX, keys.LATEST_SIZES,
            *(_SHARD_PREFIX.format(dataset.value) for dataset in Dataset),
        )  # fmt: skip
        self.quota(role)
        self.turns(role)
        self._sign_in(role)

    # -- building blocks -------------------------------------------------------------------------

    def _read(self, role: iam.IRole, *prefixes: str) -> None:
        bucket = _bucket_arn(self.running.write_bucket)
        _allow(role, ["s3:GetObject"], _objects(bucket, prefixes))
        # Without the right to list, S3 answers 403 for a missing object instead of 404.
        _allow(role, ["s3:ListBucket"], [bucket])

    def _write(self, role: iam.IRole, *prefixes: str) -> None:
        _allow(role, ["s3:PutObject"], _objects(_bucket_arn(self.running.write_bucket), prefixes))

    def _read_production(self, role: iam.IRole) -> None:
        if not self.running.read_bucket:
            return
        bucket = _bucket_arn(self.running.read_bucket)
        _allow(role, ["s3:GetObject"], _objects(bucket, _PRODUCTION_FILES))
        _allow(role, ["s3:ListBucket"], [bucket])

    def _control(self, role: iam.IRole, leading_key: str, *, write: bool) -> None:
        actions = [*_CONTROL_READ, *(_CONTROL_WRITE if write else ())]
        condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [leading_key]}}
        _allow(role, actions, [self.storage.control.table_arn], condition)

    def _scan_quota(self, role: iam.IRole) -> None:
        self._control(role, "quota#*", write=False)

    def _sign_in(self, role: iam.IRole) -> None:
        """What reads the stored identity, and with federation the role that is our name towards Azure."""
        running, stack = self.running, cdk.Stack.of(self.storage)
        if running.azure_role_arn:
            _allow(role, ["sts:AssumeRole"], [running.azure_role_arn])
        if running.auth_store == "table":
            table = stack.format_arn(
                service="dynamodb", region=running.auth_region, resource=f"table/{running.auth_table}"
            )
            condition = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [running.auth_item]}}
            _allow(role, ["dynamodb:GetItem"], [table], condition)
        elif running.auth_store == "ssm":
            self._parameter(role, running.auth_name, running.auth_region)
        elif running.auth_store == "secretsmanager":
            self._secret(role)

    def _secret(self, role: iam.IRole) -> None:
        """A secret's ARN ends with six characters that AWS chooses (Secrets Manager user guide, read 2026-11)."""
        running, stack = self.running, cdk.Stack.of(role)
        secret = stack.format_arn(
            service="secretsmanager",
            region=running.auth_region,
            resource="secret",
            resource_name=f"{running.auth_name}-??????",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        _allow(role, ["secretsmanager:GetSecretValue"], [secret])
        self._decrypt(role, "secretsmanager", running.auth_region, "SecretARN", secret)

    def _parameter(self, role: iam.IRole, name: str, region: str) -> None:
        parameter = cdk.Stack.of(role).format_arn(
            service="ssm", region=region, resource=f"parameter/{name.lstrip('/')}"
        )
        _allow(role, ["ssm:GetParameter"], [parameter])
        self._decrypt(role, "ssm", region, "PARAMETER_ARN", parameter)

    def _decrypt(self, role: iam.IRole, service: str, region: str, context: str, resource: str) -> None:
        """With a key of the account's own: both stores name what they decrypt in the encryption context.

        Sources: docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html, and "Secret encryption and
        decryption" of the Secrets Manager user guide (read 2026-11).
        """
        stack = cdk.Stack.of(role)
        is_pattern = "?" in resource
        condition = {"StringEquals": {"kms:ViaService": f"{service}.{region}.{stack.url_suffix}"}}
        condition.setdefault("StringLike" if is_pattern else "StringEquals", {})[f"kms:EncryptionContext:{context}"] = (
            resource
        )
        keys_of_region = stack.format_arn(service="kms", region=region, resource="key", resource_name="*")
        _allow(role, ["kms:Decrypt"], [keys_of_region], condition)
        reason = "Whichever key encrypts this one secret or parameter, and for it alone"
        where = "<AWS::Region>" if cdk.Token.is_unresolved(region) else region
        acknowledge(role, f"IAM5[Resource::arn:<AWS::Partition>:kms:{where}:<AWS::AccountId>:key/*]", reason)


def _grant_workflow(workflow: Workflow, functions: Functions, job: FullRunJob) -> None:
    role = workflow.role
    _allow(role, ["lambda:InvokeFunction"], [function.function_arn for function in functions.by_name.values()])
    # Every revision: an execution that began before a deployment submits the one that it began with.
    revisions = cdk.Stack.of(job).format_arn(
        service="batch", resource="job-definition", resource_name=f"{job.definition_name}:*"
    )
    _allow(role, ["batch:SubmitJob"], [revisions, job.queue.job_queue_arn])
    jobs = cdk.Stack.of(workflow).format_arn(service="batch", resource="job", resource_name="*")
    _allow(role, ["batch:TerminateJob"], [jobs])
    # It has no resource-level permissions (service authorization reference, 2026-11).
    _allow(role, ["batch:DescribeJobs"], ["*"])
    rule = cdk.Stack.of(workflow).format_arn(
        service="events", resource="rule", resource_name="StepFunctionsGetEventsForBatchJobsRule"
    )
    # The daily full run is an execution of its own, and so is each group of regions of the distributed Map.
    machine = cdk.Stack.of(workflow).format_arn(
        service="states",
        resource="stateMachine",
        resource_name=workflow.machine_name,
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
    _allow(role, ["states:StartExecution"], [machine])
    # Step Functions starts, watches and redrives the Map's children with this role. Their names have the Map's label.
    # As the CDK grants it for a distributed Map (2.275), and "Redriving Map Runs" (developer guide, read 2026-11).
    executions, children = (
        cdk.Stack.of(workflow).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{name}:*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        for name in (workflow.machine_name, f"{workflow.machine_name}/{MAP_LABEL}")
    )
    _allow(role, ["states:DescribeExecution", "states:StopExecution"], [executions, children])
    _allow(role, ["states:RedriveExecution"], [children])
    _allow(role, ["events:PutTargets", "events:PutRule", "events:DescribeRule"], [rule])


def _allow(
    role: iam.IRole, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, object] | None = None
) -> None:
    statement = iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions)
    role.add_to_principal_policy(statement)
    for resource in resources:
        if resource.startswith("arn:aws:s3:::") and resource.endswith("*"):
            acknowledge(role, f"IAM5[Resource::{resource}]", "Objects below one folder of one bucket")


def _bucket_arn(name: str) -> str:
    return f"arn:aws:s3:::{name}"


def _objects(bucket: str, places: Sequence[str]) -> list[str]:
    """ARNs of objects. A place that ends in "/" is a folder; any other place is a key or a pattern."""
    return [f"{bucket}/{place}*" if place.endswith("/") else f"{bucket}/{place}" for place in places]
