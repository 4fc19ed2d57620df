"""Plan: check the input, claim the run, choose mode and desired count, write the work items."""

from __future__ import annotations

from typing import Any

from spotlake import wiring
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.plan.plan_run import plan_run


@observed("plan")
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"input", "execution_id", "execution_started_at"}`` to what Map or job are to do."""
    services = wiring.services()
    return plan_run(
        event["input"],
        execution_id=event["execution_id"],
        started_at=event["execution_started_at"],
        deps=services.plan_deps(wiring.deadline_of(context)),
    )
