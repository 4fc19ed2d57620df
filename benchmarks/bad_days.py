"""Peak memory of the merge at full size when the table or the order of slots goes wrong.

``python -m benchmarks.bad_days`` (half a minute) merges the world of ``make bench`` while the table refuses, five times
in a row; then the table takes everything again; then the slot before comes late. The stores are in memory of the same
process and count too. Exit code 1 when a merge takes more than 300 MB (a late slot does: README), or fails otherwise.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import orjson
from rich.console import Console

from benchmarks.merge.ours import Counted
from benchmarks.merge.prepared import prepare
from benchmarks.merge.runs import load, run_at
from spotlake import keys
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import StoreError
from spotlake.models import ItemChange, Run
from spotlake.settings import Settings
from spotlake.state.attempts import read_record, read_work, write_record, write_work
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.workloads import SizedIterable, Upserted
from spotlake.telemetry import PeakMemory
from spotlake.usecases.merge.merge_run import MergeDeps, merge_run

MOST_MB = 300
REFUSALS = 5  # after three begun states every item is written whole


class Refusing(Counted):
    """Makes every item, and refuses at the end."""

    def upsert(self, changes: SizedIterable[ItemChange], *, deadline: Deadline) -> Upserted:
        """See ``WorkloadTable``."""
        super().upsert(changes, deadline=deadline)
        raise StoreError("table azure-test: ThrottlingException")


def peak_of_merge(objects: MemoryObjects, run: Run, table: Counted) -> float:
    """Merge, and return the peak of resident memory in MB."""
    peak = PeakMemory()
    deps = MergeDeps(
        objects=objects,
        workloads=table,
        clock=ManualClock(run.slot_at),
        deadline=Deadline.after(600),
        settings=Settings(),
    )
    peak.start()
    try:
        merge_run(run, [], deps)
    except StoreError:
        if not isinstance(table, Refusing):
            raise
    return peak.read_mb()


def later_run(objects: MemoryObjects) -> Run:
    """A run of the slot after the second one, whose shards hold the rows of the second."""
    second, third = run_at(1), run_at(2)
    record, work = read_record(objects, second.slot_at, second.attempt), read_work(objects, second.slot_at, 2)
    if work is None:
        raise StoreError("the second run has no work")
    write_record(objects, replace(record, run=third))
    write_work(objects, replace(work, run=third))
    for dataset, region in work.shards():
        body = objects.objects[keys.shard(dataset, second.slot_at, region, second.attempt)]
        head, rows = gzip.decompress(body).split(b"\n", 1)
        header = orjson.loads(head) | {"run_id": third.run_id, "attempt": third.attempt}
        body = gzip.compress(orjson.dumps(header) + b"\n" + rows, 1, mtime=0)
        objects.put(keys.shard(dataset, third.slot_at, region, third.attempt), body)
    return third


def main() -> int:
    """Prepare, merge, print."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="spotlake-bench-") as name, console.status("preparing"):
        process = get_context("spawn").Process(target=prepare, args=(Path(name),))  # its memory is not the merge's
        process.start()
        process.join()
        objects = load(Path(name) / "objects")
    held = sum(map(len, objects.objects.values())) / 2**20
    console.print(f"objects in memory: {held:.0f} MB")
    later = later_run(objects)
    cases = [(f"the table refuses, time {time}", later, Refusing()) for time in range(1, REFUSALS + 1)]
    peaks = []
    for text, run, table in [*cases, ("the table takes everything", later, Counted())]:
        peaks.append(peak_of_merge(objects, run, table))
        console.print(f"{text}: {table.items:,} items, peak {peaks[-1]:.0f} MB")
    table = Counted()
    peaks.append(peak_of_merge(objects, run_at(1), table))
    console.print(f"the slot before comes late: {table.items:,} items, peak {peaks[-1]:.0f} MB")
    console.print(f"most: {max(peaks):.0f} MB of {MOST_MB}")
    return 0 if max(peaks) <= MOST_MB else 1


if __name__ == "__main__":
    sys.exit(main())
