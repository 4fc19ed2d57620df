"""Report: execution statistics, memory samples and the page of a run; gives its claim back."""

from __future__ import annotations

from spotlake import wiring
from spotlake.events import ReportEvent, ReportResult
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.report.report_run import report_run


@observed("report")
def lambda_handler(event: ReportEvent, context: LambdaContext) -> ReportResult:
    """The attempt and the results of the steps before to what was written."""
    del context
    return report_run(event, wiring.services().report_deps())
