"""Placement scores routed through one region, under quota."""

from __future__ import annotations

from typing import Any

from spotlake import wiring
from spotlake.models import Dataset
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.collect.placement_scores import collect_placement_scores


@observed("sps", "sps")
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"run", "region"}`` to the collector's report in short; the rows lie in the shard."""
    services = wiring.services()
    deadline = wiring.deadline_of(context)
    return services.collect(
        event,
        Dataset.SPS,
        lambda run, item: collect_placement_scores(run, item, services.placement_deps(run, deadline)),
    )
