"""The merge of this project, its stores in memory."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.merge.deps import Counted, merge_deps
from benchmarks.merge.measured import measured
from benchmarks.merge.runs import load, run_at
from spotlake import keys
from spotlake.usecases.merge.merge_run import merge_run

IMPORTS_CPU_SECONDS = time.process_time()


def merge(source: Path, target: Path) -> int:
    """Merge the second run."""
    run, table = run_at(1), Counted()
    objects = load(source / "objects")
    for key in keys.NEWEST_FILES:  # nothing reads them; they would take 40 MB of this process, and not of the bucket
        objects.objects.pop(key, None)
    deps = merge_deps(objects, table, run)
    merge_run(run, [], deps)
    for key in (keys.snapshot(run.slot_at), *keys.NEWEST_FILES, keys.manifest(run.slot_at)):
        file = target / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(objects.objects[key])
    return table.items


if __name__ == "__main__":
    measured(merge, IMPORTS_CPU_SECONDS)
