"""Collects spot and on-demand prices of one region."""

from __future__ import annotations

from spotlake import wiring
from spotlake.events import CollectEvent, CollectorResult
from spotlake.models import Dataset
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.collect.prices import collect_prices
from spotlake.usecases.collect.region import collect_region, collector_deadline


@observed("price", "spot_price")
def lambda_handler(event: CollectEvent, context: LambdaContext) -> CollectorResult:
    """Collect for the event's attempt and region. Returns the short report; the rows are in the shard."""
    services = wiring.services()
    deadline = collector_deadline(event, wiring.deadline_of(context), services.wall)
    return collect_region(
        event,
        Dataset.PRICE,
        services.objects,
        lambda run, item, _work: collect_prices(run, item, services.price_deps(run, deadline)),
    )
