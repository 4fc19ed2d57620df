"""The merge at full size, beside pandas and other libraries: ``make bench``.

Each way runs in its own process, on one core, from the same files. Only ratios are judged, so a slow machine passes
too; seconds and megabytes are printed. Exit code 1 when the outputs differ, or when a ratio is missed.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.merge.prepared import prepare
from benchmarks.merge.runs import run_at
from spotlake import keys
from spotlake.merge.files import LATEST_COLUMNS

OURS, NAIVE, CAREFUL = "ours", "naive_pandas", "careful_pandas"
LIBRARIES = ("numpy", "polars", "duckdb", "pandas")
LEAST_RATIOS = {NAIVE: 10.0, CAREFUL: 2.0}  # of CPU seconds
LEAST_MEMORY_RATIO = 1.3  # of peak memory, careful pandas to ours


def main() -> int:
    """Prepare, measure, compare, print."""
    parser = argparse.ArgumentParser(description="Measure the merge at full size, beside other ways to do it.")
    parser.add_argument("--times", type=int, default=3, metavar="N", help="the best of N is shown (default: 3)")
    times: int = parser.parse_args().times
    console = Console()
    with tempfile.TemporaryDirectory(prefix="spotlake-bench-") as name, console.status("preparing") as status:
        folder = Path(name)
        prepare(folder)
        found = {}
        for way in (OURS, CAREFUL, NAIVE):
            status.update(f"merging: {way}")
            found[way] = best(f"benchmarks.merge.{way}", folder, folder / way, times=1 if way == NAIVE else times)
        same = len({snapshot(folder / way) for way in found}) == 1
        steps = {}
        for library in LIBRARIES:
            status.update(f"joining: {library}")
            steps[library] = best("benchmarks.merge.join", folder, library, times=times)
    console.print(ways_table(found))
    console.print(steps_table(steps))
    ratios = {way: found[way]["cpu_seconds"] / found[OURS]["cpu_seconds"] for way in LEAST_RATIOS}
    memory = found[CAREFUL]["peak_mb"] / found[OURS]["peak_mb"]
    slower = "; ".join(f"{way} {ratio:.1f} x (at least {LEAST_RATIOS[way]:.1f})" for way, ratio in ratios.items())
    console.print(
        f"the same snapshot: {same}; CPU: {slower}; memory: {memory:.1f} x (at least {LEAST_MEMORY_RATIO:.1f})"
    )
    kept = memory >= LEAST_MEMORY_RATIO and all(ratios[way] >= least for way, least in LEAST_RATIOS.items())
    return 0 if same and kept else 1


def best(module: str, *arguments: Path | str, times: int) -> dict[str, Any]:
    """The figures of the run with the least CPU."""
    # With byte code, as in a Lambda's layer, and on one core.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    runs = []
    for _ in range(times + 1):  # the first one writes the byte code
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {0}),
        )
        runs.append(json.loads(done.stdout))
    return min(runs[-times:], key=lambda one: one["cpu_seconds"])


def snapshot(folder: Path) -> tuple[tuple[str, ...], ...]:
    """The rows of a snapshot in the columns that SpotLake's readers know, numbers in one form, in order."""
    with gzip.open(folder / keys.snapshot(run_at(1).slot_at), "rt", encoding="utf-8") as file:
        rows = ({name: row[name] for name in LATEST_COLUMNS} for row in csv.DictReader(file))
        return tuple(sorted(tuple(map(_plain, row.values())) for row in rows))


def _plain(text: str) -> str:
    return text.removesuffix(".0")


def ways_table(found: dict[str, dict[str, Any]]) -> Table:
    """The figures of each way."""
    table = Table(title="merge: 62,666 pairs, 150,618 rows, three data sets, 5 % of the rows changed")
    for heading in ("way", "CPU seconds", "of imports besides", "peak MB", "changed items"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for way, one in found.items():
        figures = (f"{one['cpu_seconds']:.2f}", f"{one['imports_cpu_seconds']:.2f}", f"{one['peak_mb']:.0f}")
        table.add_row(way, *figures, f"{one['changed']:,}")
    return table


def steps_table(steps: dict[str, dict[str, Any]]) -> Table:
    """The figures of each library."""
    table = Table(title="reading, joining and comparing alone")
    for heading in ("library", "CPU seconds", "of imports besides", "peak MB", "unpacked MB", "changed rows"):
        table.add_column(heading, justify="left" if heading == "library" else "right")
    for library, one in steps.items():
        figures = (f"{one['cpu_seconds']:.2f}", f"{one['imports_cpu_seconds']:.2f}", f"{one['peak_mb']:.0f}")
        table.add_row(library, *figures, f"{one['unpacked_mb']:.0f}", f"{one['changed']:,}")
    return table


if __name__ == "__main__":
    sys.exit(main())
