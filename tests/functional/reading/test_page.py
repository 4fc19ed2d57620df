"""Every command and every block of code of docs/reading.md runs over an archive."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from spotlake_local.cli import main
from tests.functional.reading.conftest import Kept

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reading.md").read_text(encoding="utf-8")
COMMANDS = [one for one in re.findall(r"`(spotlake [^`]+)`", PAGE) if "VCPUS" not in one]
# The page's archive has March of 2026; this one has a day of December, in one region.
HERE = {"2026-03-03": "2025-12-15", "20260303": "20251215", "--geography Europe": "--geography Korea", "200": "2",
        "Standard_D4s_v5": "Standard_D2s_v5", "eastus": "koreacentral", "--min-t3 10": "--min-t3 1"}  # fmt: skip


def here(command: str) -> str:
    for there, one in HERE.items():
        command = command.replace(there, one)
    return command


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_runs(
    kept: Kept, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*shlex.split(here(command))[1:], "--from", str(kept.folder)]) == 0, capsys.readouterr().err
    said = capsys.readouterr()
    assert said.out.strip() or list(tmp_path.iterdir())
    assert "slot" in said.err or "bytes" in said.err or "differ" in said.err or "changes" in said.err


def test_the_page_has_commands_for_the_questions() -> None:
    assert {one.split()[1] for one in COMMANDS} == {"latest", "place", "history", "at", "changes", "diff", "export"}


def test_the_block_of_python_runs(kept: Kept) -> None:
    (block,) = re.findall(r"```python\n(import spotlake\n.*?)```", PAGE, re.DOTALL)
    code = here(block).replace(".local/spotlake-test", str(kept.folder)).replace('("Europe",)', '("Korea",)')
    code = code.replace("(8, None)", "(2, None)")
    code += (
        '\nassert len(prices) > 1\nassert cheap.height > 0\nassert then.aggregate("count(*)").fetchall()[0][0] > 0\n'
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
