"""Measures cold starts: ``python -m benchmarks.cold_start [--before CHECKOUT]``.

Each handler is imported, and what it needs for its first request is built, in a fresh process of the Lambda runtime's
interpreter, with the layers as they are deployed. CPU time and peak memory of the process, both checkouts in turn. The
credentials are made up and nothing is sent, so the time of AWS and of the sign-in itself is not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from cdk.constructs.byte_code import compiled
from spotlake_local.workspace import ROOT, host_architecture

_START = """
import json, resource, sys, time
import handler
from datetime import UTC, datetime
from spotlake import wiring
from spotlake.clock import Deadline
from spotlake.models import Mode, Run
from spotlake.stores.objects import S3Objects
S3Objects.get = lambda self, key, **_: None
services, deadline = wiring.services(), Deadline.after(60)
services.objects
at = datetime(2026, 11, 23, tzinfo=UTC)
run = Run(run_id="20261123T0000Z", attempt=1, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=at, owner="me")
def signed_in():
    from spotlake.azure.credentials import AzureCredentials, SignInMethod
    from spotlake.azure_access import AzureAccess
    one = "11111111-1111-1111-1111-111111111111"
    made = AzureCredentials(tenant_id=one, client_id=one, method=SignInMethod.SECRET, client_secret="made-up",
                            subscriptions=(one,))
    AzureAccess.credentials = lambda self, run: made
def work():
    from spotlake.planning.attempt import Work
    try:
        from spotlake.planning.score_knowledge import ScoreKnowledge
    except ImportError:  # an earlier commit
        return Work(run=run, items={})
    return Work(run=run, items={}, knowledge=ScoreKnowledge())
"""
_END = """
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([time.process_time() * 1000, used.ru_maxrss / 1024]))
"""
_BUILDS = {
    "plan": "services.plan_deps(deadline); services.dynamodb\nimport spotlake.usecases.plan.prepare_work",
    "sps": "signed_in(); services.placement_deps(run, deadline, work()).ledger",
    "sps with sign-in": "signed_in(); services.placement_deps(run, deadline, work()).tokens._new_credential()",
    "price": "services.price_deps(run, deadline)",
    "eviction": "signed_in(); services.eviction_deps(run, deadline)",
    "eviction with sign-in": "signed_in(); services.eviction_deps(run, deadline).tokens._new_credential()",
    "merge": "services.finish_deps(run, deadline)",
    "history": "services.history_deps(deadline)",
    "report": "services.report_deps()",
    "notify": "services.notify_deps()",
}
_MOST = {"sps with sign-in": 0.75}  # of the time before; every other handler 0.85


class _Start(NamedTuple):
    cpu_ms: float
    peak_mb: float


def main() -> int:
    """Print the table. Returns 1 when a cold start is over its share of the time before."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of an earlier commit, after `make setup` there")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    checkouts = {"now": ROOT} | ({"before": given.before.resolve()} if given.before else {})
    found: defaultdict[tuple[str, str], list[_Start]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        libraries = {name: _library(root, Path(folder) / name) for name, root in checkouts.items()}
        for number in range(given.rounds):
            sys.stderr.write(f"round {number + 1} of {given.rounds}\n")
            for handler in _BUILDS:
                for name, root in checkouts.items():
                    found[handler, name].append(_start(handler, root, libraries[name]))
    return _print(found, compared=given.before is not None)


def _library(root: Path, folder: Path) -> Path:
    """Our library as that checkout deploys it: with byte code, or from source before it was deployed so."""
    sources = root / "layers/common"
    if (root / "cdk/constructs/byte_code.py").exists():
        return compiled(sources, folder)[0] / "python"
    subprocess.run(["cp", "-r", str(sources), str(folder)], check=True)
    for cache in list(folder.rglob("__pycache__")):
        subprocess.run(["rm", "-r", str(cache)], check=True)
    return folder / "python"


def _start(handler: str, root: Path, library: Path) -> _Start:
    function = handler.split(" ", 1)[0]
    layers = ["dependencies", *(["history"] if function == "history" else [])]
    paths = [root / "functions" / function, library]
    paths += [root / f"build/layers/{name}-{host_architecture()}/python" for name in layers]
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    settings |= {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    python = ROOT / ".tools/lambda-python/bin/python"
    code = _START + _BUILDS[handler] + _END
    done = subprocess.run([python, "-c", code], env=settings, capture_output=True, text=True, check=True)
    return _Start(*json.loads(done.stdout.splitlines()[-1]))


def _print(found: dict[tuple[str, str], list[_Start]], *, compared: bool) -> int:
    def middle(handler: str, name: str) -> _Start:
        starts = found[handler, name]
        return _Start(statistics.median(one.cpu_ms for one in starts), max(one.peak_mb for one in starts))

    late = 0
    head = "| handler | CPU ms | MB |" + (" CPU ms before | MB before | share |" if compared else "")
    sys.stdout.write(head + "\n|---|" + "---:|" * (5 if compared else 2) + "\n")
    for handler in _BUILDS:
        now = middle(handler, "now")
        line = f"| {handler} | {now.cpu_ms:.0f} | {now.peak_mb:.0f} |"
        if compared:
            before = middle(handler, "before")
            share = now.cpu_ms / before.cpu_ms
            late += share > _MOST.get(handler, 0.85)
            line += f" {before.cpu_ms:.0f} | {before.peak_mb:.0f} | {share:.2f} |"
        sys.stdout.write(line + "\n")
    return int(late > 0)


if __name__ == "__main__":
    sys.exit(main())
