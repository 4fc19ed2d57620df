"""Sums the invocations of each function: time, memory, starts of processes, requests (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from spotlake.costs.counting import added
from spotlake.costs.run_cost import NO_REQUESTS, Used, gb_seconds
from spotlake.run_files import ExecutionEntry, FunctionUse, JobRecord


def by_function(entries: Iterable[ExecutionEntry]) -> dict[str, FunctionUse]:
    """By service: number of invocations, first beginning, seconds, largest peak, memory limit, and what they used."""
    functions: dict[str, FunctionUse] = {}
    for entry in entries:
        one = functions.setdefault(entry["service"], _nothing_used(entry))
        seconds, init_seconds = entry["seconds"] or 0.0, entry.get("init_seconds")
        one["invocations"] += 1
        one["seconds"] = round(one["seconds"] + seconds, 3)
        one["longest_seconds"] = max(one["longest_seconds"], seconds)
        one["cold_starts"] += init_seconds is not None
        one["init_seconds"] = round(one["init_seconds"] + (init_seconds or 0.0), 3)
        one["gb_seconds"] = round(one["gb_seconds"] + gb_seconds(seconds, entry.get("memory_limit_mb") or 0), 6)
        one["aws_requests"] = added(one["aws_requests"], entry.get("aws_requests") or NO_REQUESTS)
        for name, number in entry.get("counts", {}).items():
            one["counts"][name] = one["counts"].get(name, 0) + number
        peak = entry["peak_memory_mb"]
        if peak is not None:
            one["peak_memory_mb"] = max(one["peak_memory_mb"] or 0.0, peak)
    return functions


def used_by(functions: Iterable[FunctionUse], job: JobRecord | None) -> list[Used]:
    """What is paid for: each function, and the requests of the Batch job. The job's machine is priced by its time."""
    used: list[Used] = [
        {
            "invocations": one["invocations"],
            "gb_seconds": one.get("gb_seconds", 0.0),
            "init_gb_seconds": one.get("init_seconds", 0.0) * (one["memory_limit_mb"] or 0) / 1024,
            "requests": one.get("aws_requests", NO_REQUESTS),
        }
        for one in functions
    ]
    if job is not None:
        requests = job.get("aws_requests", NO_REQUESTS)
        used.append({"invocations": 0, "gb_seconds": 0.0, "init_gb_seconds": 0.0, "requests": requests})
    return used


def _nothing_used(entry: ExecutionEntry) -> FunctionUse:
    return {
        "invocations": 0,
        "began_at": entry["began_at"],
        "seconds": 0.0,
        "longest_seconds": 0.0,
        "peak_memory_mb": None,
        "memory_limit_mb": entry.get("memory_limit_mb"),
        "cold_starts": 0,
        "init_seconds": 0.0,
        "gb_seconds": 0.0,
        "aws_requests": NO_REQUESTS,
        "counts": {},
    }
