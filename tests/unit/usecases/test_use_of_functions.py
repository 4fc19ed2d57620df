"""Sums over the invocations of each function."""

from __future__ import annotations

from typing import Any

from spotlake.run_files import ExecutionEntry, JobRecord
from spotlake.snapshot_figures import SnapshotFigures, without_moves
from spotlake.usecases.report.use_of_functions import by_function, used_by

NOTHING = {"s3_puts": 0, "s3_gets": 0, "dynamodb_writes": 0, "dynamodb_reads": 0}


def entry(service: str, seconds: float | None, **fields: Any) -> ExecutionEntry:
    told: Any = {
        "service": service, "region": "a", "status": "complete", "rows": 1, "began_at": f"at {seconds}",
        "seconds": seconds, "peak_memory_mb": None, "error": None, **fields,
    }  # fmt: skip
    found: ExecutionEntry = told
    return found


def test_invocations_of_a_function_are_added_up() -> None:
    requests = {"s3_puts": 1, "s3_gets": 2, "dynamodb_writes": 3, "dynamodb_reads": 4}
    # Lambda bills whole milliseconds, rounded up (Lambda pricing, 2026-11): 2.001, 6.5 and 1 seconds at half a GB.
    functions = by_function([
        entry("sps", 2.0004, memory_limit_mb=512, peak_memory_mb=90.0, init_seconds=0.25, aws_requests=requests,
              counts={"requests": 2, "rows": 1}),
        entry("price", None),
        entry("sps", 6.5, memory_limit_mb=512, peak_memory_mb=80.0, aws_requests=requests, counts={"requests": 3}),
        entry("sps", 1.0, memory_limit_mb=512, init_seconds=0.5),
    ])  # fmt: skip
    assert functions["sps"] == {
        "invocations": 3, "began_at": "at 2.0004", "seconds": 9.5, "longest_seconds": 6.5, "peak_memory_mb": 90.0,
        "memory_limit_mb": 512, "cold_starts": 2, "init_seconds": 0.75, "gb_seconds": 4.7505,
        "aws_requests": {"s3_puts": 2, "s3_gets": 4, "dynamodb_writes": 6, "dynamodb_reads": 8},
        "counts": {"requests": 5, "rows": 1},
    }  # fmt: skip
    assert functions["price"] == {
        "invocations": 1, "began_at": "at None", "seconds": 0.0, "longest_seconds": 0.0, "peak_memory_mb": None,
        "memory_limit_mb": None, "cold_starts": 0, "init_seconds": 0.0, "gb_seconds": 0.0, "aws_requests": NOTHING,
        "counts": {},
    }  # fmt: skip
    job: JobRecord = {"attempts": 1, "seconds": 9.0, "instance_type": None, "collectors": [], "memory": []}
    paid = [
        {
            "invocations": 3, "gb_seconds": 4.7505, "init_gb_seconds": 0.375,
            "requests": functions["sps"]["aws_requests"],
        },
        {"invocations": 1, "gb_seconds": 0.0, "init_gb_seconds": 0.0, "requests": NOTHING},
    ]  # fmt: skip
    assert used_by(functions.values(), None) == paid
    nothing: dict[str, Any] = {"invocations": 0, "gb_seconds": 0.0, "init_gb_seconds": 0.0}
    assert used_by(functions.values(), job) == [*paid, {**nothing, "requests": NOTHING}]
    assert used_by([], {**job, "aws_requests": functions["sps"]["aws_requests"]}) == [
        {**nothing, "requests": functions["sps"]["aws_requests"]}
    ]


def test_what_an_older_record_does_not_count_costs_nothing() -> None:
    old: Any = {"invocations": 2, "memory_limit_mb": 512, "seconds": 1.0}
    assert used_by([old], None) == [{"invocations": 2, "gb_seconds": 0.0, "init_gb_seconds": 0.0, "requests": NOTHING}]
    unlimited: Any = {**old, "memory_limit_mb": None, "init_seconds": 2.0, "gb_seconds": 1.5}
    assert used_by([unlimited], None)[0] == {
        "invocations": 2, "gb_seconds": 1.5, "init_gb_seconds": 0.0, "requests": NOTHING
    }  # fmt: skip


def test_a_peak_of_zero_is_a_peak() -> None:
    functions = by_function([entry("sps", 1.0, peak_memory_mb=0.0), entry("sps", 1.0)])
    assert functions["sps"]["peak_memory_mb"] == 0.0


def test_figures_without_moves_keep_all_else() -> None:
    told: Any = {
        "desired_count": 1, "regions": {"a": {"name": "A", "moves": {"spot": {"up": 1}}}}, "left": 3,
        "held": {"x": [1]},
    }  # fmt: skip
    figures: SnapshotFigures = told
    assert without_moves(figures) == {
        "desired_count": 1, "regions": {"a": {"name": "A", "moves": {}}}, "left": None, "held": {"x": [1]},
    }  # fmt: skip
