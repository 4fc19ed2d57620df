"""The change history over the merge's small world."""

from __future__ import annotations

from datetime import datetime

from spotlake import keys
from spotlake.clock import Clock, Deadline, ManualClock
from spotlake.history.frames import view_of
from spotlake.merge.files import Files
from spotlake.models import run_id_of
from spotlake.settings import Settings
from spotlake.state.history_files import HistoryFiles, frame_at
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.keep_history.keep_history import HistoryDeps, KeptHistory, keep_history
from tests.functional.merge.conftest import FIRST


def keep(
    objects: ObjectStore,
    *,
    seconds: float = 1000.0,
    clock: Clock | None = None,
    settings: Settings | None = None,
    merged_at: datetime | None = None,
) -> KeptHistory:
    return keep_history(
        HistoryDeps(
            objects=objects,
            wall=clock or ManualClock(FIRST),
            deadline=Deadline(lambda: seconds),
            settings=settings or Settings(),
        ),
        merged_at,
    )


def snapshot_again(objects: ObjectStore, slot_at: datetime) -> bytes:
    """The snapshot of a slot, made from the history alone."""
    files = HistoryFiles(objects)
    index, _ = files.index()
    assert index is not None
    facts = files.day(slot_at.date()).times.facts[run_id_of(slot_at)]
    view = view_of(frame_at(objects, index, slot_at))
    return Files(view, facts.name_casing).snapshot(slot_at, facts.desired_count)


def stored_snapshot(objects: ObjectStore, slot_at: datetime) -> bytes:
    found = objects.get(keys.snapshot(slot_at))
    assert found is not None
    return found.body
