"""The two runs that are merged: apart from the world, which takes as long to import as a merge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from spotlake.models import SLOT_MINUTES, Mode, Run, run_id_of
from spotlake.stores.objects import MemoryObjects

SLOT_AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
COUNT = 5  # what both runs ask for, so that rows can be compared one by one


def run_at(place: int) -> Run:
    """The run ``place`` slots after the first."""
    slot_at = SLOT_AT + timedelta(minutes=SLOT_MINUTES * place)
    return Run(
        run_id=run_id_of(slot_at),
        mode=Mode.INCREMENTAL,
        desired_counts=(COUNT,),
        started_at=slot_at,
        owner="benchmark",
        attempt=place + 1,
    )


def store(objects: MemoryObjects, folder: Path) -> None:
    """Keep the objects as files, so that each measurement starts in a process of its own."""
    for key, body in objects.objects.items():
        file = folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)


def load(folder: Path) -> MemoryObjects:
    """The objects that ``store`` kept."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return MemoryObjects(objects={file.relative_to(folder).as_posix(): file.read_bytes() for file in files})
