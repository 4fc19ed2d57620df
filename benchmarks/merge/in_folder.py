"""The merge of this project, its bucket in a folder: the peak is then that of the merge alone."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from benchmarks.merge.deps import Counted, merge_deps
from benchmarks.merge.folder import FolderObjects
from benchmarks.merge.measured import measured
from benchmarks.merge.runs import run_at
from spotlake.usecases.merge.merge_run import merge_run

IMPORTS_CPU_SECONDS = time.process_time()


def merge(source: Path, target: Path) -> int:
    """Merge the second run, and leave the source as it is."""
    shutil.rmtree(target, ignore_errors=True)
    run, table = run_at(1), Counted()
    merge_run(run, [], merge_deps(FolderObjects(target, below=source / "objects"), table, run))
    return table.items


if __name__ == "__main__":
    measured(merge, IMPORTS_CPU_SECONDS)
