"""What is installed is what was locked, and nothing of it runs while it is installed."""

from __future__ import annotations

import re

from spotlake_local.workspace import ROOT


def test_pip_installs_only_what_has_a_hash() -> None:
    for name in ("Makefile", "functions/full_run/Dockerfile"):
        lines = [
            line for line in (ROOT / name).read_text().splitlines() if re.search(r"\bpip install .*(-r|uv)\b", line)
        ]
        lines = [line for line in lines if "boto3==" not in line]  # docs/security.md, item 20
        assert lines, name
        assert [line for line in lines if "--require-hashes" not in line] == [], name


def test_uv_has_its_hashes() -> None:
    assert re.search(
        r"^uv==[\d.]+ \\\n(    --hash=sha256:[0-9a-f]{64} ?\\?\n){10,}",
        (ROOT / "functions/full_run/uv.txt").read_text(),
        re.M,
    )


def test_npm_runs_no_script_of_a_package() -> None:
    lines = [line for line in (ROOT / "Makefile").read_text().splitlines() if "npm ci" in line]
    assert len(lines) == 1
    assert "--ignore-scripts" in lines[0]
