"""What came of a local run: for people on the screen, for programs in ``summary.json``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from spotlake import errors, keys
from spotlake.models import run_id_of, slot_of_run_id
from spotlake.stores.objects import ReadOnlyObjects
from spotlake.usecases.notify.notify import one_line_cause
from spotlake_local.archive import read_document, scores_waiting
from spotlake_local.following import COLLECTING_STATES, Ended
from spotlake_local.workspace import Workspace


def summarise(
    objects: ReadOnlyObjects, *, slot_at: datetime, ended: Ended, source: str, deploy_seconds: float
) -> dict[str, Any]:
    """The summary of an ended execution, from its manifest and statistics where there are any."""
    seconds = ended.seconds_by_state
    # What lies there when this execution did not come past Merge, or Report, is an earlier one's of the same slot.
    manifest = (read_document(objects, keys.manifest(slot_at)) if "CheckCoverage" in seconds else None) or {}
    execution = (read_document(objects, keys.execution(slot_at)) if "ChooseEnd" in seconds else None) or {}
    functions = execution.get("functions", {})
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
        "calls_waiting": manifest.get("calls_waiting", 0),
        "oldest_score_age_minutes": manifest.get("oldest_score_age_minutes"),
        "seconds": {
            "total": 0.0,
            "deploy": round(deploy_seconds, 1),
            "plan": seconds.get("Plan", 0.0),
            "collect": round(sum(seconds.get(name, 0.0) for name in COLLECTING_STATES), 1),
            "merge": seconds.get("Merge", 0.0),
        },
        "peak_memory_mb": {name: one["peak_memory_mb"] for name, one in functions.items()},
        "outputs": [*manifest.get("outputs", []), *(_report_outputs(objects, slot_at) if execution else [])],
        "error": ended.error,
        "cause": one_line_cause(ended.cause) if ended.error else None,
    }


def print_summary(console: Console, summary: dict[str, Any], workspace: Workspace) -> None:
    """Print what a run ends with: its figures, why it failed if it did, and where to look."""
    table = Table(show_header=False, title=f"run {summary['run_id']}: {summary['status']}", title_justify="left")
    for name, text in _figures(summary):
        table.add_row(name, text)
    console.print(table)

    def say(name: str, text: str) -> None:
        # Whole and as it is, so that it can be copied: a path is not broken, a bracket in a cause is no markup.
        console.print(f"{name}: {text}", soft_wrap=True, markup=False, highlight=False)

    if summary["azure"] == "simulated":
        say("simulated Azure", "the catalogue is real; spot prices, scores and eviction bands are synthetic")
    say("summary", str(workspace.summary))
    page = keys.report_page(slot_of_run_id(summary["run_id"]))
    if summary["outputs"]:
        say("results", str(workspace.outputs))
    if page in summary["outputs"]:
        say("page to look at", str(workspace.outputs / page))
    if summary["error"]:
        say(summary["error"], summary["cause"])
        say("  what to do", _way_out(summary["error"], workspace))


def _figures(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and text of each figure; a run that merged nothing has few."""
    seconds = {name: value for name, value in summary["seconds"].items() if value}
    if summary["mode"] is not None:
        yield "mode, Azure", f"{summary['mode']}, {summary['azure']}"
        yield "regions", f"{summary['regions_complete']} of {summary['regions_requested']} complete"
        yield "coverage", f"{summary['coverage_percent']:.1f} %"
        yield "rows", ", ".join(f"{name} {number:,}" for name, number in summary["rows"].items())
        yield "changed rows", f"{summary['changed_rows']:,}"
        yield "calls", f"{summary['sps_calls']:,}, {summary['throttled_calls']:,} throttled"
        yield "scores waiting", scores_waiting(summary)
    yield "seconds", ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    memory = {name: value for name, value in summary["peak_memory_mb"].items() if value is not None}
    if memory:
        yield "peak memory", ", ".join(f"{name} {value:.0f} MB" for name, value in memory.items())


def _way_out(error: str, workspace: Workspace) -> str:
    """What to do about a failed execution, by its error's name."""
    kind = getattr(errors, error, None)
    if isinstance(kind, type) and issubclass(kind, errors.SpotlakeError):
        recovery: errors.Recovery = kind.recovery
        if recovery is not errors.Recovery.TRY_LATER:
            return str(recovery.value)
    log = workspace.aws / "emulator.log"
    return f"run again; if it repeats, see {log}, or begin anew (`make clean-local`, or another STATE_DIR)"


def _report_outputs(objects: ReadOnlyObjects, slot_at: datetime) -> list[str]:
    wanted = (keys.execution(slot_at), keys.memory_samples(slot_at), keys.report_page(slot_at))
    return [key for key in wanted if objects.get(key) is not None]
