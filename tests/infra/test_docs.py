"""docs/settings.md and docs/deploying.md hold what the code has, and what they tell people to type works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import boto3
import pytest

from cdk.settings import _MADE_BY_THE_STACK, FUNCTION_SIZES, StackSettings
from spotlake.azure.credential_stores import read_credentials
from spotlake.settings import Settings
from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.cli import _parser
from spotlake_local.workspace import ROOT

WORDS = {
    "TENANT": "11111111-2222-3333-4444-555555555555",
    "APP_ID": "99999999-8888-7777-6666-555555555555",
    "SUBSCRIPTION_ID": "00000000-0000-4000-8000-000000000001",
    "ANOTHER_SUBSCRIPTION_ID": "00000000-0000-4000-8000-000000000002",
}
SETTINGS = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
DEPLOYING = (ROOT / "docs/deploying.md").read_text(encoding="utf-8")


def documented() -> dict[str, str]:
    """Setting -> default, as the tables have them."""
    found: dict[str, str] = {}
    for line in SETTINGS.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        names = re.findall(r"`(\w+)`", cells[0]) if len(cells) == 3 else []
        found.update(zip(names, [one.strip().strip("`") for one in cells[1].split(", ")] if names else [], strict=True))
    return found


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value or value == 0 else "empty"


def test_every_setting_stands_there_with_its_default() -> None:
    expected = {one.name: shown(one.default) for one in fields(StackSettings) if one.name != "running"}
    expected |= {one.name: shown(one.default) for one in fields(Settings) if one.name not in _MADE_BY_THE_STACK}
    assert documented() == {**expected, "functions": "the table below"}


@pytest.mark.parametrize("name", FUNCTION_SIZES)
def test_the_sizes_of_functions_stand_there(name: str) -> None:
    size = FUNCTION_SIZES[name]
    assert f"| {name} | {size.memory_mb} | {size.timeout_seconds} |" in SETTINGS


def test_the_settings_that_commands_name_exist() -> None:
    for arguments in re.findall(r'CDK_ARGS="(.*?)"', SETTINGS + DEPLOYING):
        given = [word for word in shlex.split(arguments) if "=" in word]
        assert given
        StackSettings.from_context(dict(word.split("=", 1) for word in given) | {"write_bucket": "your-bucket"})


def test_the_commands_of_ours_that_the_page_types_exist() -> None:
    typed = re.findall(r"^\.venv/bin/spotlake (.+)$", DEPLOYING, re.MULTILINE)
    assert {shlex.split(words)[0] for words in typed} == {"doctor", "ops", "rebuild"}
    for words in typed:
        _parser().parse_args(shlex.split(words))


@pytest.mark.emulator
def test_the_credentials_are_put_as_described_and_read_by_the_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (item,) = re.findall(r"```json\n(.*?)```", DEPLOYING, re.DOTALL)
    for word, value in WORDS.items():
        item = re.sub(rf"\b{word}\b", value, item)
    (tmp_path / "azure-auth.json").write_text(item)
    (commands,) = [one for one in re.findall(r"```bash\n(.*?)```", DEPLOYING, re.DOTALL) if "AzureAuth" in one]
    with EmulatedAws.start(None, lambda_python=lambda_python(ROOT)) as aws:
        path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
        environment = {**os.environ, **aws.environment(), "PATH": path}
        script = ["bash", "-euc", commands]
        done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        settings = Settings()
        for name, value in aws.environment().items():
            monkeypatch.setenv(name, value)
        found = read_credentials(boto3.Session(), settings)
    assert (found.tenant_id, found.client_id, found.client_secret) == (WORDS["TENANT"], WORDS["APP_ID"], "PASSWORD")
    assert found.subscriptions == (WORDS["SUBSCRIPTION_ID"], WORDS["ANOTHER_SUBSCRIPTION_ID"])
