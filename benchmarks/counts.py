"""Counts what one run asks of AWS and Azure, in front of the emulated ones: ``python -m benchmarks.counts``.

The table of docs/costs.md multiplies these counts by prices. They stand in counts.json: ``full`` is a ten-minute run of
every region, ``small`` one of three regions and few sizes. ``make test`` counts the small one again and compares it
(tests/end_to_end). Each is the second run of an archive, in which nearly every row changes. Run this again, and then
``python -m benchmarks.costs``, after a change of what a run asks. ``--small`` counts the small one alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from spotlake import keys
from spotlake.costs.counting import Requests
from spotlake.models import from_iso, run_id_of
from spotlake.run_files import parse_execution, parse_manifest
from spotlake_local.aws.counting import FILE_VARIABLE, Sent, by_operation, read_requests
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.commands.run import DEFAULT_SUBSCRIPTIONS
from spotlake_local.following import Ended
from spotlake_local.local_run import LocalRun
from spotlake_local.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient
    from mypy_boto3_stepfunctions.client import SFNClient

type Wanted = dict[str, Any]

COUNTS = Path(__file__).with_name("counts.json")
SLOTS = ("2025-12-15T10:00:00Z", "2025-12-15T10:10:00Z")
_THREE: Wanted = {"mode": "auto", "regions": ["koreacentral", "eastus", "westus"]}
# What the two runs ask; the small ones are those of tests/end_to_end, the second of which README shows.
RUNS: dict[str, tuple[Wanted, Wanted]] = {
    "small": (
        {**_THREE, "instance_types": ["Standard_D2*"]},
        {**_THREE, "instance_types": ["Standard_D*"], "desired_count": 5},
    ),
    "full": ({"mode": "auto"}, {"mode": "auto"}),
}
_LOG_OVERHEAD_BYTES = 26  # of each event, which CloudWatch Logs adds (PutLogEvents, API reference, 2026-11)


class OfFunction(TypedDict):
    """One function in a run: its invocations, and what all of them asked. Seconds of a busy machine say nothing."""

    invocations: int
    requests: Requests


class Counts(TypedDict):
    """One run. ``operations`` are all requests of the stack to S3 and DynamoDB, counted by the emulated AWS."""

    counted_on: str
    regions: int
    rows: int
    states: int
    children: int
    operations: dict[str, int]
    functions: dict[str, OfFunction]
    items_written: int
    write_units: float
    score_calls: int
    token_requests: int
    azure_answers: dict[str, int]
    log_bytes: int
    kept_bytes: int
    replaced_bytes: int


class CountedRun(LocalRun):
    """A local run that keeps what only the running processes know."""

    states, children, log_bytes = 0, 0, 0
    answers: dict[str, int]

    def _execute(self, aws: EmulatedAws, azure: SimulatedAzure | None, machine_arn: str) -> tuple[Ended, Ended | None]:
        began_ms = int(datetime.now(UTC).timestamp() * 1000)
        before = Counter(azure.stats()["answers"]) if azure else Counter[str]()
        ended = super()._execute(aws, azure, machine_arn)
        self.answers = dict(Counter(azure.stats()["answers"]) - before) if azure else {}
        workflows = cast("SFNClient", aws.client("stepfunctions"))
        newest = max(
            workflows.list_executions(stateMachineArn=machine_arn)["executions"], key=lambda one: one["startDate"]
        )
        pages = workflows.get_paginator("get_execution_history").paginate(executionArn=newest["executionArn"])
        kinds = Counter(event["type"] for page in pages for event in page["events"])
        self.states = sum(number for kind, number in kinds.items() if kind.endswith("StateEntered"))
        runs = workflows.list_map_runs(executionArn=newest["executionArn"])["mapRuns"]
        self.children = sum(
            workflows.describe_map_run(mapRunArn=one["mapRunArn"])["itemCounts"]["total"] for one in runs
        )
        self.log_bytes = _log_bytes(cast("CloudWatchLogsClient", aws.client("logs")), began_ms)
        return ended


def _log_bytes(logs: CloudWatchLogsClient, since_ms: int) -> int:
    size = 0
    for group in logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"], startTime=since_ms)
        size += sum(len(event["message"].encode()) + _LOG_OVERHEAD_BYTES for page in pages for event in page["events"])
    return size


def count(folder: Path, runs: tuple[Wanted, Wanted]) -> Counts:
    """Do two runs in a folder, and count the second one."""
    file = folder / "requests.jsonl"
    os.environ[FILE_VARIABLE] = str(file)
    workspace = Workspace(folder / "state")
    after = 0
    sent: list[Sent] = []
    for slot, wanted in zip(SLOTS, runs, strict=True):
        with workspace.alone() as lock:
            run = CountedRun(
                workspace,
                wanted={**wanted, "timestamp": slot},
                floored=False,
                subscriptions=DEFAULT_SUBSCRIPTIONS,
                live_credentials=None,
                lock=lock,
            )
            if run.run():
                raise SystemExit(f"the run of {slot} failed: see {workspace.folder}")
        sent, after = read_requests(file, after=after)
    return _counts(workspace, run, sent)


def _counts(workspace: Workspace, run: CountedRun, sent: list[Sent]) -> Counts:
    slot_at, files = from_iso(SLOTS[-1]), workspace.outputs
    manifest = parse_manifest((files / keys.manifest(slot_at)).read_bytes(), "manifest")
    execution = parse_execution((files / keys.execution(slot_at)).read_bytes(), "execution")
    kept, replaced = _written_bytes(sent)
    return {
        "counted_on": f"{datetime.now(UTC):%Y-%m-%d}",
        "regions": manifest["regions_requested"],
        "rows": manifest["rows"]["merged"],
        "states": run.states,
        "children": run.children,
        "operations": by_operation(one for one in sent if one.service in ("s3", "dynamodb")),
        "functions": {
            name: {
                "invocations": one["invocations"],
                "requests": one["aws_requests"],
            }
            for name, one in execution["functions"].items()
        },
        "items_written": manifest["written_items"],
        "write_units": manifest["consumed_write_units"],
        "score_calls": manifest["sps_calls"],
        "token_requests": sum(number for name, number in run.answers.items() if name.startswith("token ")),
        "azure_answers": dict(sorted(run.answers.items())),
        "log_bytes": run.log_bytes,
        "kept_bytes": kept,
        "replaced_bytes": replaced,
    }


def _written_bytes(sent: Iterable[Sent]) -> tuple[int, int]:
    """Bytes of objects that name the slot and are kept, and of those that each run replaces or that expire."""
    slot = f"{from_iso(SLOTS[-1]):%Y/%m/%d/%H-%M}"
    kept, replaced = 0, 0
    for one in sent:
        if one.service == "s3" and one.operation == "PutObject":
            is_kept = slot in one.path and keys.WORK_PREFIX not in one.path
            kept, replaced = kept + one.bytes_sent * is_kept, replaced + one.bytes_sent * (not is_kept)
    return kept, replaced


def main(arguments: list[str] | None = None) -> int:
    """Count, and write counts.json."""
    parser = argparse.ArgumentParser(description="Count what a run asks of AWS and Azure")
    parser.add_argument("--small", action="store_true", help="count the small run alone, in a minute")
    given = parser.parse_args(arguments)
    counts: dict[str, Counts] = json.loads(COUNTS.read_bytes()) if COUNTS.exists() else {}
    for name, runs in RUNS.items():
        if name == "small" or not given.small:
            with tempfile.TemporaryDirectory(prefix="spotlake-counts-") as folder:
                counts[name] = count(Path(folder), runs)
            print(f"{run_id_of(from_iso(SLOTS[-1]))}, {name}: counted")
    COUNTS.write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
