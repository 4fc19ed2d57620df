"""What every test shares: no real credentials, no proxy settings, one region, no limit of time."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Hypothesis would fail a test that took long once. A busy machine is no fault.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

_CLEARED = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AZURE_AUTHORITY_HOST", "SLACK_WEBHOOK_URL")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a case of packed bytes by its length: gzip writes the second of its making; all processes need one name."""
    return f"{len(val)} bytes" if isinstance(val, bytes) and not val.isascii() else None


@pytest.fixture(autouse=True)
def _dummy_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*_CLEARED, *(name for name in os.environ if name.startswith("SPOTLAKE_"))]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
