"""An archive of some days in a folder, and the snapshots that its merges wrote."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from spotlake import keys
from spotlake.archive.archive import Archive, open_archive
from spotlake.stores.objects import MemoryObjects
from tests.functional.history.conftest import keep
from tests.functional.merge.conftest import World

SIZES = ("Standard_D2s_v5", "Standard_E8-4ds_v5")
# Slots of three days and of the next month, each with its price, scores and eviction band.
SPECS: dict[int, dict[str, Any]] = {
    0: {"spot": 0.01, "scores": {"1": 3, "2": 2}, "band": "0-5"},
    1: {"spot": 0.02, "scores": {"1": 3, "2": 1}},
    2: {"spot": 0.02, "scores": {"1": 1, "2": 1}, "count": 50},
    84: {"spot": 0.03, "ondemand": 0.1, "scores": {"3": 3}},
    230: {"spot": 0.03, "band": "20+"},
    2400: {"spot": 0.04, "scores": {"1": 2}},
}


@dataclass
class Kept:
    """The archive, and the merge's world behind it."""

    archive: Archive
    folder: Path
    world: World

    def slot(self, number: int) -> datetime:
        return self.world.run(number).slot_at

    def snapshot_rows(self, number: int) -> list[dict[str, str]]:
        """What the merge wrote for a slot: the expected values."""
        stored = self.world.objects.get(keys.snapshot(self.slot(number)))
        assert stored is not None
        return list(csv.DictReader(io.StringIO(gzip.decompress(stored.body).decode())))


def to_folder(objects: MemoryObjects, folder: Path) -> None:
    for key, body in objects.objects.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(body)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    world, folder = World(), tmp_path_factory.mktemp("archive")
    for number, spec in SPECS.items():
        world.merge(world.collected(number, sizes=SIZES, **spec))
        keep(world.objects)
    assert isinstance(world.objects, MemoryObjects)
    to_folder(world.objects, folder)
    return Kept(open_archive(str(folder)), folder, world)
