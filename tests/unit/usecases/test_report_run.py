"""The record of a run's execution, field by field, with the job of a full run and without."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import pytest

from spotlake import keys
from spotlake.clock import ManualClock
from spotlake.events import ReportEvent
from spotlake.models import Mode, Run
from spotlake.run_files import JobRecord
from spotlake.state.checkpoints import write_job_record
from spotlake.stores.claims import MemoryClaims
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.report.report_run import ReportDeps, _collection_seconds, memory_csv, report_run

AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
RUN = Run(
    run_id="20251215T1000Z", attempt=4, mode=Mode.FULL, desired_counts=(1,), started_at=AT - timedelta(seconds=5),
    owner="arn:1",
)  # fmt: skip
REQUESTS = {"s3_puts": 1, "s3_gets": 3, "dynamodb_writes": 7, "dynamodb_reads": 2}


def step(seconds: float, peak: float, **fields: Any) -> dict[str, Any]:
    return {
        "status": "complete", "rows": 3, "began_at": "2025-12-15T10:00:01+00:00", "seconds": seconds,
        "peak_memory_mb": peak, "memory_limit_mb": 256, "init_seconds": 0.5, "aws_requests": REQUESTS,
        "counts": {"requests": 2}, "error": None, **fields,
    }  # fmt: skip


def told(service: str, region: str | None, seconds: float, peak: float | None, **fields: Any) -> dict[str, Any]:
    return {"service": service, "region": region, **step(seconds, cast("float", peak)), **fields}


EVENT = cast(
    "ReportEvent",
    {
        "run": RUN.to_dict(),
        "plan": step(1.0, 80.0, status="planned", rows=None, groups=[["a"], ["b"]], secret_days_left=40),
        "collectors": [
            step(4.0, 90.0, dataset="sps", region="a"),
            step(2.0, 95.0, dataset="spot_price", region="b", began_at="2025-12-15T10:00:03.5+00:00", error="E"),
            {"dataset": "spot_if", "region": "b", "status": "failed"},
        ],
        "merge": step(
            9.0, 300.0, rows={"merged": 12}, status="partial", findings=["items_left"], changed_rows=5,
            consumed_write_units=6.0,
        ),
    },
)  # fmt: skip
SILENT: dict[str, Any] = {
    "rows": None, "began_at": None, "seconds": None, "peak_memory_mb": None, "memory_limit_mb": None,
    "init_seconds": None, "aws_requests": None, "counts": {}, "status": "failed", "error": None,
}  # fmt: skip
COLLECTORS = [
    told("sps", "a", 4.0, 90.0),
    told("price", "b", 2.0, 95.0, began_at="2025-12-15T10:00:03.5+00:00", error="E"),
    {"service": "eviction", "region": "b", **SILENT},
]
JOB: JobRecord = {
    "attempts": 2, "seconds": 70.5, "instance_type": "c7g.large",
    "collectors": [cast("Any", told("sps", "c", 8.0, 1.0))],
    "memory": [
        {"Timestamp": f"2025-12-15T10:0{minute}:00Z", "Service": "full_run", "PID": "7", "Memory_MB": mb,
         "Kind": "sample", "Region": ""}
        for minute, mb in ((2, 150.0), (1, 180.0))
    ],
}  # fmt: skip


class Noting(MemoryObjects):
    """Notes how each object is put."""

    def __init__(self) -> None:
        super().__init__("archive", {})
        self.put_as: dict[str, dict[str, Any]] = {}

    def put(self, key: str, body: Any, **options: Any) -> Any:
        self.put_as[key] = options
        return super().put(key, body, **options)


def reported(*, job: JobRecord | None, event: ReportEvent = EVENT) -> tuple[Noting, Any, Any]:
    objects, claims = Noting(), MemoryClaims()
    if job:
        write_job_record(objects, RUN, job)
    wall = ManualClock(AT + timedelta(seconds=100))
    deps = ReportDeps(objects=objects, claims=claims, wall=wall, azure="simulated", architecture="arm64")
    result = report_run(event, deps)
    return objects, result, orjson.loads(objects.objects[keys.execution(RUN.slot_at)])


def test_the_record_of_a_run_says_what_each_step_took() -> None:
    objects, result, found = reported(job=None)
    functions = found.pop("functions")
    cost = found.pop("cost")
    assert found == {
        "schema": 1, "run_id": "20251215T1000Z", "attempt": 4, "mode": "full", "azure": "simulated",
        "architecture": "arm64", "status": "partial", "started_at": "2025-12-15T09:59:55Z",
        "finished_at": "2025-12-15T10:01:40Z", "collection_seconds": 4.5, "merge_seconds": 9.0, "total_seconds": 105.0,
        "instance_type": None, "findings": ["items_left"], "changed_rows": 5, "merged_rows": 12,
        "secret_days_left": 40, "collectors": COLLECTORS,
    }  # fmt: skip
    assert {name: (one["invocations"], one["seconds"], one["peak_memory_mb"]) for name, one in functions.items()} == {
        "plan": (1, 1.0, 80.0), "sps": (1, 4.0, 90.0), "price": (1, 2.0, 95.0), "eviction": (1, 0.0, None),
        "merge": (1, 9.0, 300.0),
    }  # fmt: skip
    assert (result["status"], result["total_seconds"], result["cost_usd"]) == ("reported", 105.0, cost["total_usd"])
    page, execution, memory = keys.report_page(AT), keys.execution(AT), keys.memory_samples(AT)
    assert result["outputs"][:2] == [execution, memory]
    assert objects.put_as[execution] == {"content_type": "application/json"}
    assert objects.put_as[memory] == {"content_type": "application/gzip"}
    assert objects.put_as.get(page, {"content_type": "text/html; charset=utf-8", "content_encoding": "gzip"}) == {
        "content_type": "text/html; charset=utf-8", "content_encoding": "gzip",
    }  # fmt: skip


def test_each_peak_is_a_line_of_the_memory_file() -> None:
    objects, _, _ = reported(job=JOB)
    rows = list(csv.reader(io.StringIO(gzip.decompress(objects.objects[keys.memory_samples(AT)]).decode())))
    at = "2025-12-15T10:01:40Z"
    assert rows == [
        ["Timestamp", "Service", "PID", "Memory_MB", "Kind", "Region"],
        [at, "plan", "", "80.0", "peak", ""], [at, "sps", "", "90.0", "peak", "a"],
        [at, "price", "", "95.0", "peak", "b"], [at, "merge", "", "300.0", "peak", ""],
        ["2025-12-15T10:02:00Z", "full_run", "7", "150.0", "sample", ""],
        ["2025-12-15T10:01:00Z", "full_run", "7", "180.0", "sample", ""],
    ]  # fmt: skip
    assert memory_csv([])[4:8] == bytes(4)  # no time: the same samples make the same bytes


def test_a_full_run_is_told_by_its_job() -> None:
    _, _, found = reported(job=JOB)
    assert (found["collection_seconds"], found["instance_type"]) == (70.5, "c7g.large")
    assert found["collectors"] == [*COLLECTORS, told("sps", "c", 8.0, 1.0)]
    assert found["functions"]["full_run"] == {
        "invocations": 2, "began_at": "2025-12-15T10:01:00Z", "seconds": 70.5, "longest_seconds": 70.5,
        "peak_memory_mb": 180.0, "memory_limit_mb": None,
    }  # fmt: skip
    without = reported(job=None)[2]["cost"]["total_usd"]
    assert found["cost"]["total_usd"] > without


@pytest.mark.parametrize("rows", [None, 7])
def test_a_run_whose_steps_say_little_is_reported_all_the_same(rows: Any) -> None:
    event = cast("ReportEvent", {"run": RUN.to_dict(), "plan": {}, "collectors": [], "merge": {"rows": rows}})
    _, result, found = reported(job=None, event=event)
    assert result["status"] == "reported"
    assert (found["collection_seconds"], found["findings"], found["changed_rows"], found["merged_rows"]) == (
        0.0, [], 0, 0,
    )  # fmt: skip
    assert (found["status"], found["merge_seconds"], found["secret_days_left"]) == (None, None, None)


def test_rows_that_are_no_number_are_not_told_of_a_collector() -> None:
    collector = step(1.0, 1.0, dataset="sps", region="a", rows={"merged": 1})
    event = cast("ReportEvent", {**EVENT, "collectors": [collector]})
    assert reported(job=None, event=event)[2]["collectors"][0]["rows"] is None


def test_collectors_that_never_began_or_never_ended_do_not_lengthen_the_collection() -> None:
    told = [
        ("eastus", "2026-11-23T10:00:10+00:00", 30.0),
        ("westus", "2026-11-23T10:00:05+00:00", 20.5),
        ("japaneast", None, 500.0),
        ("koreacentral", "2026-11-23T09:00:00+00:00", None),
        (None, "2026-11-23T09:00:00+00:00", 9000.0),  # a step of the whole run
    ]
    entries: Any = [{"region": region, "began_at": at, "seconds": seconds} for region, at, seconds in told]
    assert _collection_seconds(entries) == 35.0
    assert _collection_seconds(entries[2:]) == 0.0
