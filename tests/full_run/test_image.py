"""The Dockerfile, linted, and the entry point with only what the image installs; built where an engine works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spotlake.errors import ConfigurationError
from spotlake_local.commands.image import find_engine
from spotlake_local.image_source import DOCKERFILE
from spotlake_local.workspace import ROOT

TEXT = (ROOT / DOCKERFILE).read_text(encoding="utf-8")


def test_the_linter_finds_nothing() -> None:
    words = [str(ROOT / ".venv/bin/hadolint"), DOCKERFILE]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_nobody_is_root_and_no_secret_can_get_in() -> None:
    last_stage = TEXT.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d+$", last_stage, re.MULTILINE)
    assert not re.search(r"^ARG\b|SECRET|TOKEN|PASSWORD|AWS_|AZURE_", TEXT, re.MULTILINE | re.IGNORECASE)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first stage leaves in /opt/packages, by the same two commands."""
    folder = tmp_path_factory.mktemp("image")
    (export, install) = re.findall(r"uv (export [^\\\n]+)|uv (pip install [^\\\n]+)", TEXT)
    uv = shutil.which("uv") or str(ROOT / ".tools/uv/bin/uv")
    target = str(folder / "packages")
    for words in (export[0].split(), install[1].replace("/opt/packages", target).split()):
        paths = [str(folder / "requirements.txt") if word == "requirements.txt" else word for word in words]
        kept = [word for word in paths if word != "--no-cache"]
        if kept[0] == "pip":
            kept += ["--python", sys.executable]
        subprocess.run([uv, *kept], cwd=ROOT, check=True, capture_output=True)
    return folder / "packages"


def started(packages: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    paths = (packages, ROOT / "layers/common/python", ROOT / "functions/full_run")
    python = Path(sys.base_prefix) / "bin/python3.13"
    return subprocess.run(
        [str(python), "-m", "full_run", *words],
        cwd=cwd,
        env={"PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_entry_point_starts_with_what_the_image_installs_and_writes_nowhere(packages: Path, tmp_path: Path) -> None:
    helped = started(packages, tmp_path, "--help")
    assert helped.returncode == 0, helped.stderr
    assert "exit" in helped.stdout.lower()
    refused = started(packages, tmp_path, "--run", "not json")
    assert refused.returncode in {64, 78}, refused.stderr
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_image_is_built_where_an_engine_works() -> None:
    try:
        engine = find_engine()
    except ConfigurationError:
        return  # the other tests stand for it
    subprocess.run([engine, "build", "--file", DOCKERFILE, "."], cwd=ROOT, check=True, capture_output=True)
