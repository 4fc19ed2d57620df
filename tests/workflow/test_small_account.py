"""An account that runs few Lambdas at once: what is refused for it waits, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.workspace import ROOT
from tests.workflow.conftest import Machine

REGIONS = [f"region{number}" for number in range(5)]
# Back-off ten times as fast: how long the waits are is held in tests/infra/test_real_account.py.
POOR = {"LAMBDA_ACCOUNT_CONCURRENCY": "4", "SFN_WAIT_SCALE": "0.1"}


@pytest.mark.emulator
def test_more_lambdas_than_the_account_runs_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    with EmulatedAws.start(None, lambda_python=lambda_python(ROOT), extra_environment=POOR) as aws:
        machine = Machine(aws, tmp_path / "calls.jsonl")
        ended = machine.run(groups=[REGIONS[:3], REGIONS[3:]])
    assert ended.status == "SUCCEEDED", ended
    assert ended.of("merge")[0]["failures"] == []
    assert sorted(event["region"] for event in ended.of("sps")) == REGIONS
