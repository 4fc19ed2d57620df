"""Peak memory of the merge at full size when the table or the order of slots goes wrong.

``python -m benchmarks.bad_days`` (two minutes) merges the world of ``make bench``, each merge in a process of its own:
the table refuses one slot five times, then refuses one slot after the other, then takes everything; a slot comes late,
with one and with six later slots. Objects lie in a folder. Exit code 1 when a merge takes more than 300 MB, or fails
otherwise.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
from rich.console import Console

from benchmarks.merge.deps import Counted, merge_deps
from benchmarks.merge.folder import FolderObjects
from benchmarks.merge.runs import run_at
from spotlake import keys
from spotlake.clock import Deadline
from spotlake.errors import StoreError
from spotlake.models import ItemChange, Run
from spotlake.state.attempts import read_record, read_work, write_record, write_work
from spotlake.stores.objects import ObjectStore
from spotlake.stores.workloads import SizedIterable, Upserted
from spotlake.telemetry import PeakMemory
from spotlake.usecases.merge.merge_run import merge_run

MOST_MB = 300
REFUSALS = 5  # after three begun states every item is written whole
_PREPARE = "import sys, pathlib; from benchmarks.merge.prepared import prepare; prepare(pathlib.Path(sys.argv[1]))"


class Refusing(Counted):
    """Makes every item, and refuses at the end."""

    def upsert(self, changes: SizedIterable[ItemChange], *, deadline: Deadline) -> Upserted:
        """See ``WorkloadTable``."""
        super().upsert(changes, deadline=deadline)
        raise StoreError("table azure-test: ThrottlingException")


def peak_of_merge(objects: ObjectStore, run: Run, table: Counted) -> float:
    """Merge, and return the peak of resident memory in MB."""
    peak = PeakMemory()
    deps = merge_deps(objects, table, run)
    peak.start()
    try:
        merge_run(run, [], deps)
    except StoreError:
        if not isinstance(table, Refusing):
            raise
    return peak.read_mb()


def add_slot(objects: ObjectStore, place: int) -> None:
    """Add the attempt of another slot, whose shards hold the rows of the second slot."""
    second, other = run_at(1), run_at(place)
    record, work = read_record(objects, second.slot_at, second.attempt), read_work(objects, second.slot_at, 2)
    if work is None:
        raise StoreError("the second run has no work")
    write_record(objects, replace(record, run=other))
    write_work(objects, replace(work, run=other))
    for dataset, region in work.shards():
        shard = objects.get(keys.shard(dataset, second.slot_at, region, second.attempt))
        if shard is None:
            continue
        head, rows = gzip.decompress(shard.body).split(b"\n", 1)
        header = orjson.loads(head) | {"run_id": other.run_id, "attempt": other.attempt}
        body = gzip.compress(orjson.dumps(header) + b"\n" + rows, 1, mtime=0)
        objects.put(keys.shard(dataset, other.slot_at, region, other.attempt), body)


def merge_one(folder: Path, place: int, *, refuse: bool) -> dict[str, float]:
    """Merge one slot of the stored world."""
    objects, run, table = FolderObjects(folder), run_at(place), Refusing() if refuse else Counted()
    peak = peak_of_merge(objects, run, table)
    return {"items": table.items, "peak_mb": peak}


def cases() -> Iterator[tuple[str, int, bool]]:
    """What happens, the place of the slot that is merged, and whether the table refuses."""
    yield from ((f"the table refuses one slot, time {time}", 2, True) for time in range(1, REFUSALS + 1))
    yield "the table takes everything", 2, False
    yield "the slot before comes late", 1, False
    yield from ((f"the table refuses slot {place - 3} of a new row", place, True) for place in (4, 5, 6))
    yield "the table refuses a fourth slot", 7, True
    yield "the table refuses a fifth slot", 8, True
    yield "the table takes the sixth slot", 9, False
    yield "a slot comes late, six slots follow", 3, False


def main() -> int:
    """Prepare, merge each case in its own process, print."""
    parser = argparse.ArgumentParser(description="Measure the merge's memory on bad days.")
    parser.add_argument("case", nargs="*", help=argparse.SUPPRESS)  # a child's: folder, place, "refuse" or "take"
    child: list[str] = parser.parse_args().case
    if child:
        sys.stdout.write(json.dumps(merge_one(Path(child[0]), int(child[1]), refuse=child[2] == "refuse")))
        return 0
    console, peaks = Console(highlight=False), []
    with tempfile.TemporaryDirectory(prefix="spotlake-bench-") as name, console.status("preparing") as status:
        subprocess.run([sys.executable, "-c", _PREPARE, name], check=True)
        for place in {place for _, place, _ in cases()} - {1}:
            add_slot(FolderObjects(Path(name) / "objects"), place)
        for text, place, refuse in cases():
            status.update(text)
            command = [sys.executable, "-m", "benchmarks.bad_days", f"{name}/objects", str(place)]
            done = subprocess.run([*command, "refuse" if refuse else "take"], stdout=subprocess.PIPE, check=True)
            one = json.loads(done.stdout)
            peaks.append(one["peak_mb"])
            console.print(f"{text}: {one['items']:,} items, peak {one['peak_mb']:.0f} MB")
    console.print(f"most: {max(peaks):.0f} MB of {MOST_MB}")
    return 0 if max(peaks) <= MOST_MB else 1


if __name__ == "__main__":
    sys.exit(main())
