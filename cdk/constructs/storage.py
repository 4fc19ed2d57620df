"""The write bucket, the workload table, the control table."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.constructs.athena import RESULTS_PREFIX
from cdk.settings import StackSettings
from spotlake import keys

_OLD_WORK_DAYS = (
    14  # work, checkpoints and ends of attempts; changes of single slots, which stand in the files of their days
)
SNAPSHOT_PREFIX = "rawdata/azure/2"  # folders of years; the other folders' names begin with a letter
_RESULT_DAYS = 7  # results of Athena's queries
TTL_ATTRIBUTE = "ExpiresAt"


class Storage(Construct):
    """Bucket and tables. They stay when the stack is removed, or when its creation fails.

    They keep their names, so the next deployment adopts them (``--import-existing-resources``).
    ``RetainExceptOnCreate`` is not used, because it could remove data that a failed creation had adopted. A protected
    table cannot be removed anyway.
    """

    def __init__(self, scope: Construct, name: str, *, settings: StackSettings) -> None:
        super().__init__(scope, name)
        running = settings.running
        if settings.create_bucket:
            self.bucket: s3.IBucket = self._build_bucket(settings)
        else:
            self.bucket = s3.Bucket.from_bucket_name(self, "Bucket", running.write_bucket)
        if settings.create_table:
            self.workloads: dynamodb.ITable = self._build_table(
                "Workloads",
                running.workload_table,
                ("InstanceType", "Workload"),
                settings,
                units=(settings.table_read_units, settings.table_write_units) if settings.table_write_units else None,
            )
        else:
            self.workloads = dynamodb.Table.from_table_name(self, "Workloads", running.workload_table)
        if settings.create_control_table:
            self.control: dynamodb.ITable = self._build_table(
                "Control", running.control_table, ("Key", "Sort"), settings
            )
        else:
            self.control = dynamodb.Table.from_table_name(self, "Control", running.control_table)

    def _build_bucket(self, settings: StackSettings) -> s3.Bucket:
        rules = [
            # Versions allow to undo a mistaken overwrite for some days. The archive is the current objects.
            s3.LifecycleRule(
                noncurrent_version_expiration=cdk.Duration.days(settings.old_version_days),
                abort_incomplete_multipart_upload_after=cdk.Duration.days(1),
            ),
            # Files of the newest slot are whole, large and written each slot; ``spotlake rebuild`` makes them again.
            *(
                s3.LifecycleRule(prefix=prefix, noncurrent_version_expiration=cdk.Duration.days(1))
                for prefix in ("latest_data/", "query-selector/")
            ),
            # No rule for the merged states: the merge deletes those that the chain does not name.
            s3.LifecycleRule(prefix=keys.WORK_PREFIX, expiration=cdk.Duration.days(_OLD_WORK_DAYS)),
            s3.LifecycleRule(prefix=keys.HISTORY_RUNS_PREFIX, expiration=cdk.Duration.days(_OLD_WORK_DAYS)),
            s3.LifecycleRule(prefix=keys.STATE_PREFIX + "work/", expiration=cdk.Duration.days(_OLD_WORK_DAYS)),
        ]
        if settings.rawdata_expire_days:
            expiration = cdk.Duration.days(settings.rawdata_expire_days)
            rules.append(s3.LifecycleRule(prefix="rawdata/azure/", expiration=expiration))
        if settings.athena_enabled:
            rules.append(s3.LifecycleRule(prefix=RESULTS_PREFIX, expiration=cdk.Duration.days(_RESULT_DAYS)))
        if settings.snapshot_expire_days:
            expiration = cdk.Duration.days(settings.snapshot_expire_days)
            rules.append(s3.LifecycleRule(prefix=SNAPSHOT_PREFIX, expiration=expiration))
        return s3.Bucket(
            self,
            "Bucket",
            bucket_name=settings.running.write_bucket,
            versioned=True,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            lifecycle_rules=rules,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def _build_table(
        self,
        name: str,
        table_name: str,
        key: tuple[str, str],
        settings: StackSettings,
        *,
        units: tuple[int, int] | None = None,
    ) -> dynamodb.Table:
        """A table that is paid by request, or that has provisioned units for reads and writes."""
        partition, sort = key
        read, write = units or (None, None)
        return dynamodb.Table(
            self,
            name,
            table_name=table_name,
            partition_key=dynamodb.Attribute(name=partition, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=sort, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PROVISIONED if units else dynamodb.BillingMode.PAY_PER_REQUEST,
            read_capacity=read,
            write_capacity=write,
            time_to_live_attribute=TTL_ATTRIBUTE,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=settings.deletion_protection,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
