from __future__ import annotations

from collections.abc import Iterator

import pytest

from spotlake.settings import Settings
from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.aws.seed import seed_production
from spotlake_local.workspace import ROOT
from tests.full_run.job import JOB_PACKAGES
from tests.support.azure import azure, azure_process  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def aws() -> Iterator[EmulatedAws]:
    with EmulatedAws.start(None, lambda_python=lambda_python(ROOT), job_python_path=JOB_PACKAGES) as running:
        seed_production(running, Settings(), {})
        yield running
