"""Report: execution statistics and memory samples of a run; gives its claim back."""

from __future__ import annotations

from typing import Any

from spotlake import wiring
from spotlake.models import Run
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.report.report_run import report_run


@observed("report")
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"run", "plan", "collectors", "merge"}`` to ``{"status", "outputs"}``."""
    del context
    return report_run(
        Run.from_dict(event["run"]),
        plan=event["plan"],
        collectors=event["collectors"],
        merge=event["merge"],
        deps=wiring.services().report_deps(),
    )
