"""Tables of the change history for Athena, and a workgroup. Off by default; not tested against AWS.

Partitions follow from the keys (partition projection; Athena user guide, "Use partition projection", read 2026-11), so
there is no crawler, and a new day needs no step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from constructs import Construct

from cdk.settings import StackSettings
from spotlake import keys
from spotlake.published import columns
from spotlake.published.columns import Column

RESULTS_PREFIX = "athena/"
_MOST_BYTES_OF_A_QUERY = 10 * 1024**3  # 0.05 USD at 5 USD a TB (Athena pricing, read 2026-11)
_KINDS = {"string": "string", "number": "double", "integer": "tinyint", "boolean": "boolean", "datetime": "timestamp"}
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet.{}"
_FIRST = {"day": "2025-01-01,NOW", "month": "2025-01,NOW"}
_FORMS = {"day": ("yyyy-MM-dd", "DAYS"), "month": ("yyyy-MM", "MONTHS")}


@dataclass(frozen=True)
class _Table:
    name: str
    prefix: str
    partition: str
    columns: Sequence[Column]


_TABLES = (
    _Table("days", keys.HISTORY_DAYS_PREFIX, "day", columns.CHANGES),
    _Table("states", keys.HISTORY_STATES_PREFIX, "day", columns.STATE),
    _Table("workloads", keys.HISTORY_REGIONS_PREFIX, "month", columns.CHANGES),
)


class Athena(Construct):
    """Glue database, tables and workgroup. Who asks needs rights of their own to read the bucket."""

    def __init__(self, scope: Construct, name: str, *, settings: StackSettings) -> None:
        super().__init__(scope, name)
        if not settings.athena_enabled:
            return
        bucket = f"s3://{settings.running.write_bucket}/"
        database_name = settings.stack_name.replace("-", "_")
        account = cdk.Stack.of(self).account
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(name=database_name),
        )
        for one in _TABLES:
            table = glue.CfnTable(
                self,
                one.name.capitalize(),
                catalog_id=account,
                database_name=database_name,
                table_input=_table_input(one, bucket),
            )
            table.add_dependency(database)
        results = athena.CfnWorkGroup.ResultConfigurationProperty(
            output_location=bucket + RESULTS_PREFIX,
            encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(encryption_option="SSE_S3"),
        )
        athena.CfnWorkGroup(
            self,
            "WorkGroup",
            name=settings.stack_name,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                bytes_scanned_cutoff_per_query=_MOST_BYTES_OF_A_QUERY,
                result_configuration=results,
            ),
        )


def _table_input(table: _Table, bucket: str) -> glue.CfnTable.TableInputProperty:
    form, unit = _FORMS[table.partition]
    projection = f"projection.{table.partition}"
    return glue.CfnTable.TableInputProperty(
        name=table.name,
        table_type="EXTERNAL_TABLE",
        partition_keys=[glue.CfnTable.ColumnProperty(name=table.partition, type="string")],
        parameters={
            "classification": "parquet",
            "projection.enabled": "true",
            f"{projection}.type": "date",
            f"{projection}.range": _FIRST[table.partition],
            f"{projection}.format": form,
            f"{projection}.interval": "1",
            f"{projection}.interval.unit": unit,
            "storage.location.template": f"{bucket}{table.prefix}{table.partition}=${{{table.partition}}}/",
        },
        storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
            location=bucket + table.prefix,
            columns=[
                glue.CfnTable.ColumnProperty(name=one.name, type=_kind(one), comment=one.what) for one in table.columns
            ],
            input_format=_PARQUET.format("MapredParquetInputFormat"),
            output_format=_PARQUET.format("MapredParquetOutputFormat"),
            serde_info=glue.CfnTable.SerdeInfoProperty(serialization_library=_PARQUET.format("serde.ParquetHiveSerDe")),
        ),
    )


def _kind(column: Column) -> str:
    # The files hold it as four bytes, and Athena reads no column as another width.
    return "float" if column.name == "interruption_frequency" else _KINDS[column.type]
