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


def make(*words: str, path: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | variables
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
    assert "RUNS: not a variable" in make("-n", "run", "RUNS=x", path=os.environ["PATH"]).stderr
    assert make("-n", "lint", "REGION=eastus", path=os.environ["PATH"]).returncode == 0


@pytest.mark.parametrize("where", ["command line", "environment"])
@pytest.mark.parametrize(
    ("variable", "target"),
    [
        ("REGIONS", "run"),
        ("RESUME", "run"),
        ("RUNS", "report"),
        ("REPOSITORY", "image"),
        ("CDK_ARGS", "diff"),
        ("SEED", "fuzz"),
        ("SAMPLE", "mutants"),
        ("MODULE", "mutants"),
        ("REST", "mutants"),
        ("EXAMPLES", "differential"),
    ],
)
def test_what_a_variable_holds_is_data(tmp_path: Path, variable: str, target: str, where: str) -> None:
    words = [f"$(shell touch {tmp_path}/make)", f"`touch {tmp_path}/ticks`", f"'; touch {tmp_path}/quote; '", "$HOME"]
    for word in words:
        given = {variable: word} if where == "environment" else {}
        said = make("-n", target, *(() if given else (f"{variable}={word}",)), path=os.environ["PATH"], **given)
        assert word not in said.stdout  # the shell gets it as a variable, not as text of the command
        assert said.returncode == 0 or variable in ("RESUME", "REST"), said.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("target", "variable"), [("run", "RESUME"), ("mutants", "REST")])
def test_a_switch_is_on_or_off(target: str, variable: str) -> None:
    for word in ("", "0", "1"):
        assert make("-n", target, f"{variable}={word}", path=os.environ["PATH"]).returncode == 0
    said = make("-n", target, f"{variable}=yes", path=os.environ["PATH"])
    assert (said.returncode, f"{variable}: 'yes' is not allowed; give 1 (on) or 0 (off)" in said.stderr) == (2, True)
    assert make("-n", "lint", f"{variable}=yes", path=os.environ["PATH"]).returncode == 0


def test_the_command_gets_what_a_variable_holds_as_it_is(tmp_path: Path) -> None:
    copy = tmp_path / "Makefile"
    text = (ROOT / "Makefile").read_text().replace(".venv/bin/spotlake", str(tmp_path / "spotlake"))
    copy.write_text(text.replace("run: setup", "run:").replace("report: setup", "report:"))
    (tmp_path / "spotlake").write_text(f'#!/bin/sh\nprintf "<%s>" "$@" >{tmp_path}/given\n')
    (tmp_path / "spotlake").chmod(0o700)
    odd = "a b;$(shell id)`id`$$x"
    environment = {"PATH": os.environ["PATH"]}
    for words, given in (
        (["run", f"REGIONS={odd}"], f"<run><--regions><{odd}>"),
        (["report", "RUNS=20260101T0000Z  $(id) *"], "<report><--open><20260101T0000Z><$(id)><*>"),
    ):
        subprocess.run([MAKE, "-f", str(copy), *words], cwd=tmp_path, env=environment, check=True)
        assert (tmp_path / "given").read_text() == given
    foreign = {**environment, "REGIONS": odd}
    subprocess.run([MAKE, "-f", str(copy), "run"], cwd=tmp_path, env=foreign, check=True)
    assert (tmp_path / "given").read_text() == f"<run><--regions><{odd}>"


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
