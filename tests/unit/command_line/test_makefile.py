"""What `make` says before it does anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spotlake_local.workspace import ROOT

MAKE = str(shutil.which("make"))


def make(*words: str, path: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        [MAKE, "-C", str(ROOT), *words],
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_misspelt_variable_is_refused_before_the_wrong_run_begins() -> None:
    done = make("-n", "run", "REGION=eastus", path=os.environ["PATH"])
    assert done.returncode == 2
    assert "REGION: not a variable of `make run`; it takes TIMESTAMP MODE REGIONS" in done.stderr
    assert make("-n", "run", "REGIONS=eastus", path=os.environ["PATH"]).returncode == 0
    assert make("-n", "lint", "REGION=eastus", path=os.environ["PATH"]).returncode == 0


def test_a_slot_is_resumed_by_a_variable() -> None:
    assert "--resume" in make("-n", "run", "RESUME=1", path=os.environ["PATH"]).stdout
    assert "--resume" not in make("-n", "run", path=os.environ["PATH"]).stdout
    assert "--resume" not in make("-n", "run", "RESUME=0", path=os.environ["PATH"]).stdout
    done = make("-n", "run", "RESUME=yes", path=os.environ["PATH"])
    assert done.returncode == 2
    assert "RESUME: 'yes' is not allowed; give 1 (on) or 0 (off)" in done.stderr


@pytest.mark.parametrize(
    ("python", "said"), [("", "Python 3.13 is needed"), (sys.executable, "Node 20 or later")], ids=["python", "node"]
)
def test_what_is_missing_on_the_machine_is_named(tmp_path: Path, python: str, said: str) -> None:
    for tool in ("uname", "sed"):  # of the Makefile's own
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    if python:
        (tmp_path / "python3.13").symlink_to(Path(python).resolve())
    done = make("needed", path=str(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr
    assert make("needed", path=os.environ["PATH"]).returncode == 0
