"""Plan: check the input, claim the run, choose mode and desired count, prepare the work."""

from __future__ import annotations

from spotlake import wiring
from spotlake.events import PlanEvent, PlanResult
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.plan.plan_run import plan_run


@observed("plan")
def lambda_handler(event: PlanEvent, context: LambdaContext) -> PlanResult:
    """The execution's input, ARN and start to what the Map or the job is to do."""
    return plan_run(
        event["input"],
        execution_id=event["execution_id"],
        started_at=event["execution_started_at"],
        deps=wiring.services().plan_deps(wiring.deadline_of(context)),
    )
