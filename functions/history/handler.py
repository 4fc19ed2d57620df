"""KeepHistory: writes what the merged slots changed, and compacts finished days of the change history."""

from __future__ import annotations

from spotlake import wiring
from spotlake.events import HistoryEvent, HistoryResult
from spotlake.models import Run
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.keep_history.keep_history import keep_history


@observed("history")
def lambda_handler(event: HistoryEvent, context: LambdaContext) -> HistoryResult:
    """Keep the history of all merged slots; and read the manifest of the event's run. Returns what was done."""
    deps = wiring.services().history_deps(wiring.deadline_of(context))
    kept = keep_history(deps, Run.from_dict(event["run"]).slot_at)
    return {
        "slots": kept.slots,
        "history_rows": kept.rows,
        "compacted_days": kept.compacted_days,
        "slots_left": kept.slots_left,
        "days_left": kept.days_left,
    }
