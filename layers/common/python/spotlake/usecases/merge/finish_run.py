"""What follows collecting: merge the run, then fold what was learnt into the state of later runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spotlake.models import CollectorReport, Dataset, Run
from spotlake.planning.sweep import block_id
from spotlake.planning.sweep import fold_run as fold_sweep
from spotlake.state.call_plan import read_plan
from spotlake.state.last_good import fold_last_good
from spotlake.state.lessons import fold_reports
from spotlake.state.sweep import read_sweep, write_sweep
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.merge.merge_run import MergeDeps, MergeOutcome, merge_run


@dataclass(frozen=True, kw_only=True)
class FinishDeps:
    """What finishing works with: the merge's dependencies, and the write bucket for the state."""

    merge: MergeDeps
    objects: ObjectStore


def finish_run(run: Run, failures: Sequence[Mapping[str, str]], deps: FinishDeps) -> dict[str, Any]:
    """Merge, then learn: refused names, restricted pairs, health of locations, row counts, the sweep.

    Raises:
        StoreError, DeadlineError: As ``merge_run``; doing it again goes on.
    """
    outcome = merge_run(run, failures, deps.merge)
    fold_reports(deps.objects, run, outcome.reports)
    fold_last_good(deps.objects, run.slot_at, outcome.reports)
    _fold_sweep(run, outcome, deps.objects)
    return outcome.to_dict()


def _fold_sweep(run: Run, outcome: MergeOutcome, objects: ObjectStore) -> None:
    """Note which blocks of the stored plan were answered at which count."""
    blocks: Mapping[str, str] = outcome.request["blocks"]
    plan = [block_id(block) for block in read_plan(objects)[1]]
    if not blocks or not set(blocks.values()) <= set(plan):
        return  # a filtered run has a plan of its own
    answered, unsent = _by_count(blocks, outcome.reports, outcome.request)
    sweep = read_sweep(objects)
    for count in run.desired_counts:
        sweep = fold_sweep(
            sweep,
            slot_at=run.slot_at,
            count=count,
            answered=answered.get(count, []),
            failed=unsent.get(count, []),
            plan=plan,
        )
    write_sweep(objects, sweep)


def _by_count(
    blocks: Mapping[str, str], reports: Sequence[CollectorReport], request: Mapping[str, Any]
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Block ids answered and not answered, by desired count (the call id ends in it)."""
    lost = {call for report in reports for call in report.unsent_call_ids}
    reported = {report.region for report in reports if report.dataset is Dataset.SPS}
    silent = {call for region, calls in request["calls_by_region"].items() if region not in reported for call in calls}
    answered: dict[int, list[str]] = {}
    unsent: dict[int, list[str]] = {}
    for call, block in blocks.items():
        target = unsent if call in lost or call in silent else answered
        target.setdefault(int(call.rsplit("-", 1)[-1]), []).append(block)
    return answered, unsent
