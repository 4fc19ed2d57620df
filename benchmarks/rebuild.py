"""``spotlake rebuild`` at full size: minutes, memory, and whether the bytes are those of the merges.

``python -m benchmarks.rebuild --slots 20`` merges so many slots one by one, takes the chain and every merged state
away, and makes them again in a process of its own. The slots repeat four variations of the full-size world.
``--slots 1008`` is a week, and its merges take an hour.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from benchmarks.merge.deps import Counted, merge_deps
from benchmarks.merge.runs import run_at
from benchmarks.merge.world import FullWorld
from spotlake import keys
from spotlake.clock import ManualClock
from spotlake.models import Dataset, to_iso
from spotlake.packing import pack, unpack
from spotlake.settings import Settings
from spotlake.state.merged_states import MergedStates
from spotlake.stores.objects import MemoryObjects, StoredObject
from spotlake.usecases.merge.merge_run import merge_run
from spotlake.usecases.rebuild.rebuild import RebuildDeps, rebuild

VARIATIONS = 4
_MB = 1024


class Archive(MemoryObjects):
    """A bucket in a folder. Shards are made from the variation of their slot when they are read; the rest are files."""

    def __init__(self, folder: Path, slots: int) -> None:
        """Find what the folder has."""
        super().__init__()
        self._folder, self._runs = folder, {run_at(place).slot_at: place for place in range(slots)}
        templates = folder / "templates/0"
        self._regions = (
            sorted(path.name for path in (templates / Dataset.PRICE).iterdir()) if templates.exists() else []
        )
        self._shards = sorted(
            keys.shard(dataset, slot_at, region, place + 1)
            for slot_at, place in self._runs.items()
            for dataset in Dataset
            for region in self._regions
        )
        self._files = {path.relative_to(folder / "bucket").as_posix() for path in (folder / "bucket").rglob("*.*")}
        self.cpu_seconds = 0.0  # that the shards took to be made, which a real bucket has ready

    def get(self, key: str) -> StoredObject | None:
        """An object."""
        if key in self._files:
            body = (self._folder / "bucket" / key).read_bytes()
            return StoredObject(body, blake2b(body).hexdigest())
        for dataset in Dataset:
            folder = f"rawdata/azure/{dataset.value}/"
            slot_at = keys.slot_in(folder, key) if key.startswith(folder) else None
            if slot_at in self._runs:
                return StoredObject(self._shard(dataset, self._runs[slot_at], key), "")
        return None

    def etag(self, key: str) -> str | None:
        """The entity tag of an object."""
        found = self.get(key)
        return found.etag if found else None

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys of files and shards."""
        begin = bisect_left(self._shards, prefix)
        end = bisect_left(self._shards, prefix + "\uffff")
        return iter(sorted([*self._shards[begin:end], *(key for key in self._files if key.startswith(prefix))]))

    def put(self, key: str, body: bytes, **_: Any) -> str:
        """Write a file."""
        path = self._folder / "bucket" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        self._files.add(key)
        return blake2b(body).hexdigest()

    def delete(self, key: str) -> None:
        """Remove a file."""
        self._files.discard(key)
        (self._folder / "bucket" / key).unlink(missing_ok=True)

    def _shard(self, dataset: Dataset, place: int, key: str) -> bytes:
        began = time.thread_time()
        region, attempt = keys.region_and_attempt(key)
        run = run_at(place)
        text = (self._folder / f"templates/{place % VARIATIONS}/{dataset.value}/{region}").read_bytes()
        first, _, lines = text.partition(b"\n")
        head = orjson.loads(first) | {"run_id": run.run_id, "attempt": attempt, "collected_at": to_iso(run.slot_at)}
        body = pack(orjson.dumps(head) + b"\n" + lines)
        self.cpu_seconds += time.thread_time() - began
        return body


def prepare(folder: Path, slots: int) -> None:
    """Write the variations, and the record and work of every slot."""
    world = FullWorld()
    for variation in range(VARIATIONS):
        objects, run = MemoryObjects(), run_at(variation)
        world.write_run(objects, run)
        world.change()
        for dataset in Dataset:
            for key in objects.keys(keys.shards_of_slot(dataset, run.slot_at)):
                path = folder / f"templates/{variation}/{dataset.value}/{keys.region_and_attempt(key)[0]}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(unpack(objects.objects[key]))
        plans = [key for key in objects.objects if key.startswith(keys.WORK_PREFIX)]
    for place in range(slots):
        run = run_at(place)
        for key in plans:
            content = orjson.loads(unpack(objects.objects[key]))
            content["run"] = run.to_dict()
            path = folder / "bucket" / keys.attempts_of_slot(run.slot_at) / str(run.attempt) / key.rsplit("/", 1)[-1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pack(orjson.dumps(content)))


def merge_all(folder: Path, slots: int, console: Console) -> dict[str, str]:
    """Merge every slot; digests of the merged states that the chain remembers, by run."""
    archive = Archive(folder, slots)
    with console.status("merging") as status:
        for place in range(slots):
            run = run_at(place)
            status.update(f"merging {run.run_id}, {place:,} of {slots:,}")
            deps = merge_deps(archive, Counted(), run)
            merge_run(run, [], deps)
    return digests(archive)


def digests(archive: Archive) -> dict[str, str]:
    """Digest of each remembered merged state, by run."""
    found = {}
    for one in MergedStates(archive).head().runs:
        stored = archive.get(one.key)
        assert stored is not None
        found[one.run_id] = blake2b(stored.body).hexdigest()
    return found


def measured(folder: Path, slots: int) -> None:
    """Rebuild in this process; print the figures as JSON."""
    archive = Archive(folder, slots)
    began, began_cpu = time.perf_counter(), time.process_time()
    rebuilt = rebuild(RebuildDeps(objects=archive, clock=ManualClock(run_at(slots).slot_at), settings=Settings()))
    figures = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - began_cpu - archive.cpu_seconds,
        "folded": len(rebuilt.folded),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MB,
        "digests": digests(archive),
    }
    sys.stdout.write(json.dumps(figures))


def main() -> int:
    """Merge, lose, rebuild, compare. Exit code 1 when a byte differs."""
    parser = argparse.ArgumentParser(description="Measure `spotlake rebuild` at full size.")
    parser.add_argument("--slots", type=int, default=20, metavar="N", help="how many slots (default: 20; a week: 1008)")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder:
        measured(arguments.folder, arguments.slots)
        return 0
    console = Console()
    with tempfile.TemporaryDirectory(prefix="spotlake-rebuild-") as name:
        folder = Path(name)
        with console.status("preparing"):
            prepare(folder, arguments.slots)
        expected = merge_all(folder, arguments.slots, console)
        archive = Archive(folder, arguments.slots)
        for key in [keys.MERGED_CHAIN, *archive.keys(keys.MERGED_STATES_PREFIX)]:
            archive.delete(key)
        with console.status("rebuilding"):
            command = [sys.executable, "-m", "benchmarks.rebuild", "--slots", str(arguments.slots), "--folder", name]
            figures = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    same = figures.pop("digests") == expected
    console.print(
        f"{figures['folded']:,} slots in {figures['seconds'] / 60:.1f} minutes with the making of their shards; "
        f"{figures['cpu_seconds'] / figures['folded']:.2f} CPU s a slot without it; "
        f"at most {figures['peak_mb']:.0f} MB; "
        f"the same bytes: {same}"
    )
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
