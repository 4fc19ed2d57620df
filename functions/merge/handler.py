"""Merge: makes the next state, the table, the files and the manifest from shards and the last state."""

from __future__ import annotations

from spotlake import wiring
from spotlake.events import MergeEvent, MergeResult
from spotlake.models import Run
from spotlake.planning.attempt import Failure
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.merge.finish_run import finish_run


@observed("merge")
def lambda_handler(event: MergeEvent, context: LambdaContext) -> MergeResult:
    """Merge the event's attempt, with its failures. Returns numbers of the slot's manifest."""
    run = Run.from_dict(event["run"])
    caught = [*event["failures"], *([event["failure"]] if event["failure"] else [])]
    failures = [Failure.from_dict(one) for one in caught]
    return finish_run(run, failures, wiring.services().finish_deps(run, wiring.deadline_of(context)))
