from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import NamedTuple

import aws_cdk as cdk
import cdk_nag
import pytest

from cdk.settings import StackSettings
from cdk.stack import CollectorStack
from spotlake_local.workspace import ROOT, host_architecture
from tests.infra.templates import Template


class Synthesised(NamedTuple):
    folder: Path
    test: Template  # the defaults
    other: Template  # another stage, with the schedule on, an image and a network of somebody else's
    findings: list[tuple[str, str]]  # (rule, construct) of cdk-nag


OTHER = {
    "stage": "other",
    "schedule_enabled": "true",
    "image_uri": "example.com/full-run:1",
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": "subnet-0123456789abcdef1,subnet-0123456789abcdef2",
    "rawdata_expire_days": "90",
    "snapshot_expire_days": "400",
    "athena_enabled": "true",
    "table_write_units": "25",
    "functions": '{"merge": {"memory_mb": 2048, "reserved": 3}}',
    "alert_email": "ops@example.com",
    "slack_webhook_parameter": "/spotlake/slack",
    "auth_store": "secretsmanager",
    "auth_name": "spotlake/azure",
    "auth_region": "eu-west-1",
    "azure_sign_in": "federation",
}
STACKS = ("spotlake-azure-test", "spotlake-azure-other")


def _build(app: cdk.App, **context: str) -> CollectorStack:
    settings = StackSettings.from_context({"architecture": host_architecture(), **context})
    return CollectorStack(app, settings.stack_name, settings=settings)


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Synthesised:
    """Both stacks, checked by cdk-nag. The first process that asks makes them, for every process of this call."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "infra" / "cdk.out"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "validation-report.json").exists():
            _synthesise(folder)
    test, other = (Template(json.loads((folder / f"{name}.template.json").read_text())) for name in STACKS)
    report = json.loads((folder / "validation-report.json").read_text())
    findings = [
        (violation["ruleName"], construct["constructPath"])
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]
    return Synthesised(folder, test, other, findings)


def _synthesise(folder: Path) -> None:
    app = cdk.App(outdir=str(folder), context=json.loads((ROOT / "cdk.json").read_text())["context"])
    assert tuple(_build(app, **context).stack_name for context in ({}, OTHER)) == STACKS
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise  # findings have a test of their own


@pytest.fixture(scope="session")
def template(synthesised: Synthesised) -> Template:
    return synthesised.test
