"""The stack signs in with nothing stored: functions and job take one role, and Azure trusts that role's name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from spotlake.settings import Settings
from spotlake_local.aws.launcher import ACCOUNT
from spotlake_local.azure.__main__ import CLIENT, TENANT, subscription_ids
from spotlake_local.workspace import ROOT
from tests.support.site import STACK, Site, start_site

SUBJECT = f"arn:aws:iam::{ACCOUNT}:role/{STACK}-azure-sign-in"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    nothing_stored = {
        "azure_sign_in": "federation",
        "auth_store": "settings",
        "azure_tenant_id": TENANT,
        "azure_client_id": CLIENT,
        "azure_subscriptions": ",".join(subscription_ids(2)),
    }
    with start_site(tmp_path_factory.mktemp("federation"), **nothing_stored) as site:
        auth = Settings()
        cast("Any", site.aws.client("dynamodb", region=auth.auth_region)).delete_table(TableName=auth.auth_table)
        yield site


def trust(site: Site, subject: str) -> None:
    issuer, audience = f"{site.aws.endpoint_url}/_issuer", "api://AzureADTokenExchange"
    site.azure.options(federated_credentials=[{"issuer": issuer, "subject": subject, "audience": audience}])


def doctor(site: Site) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "spotlake_local.cli", "doctor", "--azure"],
        env={**os.environ, **site.aws.environment()},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_full_run_and_a_ten_minute_run_sign_in_without_a_secret(site: Site, tmp_path: Path) -> None:
    trust(site, SUBJECT)
    slot_at = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    for minute, mode in ((0, "full"), (10, "incremental")):
        arn = site.start(mode=mode, timestamp=f"{slot_at.replace(minute=minute):%Y-%m-%dT%H:%M:%SZ}")
        ended = site.ended(arn)
        assert ended["status"] == "SUCCEEDED", ended
    assert site.azure.stats()["answers"]["sps 200"] > 0
    assert doctor(site)[0] == 0, doctor(site)[1]


def test_a_subject_that_azure_does_not_trust_is_named_with_the_one_it_should(site: Site) -> None:
    trust(site, SUBJECT.replace("azure-sign-in", "another"))
    code, said = doctor(site)
    assert code == 1
    (red,) = [line for line in said.splitlines() if line.startswith("TO DO")]
    assert "AADSTS700213" in red
    assert red.endswith(f"the subject is {SUBJECT}")
