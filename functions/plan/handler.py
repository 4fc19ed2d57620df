"""Plan: checks the input, claims the run, chooses mode and desired counts, prepares the work."""

from __future__ import annotations

from spotlake import wiring
from spotlake.events import PlanEvent, PlanResult
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.plan.plan_run import plan_run


@observed("plan")
def lambda_handler(event: PlanEvent, context: LambdaContext) -> PlanResult:
    """Plan the execution with this input, ARN and start. Returns the work of the Map or the job."""
    return plan_run(
        event["input"],
        execution_id=event["execution_id"],
        started_at=event["execution_started_at"],
        deps=wiring.services().plan_deps(wiring.deadline_of(context)),
    )
