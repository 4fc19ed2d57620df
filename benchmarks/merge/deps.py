"""What a merge of a benchmark runs with."""

from __future__ import annotations

from spotlake.clock import Deadline, ManualClock
from spotlake.models import Run
from spotlake.settings import Settings
from spotlake.stores.objects import ObjectStore
from spotlake.stores.workloads import WorkloadTable
from spotlake.usecases.merge.merge_run import MergeDeps


def merge_deps(objects: ObjectStore, workloads: WorkloadTable, run: Run) -> MergeDeps:
    """Dependencies with default settings, at the run's slot, with ten minutes of time."""
    return MergeDeps(
        objects=objects,
        workloads=workloads,
        clock=ManualClock(run.slot_at),
        deadline=Deadline.after(600),
        settings=Settings(),
    )
