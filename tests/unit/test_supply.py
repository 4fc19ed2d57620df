"""What is installed is what was locked, and nothing of it runs while it is installed."""

from __future__ import annotations

import re
import tomllib

from spotlake_local.workspace import ROOT


def test_pip_installs_only_what_has_a_hash() -> None:
    for name in ("Makefile", "functions/full_run/Dockerfile"):
        lines = [
            line for line in (ROOT / name).read_text().splitlines() if re.search(r"\bpip install .*(-r|uv)\b", line)
        ]

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


def test_the_interpreter_of_emulated_lambdas_has_what_the_lock_file_says() -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    versions = {one["name"]: one["version"] for one in locked}
    found = (ROOT / ".tools/lambda-python").glob("lib/python*/site-packages/*.dist-info")
    installed = dict(one.name.removesuffix(".dist-info").rsplit("-", 1) for one in found)
    installed = {name.replace("_", "-").lower(): version for name, version in installed.items()}
    assert set(installed) == {"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"}
    assert installed == {name: versions[name] for name in installed}
