"""``python -m tests.workflow.record_executions``: record whole executions anew for tests/workflow/test_recorded.py.

The deployed stack on the emulated AWS, in front of the simulated Azure, two regions small: a full run, the Map, the Map
with a lost data set, a start while another goes on, and a full run whose sign-in is refused. What the history says of
each state is kept.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

from spotlake_local.workspace import ROOT
from tests.support.emulator import wait_for
from tests.support.site import PATIENCE_SECONDS, Site, start_site

FILE = ROOT / "tests/data/executions.json.gz"
_DETAILS = ("stateEntered", "stateExited", "taskSucceeded", "taskFailed", "executionFailed", "executionSucceeded")


def recorded(site: Site, arn: str) -> dict[str, Any]:
    """Its input, context, and every event that holds data."""
    ended = site.ended(arn)
    pages = site.workflows.get_paginator("get_execution_history").paginate(executionArn=arn)
    events = [
        {"type": event["type"], **event[f"{name}EventDetails"]}  # type: ignore[literal-required]
        for page in pages
        for event in page["events"]
        for name in _DETAILS
        if f"{name}EventDetails" in event
    ]
    context = {
        "Execution": {"Id": arn, "StartTime": ended["startDate"].isoformat()},
        "StateMachine": {"Id": site.machine_arn},
    }
    return {"context": context, "input": json.loads(ended["input"]), "status": ended["status"], "events": events}


def main() -> None:
    """Run them all and write the file."""
    found = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        start_site(Path(folder), regions="westcentralus,koreacentral") as site,
    ):
        found["full run"] = recorded(site, site.start())
        site.azure.fault(api="retail", times=1, latency_seconds=8.0)  # it is not over before the other asks
        first = site.start()
        wait_for(lambda: "CollectRegions" in site.entered(first), what="the claim", patience_seconds=PATIENCE_SECONDS)
        found["skipped"] = recorded(site, site.start())
        found["map"] = recorded(site, first)
        site.azure.fault(api="graph", status=403)
        found["lost data sets"] = recorded(site, site.start())
        site.azure.clear_faults()
        site.azure.options(secret_expired=True)
        found["failed full run"] = recorded(site, site.start(mode="full"))
    FILE.write_bytes(gzip.compress(json.dumps(found, indent=1).encode(), mtime=0))


if __name__ == "__main__":
    main()
