"""What each function's cold start imports, by list: a new import there is a choice, and costs every cold start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNTIME = {"botocore", "certifi", "dateutil", "jmespath", "six", "urllib3"}
EVERYWHERE = RUNTIME | {"aws_lambda_powertools", "isal", "orjson", "spotlake", "typing_extensions"}
HTTP = {"charset_normalizer", "idna", "requests"}
ARRAYS = {"msgspec", "numpy"}
OWN = {
    "plan": {"yaml"},  # production's own file
    "sps": HTTP,
    "price": HTTP,
    "eviction": HTTP,
    "merge": ARRAYS,
    "history": ARRAYS | {"pyarrow"},
    "report": set[str](),
    "notify": HTTP,  # Slack
}
# Compiled parts of packages register these; they are not packages of their own.
PARTS = {"cython_runtime", "handler"}


@pytest.mark.parametrize("function", OWN)
def test_a_handler_imports_what_it_needs(function: str) -> None:
    code = (
        f"import sys; sys.path.insert(0, 'functions/{function}'); before = set(sys.modules); import handler, json; "
        "print(json.dumps(sorted({name.split('.')[0] for name in set(sys.modules) - before})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    packages = {name for name in json.loads(done.stdout) if not name.startswith("_")}
    assert packages - sys.stdlib_module_names - PARTS == EVERYWHERE | OWN[function]
