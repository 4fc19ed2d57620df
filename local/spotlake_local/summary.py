"""The summary of a local run: on the screen for people, in ``summary.json`` for programs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from spotlake import keys
from spotlake.models import run_id_of, slot_of_run_id
from spotlake.reporting.jobs import job_record_keys
from spotlake.reporting.verdict import JudgedManifest
from spotlake.run_files import Execution
from spotlake.stores.objects import ReadOnlyObjects
from spotlake.usecases.notify.notify import one_line_cause
from spotlake_local.advice import advice
from spotlake_local.archive import cost_text, coverage_text, judged, score_ages, scores_waiting, statistics
from spotlake_local.following import COLLECTING_STATES, Ended
from spotlake_local.workspace import Workspace

# Fields of the judged manifest, with the values for a run without a merge.
_FROM_MANIFEST: dict[str, Any] = {
    "mode": None,
    "verdict": "failed",
    "attempts": [],
    "desired_counts": [],
    "regions_requested": 0,
    "regions_complete": 0,
    "coverage": {"sps": None, "price": None, "eviction": None},
    "coverage_reasons": {},
    "coverage_percent": 0.0,
    "rows": {"sps": 0, "price": 0, "eviction": 0, "merged": 0},
    "changed_rows": 0,
    "sps_calls": 0,
    "throttled_calls": 0,
    "calls_waiting": 0,
    "waits": True,
    "oldest_waiting_minutes": None,
    "quota_left": None,
    "score_age_median_minutes": None,
    "score_age_p95_minutes": None,
    "oldest_score_age_minutes": None,
    "stale": [],
}


def summarise(
    objects: ReadOnlyObjects,
    *,
    slot_at: datetime,
    ended: Ended,
    source: str,
    deploy_seconds: float,
    beside: Ended | None = None,
) -> dict[str, Any]:
    """Summarise an ended execution from its manifest and statistics, if there are any.

    Args:
        objects: The write bucket.
        slot_at: The run's slot.
        ended: The ended execution.
        source: "live" or "simulated".
        deploy_seconds: Duration of deploying.
        beside: The daily full run beside the slot, if there was one.
    """
    seconds = ended.seconds_by_state
    # If this execution did not pass Merge, or Report, the stored file is that of an earlier attempt at the slot.
    manifest = judged(objects, keys.manifest(slot_at)) if "CheckCoverage" in seconds else None
    execution = statistics(objects, run_id_of(slot_at)) if "ChooseEnd" in seconds else None
    jobs = list(job_record_keys(manifest["run_id"], manifest["attempts"]).values()) if manifest else []
    shown = {name: value for name, value in manifest.items() if name in _FROM_MANIFEST} if manifest else {}
    return {
        "run_id": run_id_of(slot_at),
        "status": "succeeded" if ended.status == "SUCCEEDED" else ended.status.lower(),
        "run_status": manifest["status"] if manifest else "failed",
        "azure": source,
        **_FROM_MANIFEST,
        **shown,
        "seconds": {
            "total": 0.0,
            "deploy": round(deploy_seconds, 1),
            "plan": seconds.get("Plan", 0.0),
            "collect": round(sum(seconds.get(name, 0.0) for name in COLLECTING_STATES), 1),
            "merge": seconds.get("Merge", 0.0),
        },
        **_used(execution),
        "outputs": [
            *(manifest["outputs"] if manifest else []),
            *(_present(objects, _report_keys(slot_at)) if execution else []),
            *_present(objects, jobs),
        ],
        **_failure(ended, manifest),
        "full_run": None if beside is None else {"status": beside.status.lower(), **_failure(beside, manifest)},
    }


def _used(execution: Execution | None) -> dict[str, Any]:
    """Cost, findings and memory of a run; without its statistics nothing is known of them."""
    if execution is None:
        return {"cost_usd": None, "findings": [], "peak_memory_mb": {}}
    return {
        "cost_usd": execution["cost"]["total_usd"] if "cost" in execution else None,
        "findings": execution.get("findings", []),
        "peak_memory_mb": {name: one["peak_memory_mb"] for name, one in execution["functions"].items()},
    }


def _failure(ended: Ended, manifest: JudgedManifest | None) -> dict[str, str | None]:
    """Error and cause of an execution. For a failed job, its own sentence, which the state machine never sees."""
    if not ended.error:
        return {"error": None, "cause": None}
    if manifest and manifest["error"] and "FullRun" in ended.seconds_by_state:
        return {"error": manifest["error"], "cause": manifest["cause"]}
    return {"error": ended.error, "cause": one_line_cause(ended.cause)}


def print_summary(console: Console, summary: dict[str, Any], workspace: Workspace) -> None:
    """Print the summary of a run: figures, cause of a failure, and paths."""
    title = f"run {summary['run_id']}: {summary['status']}"
    if summary["verdict"] not in (summary["status"], "complete"):
        title += f", {summary['verdict']}"
    table = Table(show_header=False, title=title, title_justify="left")
    for name, text in _figures(summary):
        table.add_row(name, text)
    console.print(table)

    def say(name: str, text: str) -> None:
        # Whole and unchanged, so that it can be copied: a path is not broken, and a bracket in a cause is no markup.
        console.print(f"{name}: {text}", soft_wrap=True, markup=False, highlight=False)

    if summary["azure"] == "simulated":
        say("simulated Azure", "the catalogue is real; spot prices, scores and eviction bands are synthetic")
    say("summary", str(workspace.summary))
    page = keys.report_page(slot_of_run_id(summary["run_id"]))
    if summary["outputs"]:
        say("results", str(workspace.outputs))
    if page in summary["outputs"]:
        say("page to look at", str(workspace.outputs / page))
    beside = summary["full_run"] or {}
    for which, failed in (("", summary), ("the daily full run beside it failed: ", beside)):
        if failed.get("error"):
            say(f"{which}{failed['error']}", failed["cause"])
            log_file = workspace.aws / "emulator.log"
            say("  what to do", advice(failed["error"], source=summary["azure"], log_file=log_file))


def _figures(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and text of each figure. A run without a merge has few figures."""
    seconds = {name: value for name, value in summary["seconds"].items() if value}
    if summary["mode"] is not None:
        yield "mode, Azure", f"{summary['mode']}, {summary['azure']}"
        yield "run", f"{summary['run_status']}; attempts: {len(summary['attempts']) or 1}"
        yield "regions", f"{summary['regions_complete']} of {summary['regions_requested']} complete"
        yield "coverage", f"{summary['coverage_percent']:.1f} %; scores {coverage_text(summary, 'sps')}"
        yield "rows", ", ".join(f"{name} {number:,}" for name, number in summary["rows"].items())
        yield "changed rows", f"{summary['changed_rows']:,}"
        yield "calls", f"{summary['sps_calls']:,}, {summary['throttled_calls']:,} throttled"
        yield "scores waiting", scores_waiting(summary)
        yield "score ages", score_ages(summary)
    if summary.get("cost_usd") is not None:
        yield "this run", cost_text(summary["cost_usd"])
    yield "seconds", ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    memory = {name: value for name, value in summary["peak_memory_mb"].items() if value is not None}
    if memory:
        yield "peak memory", ", ".join(f"{name} {value:.0f} MB" for name, value in memory.items())


def _report_keys(slot_at: datetime) -> list[str]:
    return [keys.execution(slot_at), keys.memory_samples(slot_at), keys.report_page(slot_at)]


def _present(objects: ReadOnlyObjects, wanted: list[str]) -> list[str]:
    return [key for key in wanted if objects.get(key) is not None]
