"""Compares the full run with the Map of Lambdas at full size: ``python -m benchmarks.full_and_map``.

Both collect every region and size from the simulated Azure for the same slot and count, each on a fresh
state (the Map is given the catalogue, which only a full run makes), with stores in memory; the merged
files and the table are compared row for row. Ends with exit code 1 where they differ.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from spotlake import keys
from spotlake.models import Mode
from spotlake.planning.scope import Scope
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.house import House, run_of

SUBSCRIPTIONS = 48
SCOPE = Scope(desired_counts=(1,))


def collect_both() -> tuple[dict[str, Any], dict[str, Any]]:
    """Files for readers after a full run, and after an incremental one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatedAzure.start(Path(folder), subscriptions=SUBSCRIPTIONS) as azure,
    ):
        began = time.monotonic()
        job, run = House(azure), run_of(Mode.FULL, 1)
        job.full(SCOPE, run)
        of_job = job.merged(run)
        print(f"full run collected and merged after {time.monotonic() - began:.0f} s")
        azure.reset()
        lambdas, run = House(azure), run_of(Mode.INCREMENTAL, 1)
        lambdas.objects.put(keys.CATALOGUE, job.objects.objects[keys.CATALOGUE])
        lambdas.incremental(SCOPE, run)
        of_map = lambdas.merged(run)
        print(f"incremental run collected and merged after {time.monotonic() - began:.0f} s")
        return of_job, of_map


def main() -> int:
    """Collect both ways, compare, and print differences."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-west-2")  # no call is made to it
    of_job, of_map = collect_both()
    for name, content in of_job.items():
        same = "the same" if content == of_map[name] else "DIFFERENT"
        print(f"{name}: {len(content)} rows of the full run, {len(of_map[name])} of the Map: {same}")
    return 0 if of_job == of_map else 1


if __name__ == "__main__":
    sys.exit(main())
