"""Spot and on-demand prices of one region."""

from __future__ import annotations

from typing import Any

from spotlake import wiring
from spotlake.models import Dataset
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.collect.prices import collect_prices


@observed("price", "spot_price")
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"run", "region"}`` to the collector's report in short; the rows lie in the shard."""
    services = wiring.services()
    deadline = wiring.deadline_of(context)
    return services.collect(
        event, Dataset.PRICE, lambda run, item: collect_prices(run, item, services.price_deps(run, deadline))
    )
