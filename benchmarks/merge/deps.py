"""What a merge of a benchmark runs with."""

from __future__ import annotations

from spotlake.clock import Deadline, ManualClock
from spotlake.models import ItemChange, Run
from spotlake.settings import Settings
from spotlake.stores.objects import ObjectStore
from spotlake.stores.workloads import SizedIterable, Upserted, WorkloadTable
from spotlake.usecases.merge.merge_run import MergeDeps


class Counted:
    """A table that takes every item and keeps none."""

    def __init__(self) -> None:
        """Start without any item."""
        self.items = 0

    def upsert(self, changes: SizedIterable[ItemChange], *, deadline: Deadline) -> Upserted:
        """Make every item."""
        del deadline
        self.items = sum(1 for _ in changes)
        return Upserted(written=self.items, done=self.items)


def merge_deps(objects: ObjectStore, workloads: WorkloadTable, run: Run) -> MergeDeps:
    """Dependencies with default settings, at the run's slot, with ten minutes of time."""
    return MergeDeps(
        objects=objects,
        workloads=workloads,
        clock=ManualClock(run.slot_at),
        deadline=Deadline.after(600),
        settings=Settings(),
    )
