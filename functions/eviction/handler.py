"""Eviction rates of one region."""

from __future__ import annotations

from typing import Any

from spotlake import wiring
from spotlake.models import Dataset
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.collect.eviction_rates import collect_eviction_rates


@observed("eviction", "spot_if")
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"run", "region"}`` to the collector's report in short; the rows lie in the shard."""
    services = wiring.services()
    deadline = wiring.deadline_of(context)
    return services.collect(
        event,
        Dataset.EVICTION,
        lambda run, item: collect_eviction_rates(run, item, services.eviction_deps(run, deadline)),
    )
