"""Collects the eviction rates of one region."""

from __future__ import annotations

from spotlake import wiring
from spotlake.events import CollectEvent, CollectorResult
from spotlake.models import Dataset
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.collect.eviction_rates import collect_eviction_rates
from spotlake.usecases.collect.region import collect_region, collector_deadline


@observed("eviction", "spot_if")
def lambda_handler(event: CollectEvent, context: LambdaContext) -> CollectorResult:
    """Collect for the event's attempt and region. Returns the short report; the rows are in the shard."""
    services = wiring.services()
    deadline = collector_deadline(event, wiring.deadline_of(context), services.wall)
    return collect_region(
        event,
        Dataset.EVICTION,
        services.objects,
        lambda run, item, _work: collect_eviction_rates(run, item, services.eviction_deps(run, deadline)),
    )
