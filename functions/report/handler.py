"""Report: writes execution statistics, memory samples and the page of a run, and gives the claim back."""

from __future__ import annotations

from spotlake import wiring
from spotlake.events import ReportEvent, ReportResult
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.report.report_run import report_run


@observed("report")
def lambda_handler(event: ReportEvent, context: LambdaContext) -> ReportResult:
    """Report the event's attempt, with the results of the steps before. Returns what was written."""
    del context
    return report_run(event, wiring.services().report_deps())
