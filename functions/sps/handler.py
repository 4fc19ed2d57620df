"""Collects the placement scores that are routed through one region, under the quota."""

from __future__ import annotations

from spotlake import wiring
from spotlake.events import CollectEvent, CollectorResult
from spotlake.models import Dataset
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.collect.placement_scores import collect_placement_scores
from spotlake.usecases.collect.region import collect_region, collector_deadline


@observed("sps", "sps")
def lambda_handler(event: CollectEvent, context: LambdaContext) -> CollectorResult:
    """Collect for the event's attempt and region. Returns the short report; the rows are in the shard."""
    services = wiring.services()
    deadline = collector_deadline(event, wiring.deadline_of(context), services.wall)
    return collect_region(
        event,
        Dataset.SPS,
        services.objects,
        lambda run, item, work: collect_placement_scores(run, item, services.placement_deps(run, deadline, work)),
    )
