"""What came of a local run: for people on the screen, for programs in ``summary.json``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from spotlake import keys
from spotlake.models import run_id_of, slot_of_run_id
from spotlake.stores.objects import ReadOnlyObjects
from spotlake.usecases.notify import one_line_cause
from spotlake_local.following import COLLECTING_STATES, Ended
from spotlake_local.workspace import Workspace


def summarise(
    objects: ReadOnlyObjects, *, slot_at: datetime, ended: Ended, source: str, deploy_seconds: float
) -> dict[str, Any]:
    """The summary of an ended execution, from its manifest and statistics where there are any."""
    manifest = _read(objects, keys.manifest(slot_at)) or {}
    execution = _read(objects, keys.execution(slot_at)) or {}
    functions = execution.get("functions", {})
    seconds = ended.seconds_by_state
    return {
        "run_id": run_id_of(slot_at),
        "mode": manifest.get("mode"),
        "status": "succeeded" if ended.status == "SUCCEEDED" else ended.status.lower(),
        "azure": source,
        "regions_requested": manifest.get("regions_requested", 0),
        "regions_complete": manifest.get("regions_complete", 0),
        "coverage_percent": manifest.get("coverage_percent", 0.0),
        "rows": manifest.get("rows", {"sps": 0, "price": 0, "eviction": 0, "merged": 0}),
        "changed_rows": manifest.get("changed_rows", 0),
        "sps_calls": manifest.get("sps_calls", 0),
        "throttled_calls": manifest.get("throttled_calls", 0),
        "oldest_score_age_minutes": manifest.get("oldest_score_age_minutes"),
        "seconds": {
            "total": 0.0,
            "deploy": round(deploy_seconds, 1),
            "plan": seconds.get("Plan", 0.0),
            "collect": round(sum(seconds.get(name, 0.0) for name in COLLECTING_STATES), 1),
            "merge": seconds.get("Merge", 0.0),
        },
        "peak_memory_mb": {name: one["peak_memory_mb"] for name, one in functions.items()},
        "outputs": [*manifest.get("outputs", []), *_report_outputs(objects, slot_at)],
        "error": ended.error,
        "cause": one_line_cause(ended.cause) if ended.error else None,
    }


def print_summary(console: Console, summary: dict[str, Any], ended: Ended, workspace: Workspace) -> None:
    """Print the table that a run ends with."""
    table = Table(show_header=False, title=f"run {summary['run_id']}: {summary['status']}")
    rows, seconds = summary["rows"], summary["seconds"]
    table.add_row("mode, Azure", f"{summary['mode']}, {summary['azure']}")
    table.add_row("regions", f"{summary['regions_complete']} of {summary['regions_requested']} complete")
    table.add_row("coverage", f"{summary['coverage_percent']:.1f} %")
    table.add_row("rows", ", ".join(f"{name} {number:,}" for name, number in rows.items()))
    table.add_row("changed rows", f"{summary['changed_rows']:,}")
    table.add_row("calls", f"{summary['sps_calls']:,}, {summary['throttled_calls']:,} throttled")
    age = summary["oldest_score_age_minutes"]
    table.add_row("oldest score then", "unknown" if age is None else f"{age:.0f} minutes")
    table.add_row("seconds", ", ".join(f"{name} {value:.1f}" for name, value in seconds.items()))
    memory = {name: value for name, value in summary["peak_memory_mb"].items() if value is not None}
    table.add_row("peak memory", ", ".join(f"{name} {value:.0f} MB" for name, value in memory.items()))
    table.add_row("results", str(workspace.outputs))
    table.add_row("summary", str(workspace.summary))
    if summary["azure"] == "simulated":
        table.caption = "simulated Azure: real catalogue, synthetic spot prices, scores and eviction bands"
    console.print(table)
    page = workspace.outputs / keys.report_page(slot_of_run_id(summary["run_id"]))
    if page.exists():
        console.print(f"page to look at: {page}", soft_wrap=True)  # whole, so that it can be copied
    if ended.error:
        console.print(f"[bold red]{ended.error}[/]: {summary['cause']}")


def _read(objects: ReadOnlyObjects, key: str) -> dict[str, Any] | None:
    stored = objects.get(key)
    if stored is None:
        return None
    content: dict[str, Any] = orjson.loads(stored.body)
    return content


def _report_outputs(objects: ReadOnlyObjects, slot_at: datetime) -> list[str]:
    wanted = (keys.execution(slot_at), keys.memory_samples(slot_at), keys.report_page(slot_at))
    return [key for key in wanted if objects.get(key) is not None]
