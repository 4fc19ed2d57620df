"""What Report does after the merge: ``python -m benchmarks.merge.reported FOLDER`` prints its CPU seconds.

The world of ``benchmarks.merge.prepared`` is merged in the same process, which is not counted.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.merge.deps import Counted, merge_deps
from benchmarks.merge.runs import load, run_at
from spotlake.clock import ManualClock
from spotlake.events import MergeStep, PlanStep, ReportEvent
from spotlake.stores.claims import MemoryClaims
from spotlake.usecases.merge.merge_run import merge_run
from spotlake.usecases.report.report_run import ReportDeps, report_run


def main() -> None:
    """Merge the second run, report it, print."""
    run, objects = run_at(1), load(Path(sys.argv[1]) / "objects")
    merge_run(run, [], merge_deps(objects, Counted(), run))
    began_at = run.slot_at.isoformat()
    event = ReportEvent(
        run=run.to_dict(),
        plan=PlanStep(status="planned", began_at=began_at, seconds=1.0, peak_memory_mb=200.0),
        collectors=[],
        merge=MergeStep(status="complete", began_at=began_at, seconds=1.0, peak_memory_mb=200.0),
    )
    deps = ReportDeps(
        objects=objects,
        claims=MemoryClaims(),
        wall=ManualClock(run.slot_at),
        azure="simulated",
        architecture="arm64",
    )
    began = time.process_time()
    result = report_run(event, deps)
    sys.stdout.write(json.dumps({"cpu_seconds": time.process_time() - began, "outputs": result["outputs"]}) + "\n")


if __name__ == "__main__":
    main()
