"""The first merge of a full-size run into an empty table of the emulated AWS: ``python -m benchmarks.upsert``.

Prints the seconds of the upsert and what a second merge of the same run writes. Exit code 1 when that is anything, or
when the upsert takes longer than a minute.
"""

from __future__ import annotations

import sys
import time

from botocore.config import Config
from rich.console import Console

from benchmarks.merge.deps import merge_deps
from benchmarks.merge.runs import run_at
from benchmarks.merge.world import FullWorld
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.workloads import DynamoDbWorkloads, Upserted
from spotlake.usecases.merge.merge_run import merge_run
from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import REGION, EmulatedAws
from spotlake_local.workspace import ROOT

TABLE = "azure-test"
MOST_SECONDS = 60.0


def main() -> int:
    """Make the table, merge twice."""
    console, objects, run = Console(), MemoryObjects(), run_at(0)
    with (
        EmulatedAws.start(None, lambda_python=lambda_python(ROOT)) as aws,
        console.status("making a full-size run") as status,
    ):
        FullWorld().write_run(objects, run)
        client = aws.session().client(
            "dynamodb",
            endpoint_url=aws.endpoint_url,
            region_name=REGION,
            config=Config(parameter_validation=False, max_pool_connections=32),  # as the merge function has it
        )
        client.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "InstanceType", "KeyType": "HASH"},
                {"AttributeName": "Workload", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("InstanceType", "Workload")
            ],
            BillingMode="PAY_PER_REQUEST",
        )

        def merge() -> Upserted:
            deps = merge_deps(objects, DynamoDbWorkloads(client, TABLE), run)
            return merge_run(run, [], deps).upserted

        status.update("merging into an empty table")
        began = time.monotonic()
        first = merge()
        seconds = time.monotonic() - began
        status.update("merging again")
        second = merge()
    again = second.written
    console.print(
        f"{first.written:,} new items merged and upserted in {seconds:.1f} s; the same run again: {again} items"
    )
    return 0 if seconds < MOST_SECONDS and again == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
