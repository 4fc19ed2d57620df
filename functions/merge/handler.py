"""Merge: shards and the last state to the next state, the table, the files, the manifest."""

from __future__ import annotations

from typing import Any

from spotlake import wiring
from spotlake.models import Run
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.merge.finish_run import finish_run


@observed("merge")
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"run", "failures"}`` to the merge's outcome."""
    services = wiring.services()
    run = Run.from_dict(event["run"])
    return finish_run(run, event["failures"], services.finish_deps(run, wiring.deadline_of(context)))
