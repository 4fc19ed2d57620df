"""Dependencies point one way, as docs/architecture.md draws them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import spotlake

LIBRARY = Path(spotlake.__file__).parent
ROOT = Path(__file__).parents[2]
DOORS = {"spotlake_local", "cdk", "full_run", "tests", "benchmarks"}
NO_IO = {"boto3", "botocore", "requests", "azure", "logging", "aws_lambda_powertools", "spotlake.clock"}
NO_IO |= {"spotlake.azure", "spotlake.state", "spotlake.stores", "spotlake.usecases"}
NO_IO |= {"spotlake.telemetry", "spotlake.wiring"}


def imported(folder: Path) -> set[str]:
    """Names of modules that the files of a folder import, and of the packages that those are in."""
    found: set[str] = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
    return {".".join(name.split(".")[: end + 1]) for name in found for end in range(name.count(".") + 1)}


def test_the_library_imports_none_of_its_doors() -> None:
    assert imported(LIBRARY) & DOORS == set()


def test_the_merge_loads_no_http_client() -> None:
    code = "import sys, spotlake.usecases.merge.merge_run; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["planning", "merge", "scores", "sizes"])
def test_what_is_called_pure_reaches_nothing(name: str) -> None:
    found = imported(LIBRARY / name)
    assert "spotlake.models" in found
    assert found & NO_IO == set()


_PRICE = """
import json, sys
sys.path[:0] = ["functions/price"]
import handler
from datetime import UTC, datetime
from spotlake import wiring
from spotlake.clock import Deadline
from spotlake.models import Mode, Run
at = datetime(2026, 11, 23, tzinfo=UTC)
run = Run(run_id="20261123T0000Z", attempt=1, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=at, owner="me")
wiring.services().price_deps(run, Deadline.after(60))
print(json.dumps(sorted(sys.modules)))
"""


def test_the_price_function_loads_nothing_of_the_sign_in() -> None:
    done = subprocess.run([sys.executable, "-c", _PRICE], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert {"handler", "spotlake", "botocore"} <= loaded
    assert loaded & {"azure", "msal", "cryptography", "jwt"} == set()
    assert "aws_lambda_powertools.utilities.parameters" not in json.loads(done.stdout)
