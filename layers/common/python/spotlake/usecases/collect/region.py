"""One invocation of a collector: find the region's work, collect, return a short report."""

from __future__ import annotations

from collections.abc import Callable

from spotlake.clock import Clock, Deadline
from spotlake.errors import InvalidInputError
from spotlake.events import CollectEvent, CollectorResult
from spotlake.models import Dataset, Run, WorkItem, from_iso
from spotlake.planning.attempt import Work
from spotlake.reports import CollectorReport
from spotlake.state.attempts import read_work
from spotlake.stores.objects import ReadOnlyObjects

_COUNTS = ("pages", "calls_sent", "requests", "throttles", "retries", "invalid_rows")
_CAUSE_CHARACTERS = 500
_TO_FINISH_SECONDS = 5.0  # of a group's time, to answer

type Collect = Callable[[Run, WorkItem, Work], CollectorReport]


def collect_region(
    event: CollectEvent, dataset: Dataset, objects: ReadOnlyObjects, collect: Collect
) -> CollectorResult:
    """Run a region's collector on the work that its attempt planned.

    Args:
        event: Attempt and region.
        dataset: Data set of the collector.
        objects: The write bucket.
        collect: The collector.

    Returns:
        The short report; the rows are in the shard. A data set that is not due is complete, with no rows.

    Raises:
        InvalidInputError: The attempt did not plan this region.
        SpotlakeError: As the collector raises it.
    """
    run, region = Run.from_dict(event["run"]), event["region"]
    work = read_work(objects, run.slot_at, run.attempt)
    if work is None or region not in work.items:
        raise InvalidInputError("region", region, f"a region that attempt {run.attempt} of {run.run_id} has planned")
    item = work.items[region]
    if not item.is_due(dataset):
        return CollectorResult(dataset=dataset.value, region=region, status="complete", rows=0, error=None, cause=None)
    return short_result(collect(run, item, work))


def collector_deadline(event: CollectEvent, own: Deadline, wall: Clock) -> Deadline:
    """The Lambda's own deadline, or the end of the region's group, minus the time to answer: whichever is earlier.

    A group is an EXPRESS workflow, which AWS ends after five minutes (statemachine/README.md). An event without
    ``ends_at`` belongs to no group.
    """
    if "ends_at" not in event:
        return own
    ends_at = from_iso(event["ends_at"])
    return Deadline(lambda: min(own.seconds_left(), (ends_at - wall.now()).total_seconds() - _TO_FINISH_SECONDS))


def short_result(report: CollectorReport) -> CollectorResult:
    """The result for the state machine, without rows and long lists."""
    return CollectorResult(
        dataset=report.dataset.value,
        region=report.region,
        status=report.status,
        rows=report.rows,
        counts={name: report.counts.get(name, 0) for name in _COUNTS},
        error=report.error,
        cause=report.cause[:_CAUSE_CHARACTERS] if report.cause else None,
    )
