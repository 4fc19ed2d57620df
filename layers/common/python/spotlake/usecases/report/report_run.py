"""Report: writes execution statistics, memory samples and the page, and gives the claim back.

Map and Batch job write files of the same schema (docs/data.md). A Lambda contributes its peak memory; the Batch job
contributes a sample every ten seconds.
"""

from __future__ import annotations

import csv
import gzip
import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from spotlake import keys
from spotlake.clock import Clock
from spotlake.costs.run_cost import run_cost
from spotlake.events import CollectorStep, ReportEvent, ReportResult, StepResult
from spotlake.models import Dataset, Run, to_iso
from spotlake.packing import pack
from spotlake.reporting.facts import gather
from spotlake.reporting.page import render
from spotlake.run_files import Execution, ExecutionEntry, FunctionUse, JobRecord, MemorySample
from spotlake.state.checkpoints import read_job_record
from spotlake.stores.claims import Claims
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.report.use_of_functions import by_function, used_by

_LOG = logging.getLogger(__name__)
EXECUTION_SCHEMA = 1
# Data set -> the function that collects it.
SERVICES = {Dataset.SPS.value: "sps", Dataset.PRICE.value: "price", Dataset.EVICTION.value: "eviction"}
# The first four columns are those of the environment before this one. New columns come after them.
MEMORY_COLUMNS = ("Timestamp", "Service", "PID", "Memory_MB", "Kind", "Region")


@dataclass(frozen=True, kw_only=True)
class ReportDeps:
    """Dependencies of Report.

    Attributes:
        objects: The write bucket.
        claims: Claims, to give the run's claim back.
        wall: Wall clock, for real durations.
        azure: "live" or "simulated", for the page.
        architecture: Architecture of the functions, "arm64" or "x86_64", for their price.
    """

    objects: ObjectStore
    claims: Claims
    wall: Clock
    azure: str
    architecture: str


def report_run(event: ReportEvent, deps: ReportDeps) -> ReportResult:
    """Write ``execution.json``, ``memory.csv.gz`` and the page of a run, and release its claim.

    Both files belong to the slot and describe its newest attempt. The manifest describes all attempts.

    Args:
        event: Attempt, and results of the steps before.
        deps: Dependencies.
    """
    run = Run.from_dict(event["run"])
    finished_at = deps.wall.now()
    job = read_job_record(deps.objects, run)
    entries = [
        _entry("plan", event["plan"]),
        *(_collector_entry(one) for one in event["collectors"]),
        _entry("merge", event["merge"]),
    ]
    content = _execution(run, event, entries, job, finished_at=finished_at, deps=deps)
    execution_key, memory_key = keys.execution(run.slot_at), keys.memory_samples(run.slot_at)
    deps.objects.put(execution_key, orjson.dumps(content), content_type="application/json")
    samples = [*_lambda_samples(entries, to_iso(finished_at)), *(job["memory"] if job else [])]
    deps.objects.put(memory_key, memory_csv(samples), content_type="application/gzip")
    released = deps.claims.release(owner=run.owner)
    outputs = [execution_key, memory_key, *_write_page(run, deps.objects)]
    return ReportResult(
        status="reported", total_seconds=content["total_seconds"], cost_usd=content["cost"]["total_usd"],
        released=released, outputs=outputs,
    )  # fmt: skip


def _write_page(run: Run, objects: ObjectStore) -> list[str]:
    """Write the page and return its key.

    If the page cannot be made, log a warning: a run must not fail for its page.
    """
    key = keys.report_page(run.slot_at)
    try:
        page = render([gather(objects, run.slot_at)])
        objects.put(key, pack(page), content_type="text/html; charset=utf-8", content_encoding="gzip")
    except Exception as error:  # noqa: BLE001 - whatever it is, the run's data is whole
        _LOG.warning("no page: %s: %s", type(error).__name__, error)
        return []
    return [key]


def memory_csv(samples: Iterable[MemorySample]) -> bytes:
    """The gzip csv of memory samples, with the columns of ``MEMORY_COLUMNS``."""
    text = io.StringIO()
    writer = csv.DictWriter(text, MEMORY_COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(samples)
    return gzip.compress(text.getvalue().encode(), mtime=0)


def _execution(
    run: Run,
    event: ReportEvent,
    entries: list[ExecutionEntry],
    job: JobRecord | None,
    *,
    finished_at: datetime,
    deps: ReportDeps,
) -> Execution:
    merge, groups = event["merge"], event["plan"].get("groups", [])
    functions = by_function(entries)
    collection_seconds = _collection_seconds(entries)
    cost = run_cost(
        used_by(functions.values(), job),
        architecture=deps.architecture,
        write_units=merge.get("consumed_write_units", 0.0),
        children=len(groups),
        child_seconds=len(groups) * collection_seconds,  # each of them lasts so long at most
        job_seconds=job["seconds"] if job else 0.0,
    )
    return {
        "schema": EXECUTION_SCHEMA,
        "run_id": run.run_id,
        "attempt": run.attempt,
        "mode": run.mode.value,
        "azure": deps.azure,
        "architecture": deps.architecture,
        "status": merge.get("status"),
        "started_at": to_iso(run.started_at),
        "finished_at": to_iso(finished_at),
        "collection_seconds": job["seconds"] if job else collection_seconds,
        "merge_seconds": merge.get("seconds"),
        "total_seconds": round((finished_at - run.started_at).total_seconds(), 3),
        "instance_type": job["instance_type"] if job else None,
        "findings": merge.get("findings", []),
        "changed_rows": merge.get("changed_rows", 0),
        "merged_rows": rows.get("merged", 0) if isinstance(rows := merge.get("rows"), dict) else 0,
        "secret_days_left": event["plan"].get("secret_days_left"),
        "cost": cost,
        "functions": functions | ({"full_run": _job_use(job)} if job else {}),
        "collectors": [entry for entry in entries if entry["region"]] + (job["collectors"] if job else []),
    }


def _collector_entry(result: CollectorStep) -> ExecutionEntry:
    return _entry(SERVICES[result["dataset"]], result, region=result["region"])


def _entry(service: str, result: StepResult, *, region: str | None = None) -> ExecutionEntry:
    rows = result.get("rows")
    return {
        "service": service,
        "region": region,
        "status": result.get("status"),
        "rows": rows if isinstance(rows, int) else None,
        "began_at": result.get("began_at"),
        "seconds": result.get("seconds"),
        "peak_memory_mb": result.get("peak_memory_mb"),
        "memory_limit_mb": result.get("memory_limit_mb"),
        "init_seconds": result.get("init_seconds"),
        "aws_requests": result.get("aws_requests"),
        "counts": result.get("counts", {}),
        "error": result.get("error"),
    }


def _job_use(job: JobRecord) -> FunctionUse:
    peak = max((sample["Memory_MB"] for sample in job["memory"]), default=None)
    return {
        "invocations": job["attempts"],
        "began_at": min((sample["Timestamp"] for sample in job["memory"]), default=None),
        "seconds": job["seconds"],
        "longest_seconds": job["seconds"],
        "peak_memory_mb": peak,
        "memory_limit_mb": None,
    }


def _collection_seconds(entries: Iterable[ExecutionEntry]) -> float:
    """Seconds from the beginning of the first collector to the end of the last one."""
    timed = [
        (datetime.fromisoformat(one["began_at"]), timedelta(seconds=one["seconds"]))
        for one in entries
        if one["region"] and one["began_at"] and one["seconds"] is not None
    ]
    if not timed:
        return 0.0
    first_began_at = min(began_at for began_at, _ in timed)
    return round((max(began_at + lasted for began_at, lasted in timed) - first_began_at).total_seconds(), 3)


def _lambda_samples(entries: Iterable[ExecutionEntry], timestamp: str) -> Iterable[MemorySample]:
    for entry in entries:
        if entry["peak_memory_mb"] is not None:
            yield {
                "Timestamp": timestamp,
                "Service": entry["service"],
                "PID": "",
                "Memory_MB": entry["peak_memory_mb"],
                "Kind": "peak",
                "Region": entry["region"] or "",
            }
