"""A simulated Azure for tests: one process per session, reset before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spotlake.azure.credentials import AzureCredentials
from spotlake_local.azure.simulated import SimulatedAzure


@pytest.fixture(scope="session")
def azure_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedAzure]:
    with SimulatedAzure.start(tmp_path_factory.mktemp("azure"), subscriptions=6) as azure:
        yield azure


@pytest.fixture
def azure(azure_process: SimulatedAzure) -> SimulatedAzure:
    azure_process.reset()
    return azure_process


def credentials_of(azure: SimulatedAzure) -> AzureCredentials:
    return AzureCredentials(azure.tenant_id, azure.client_id, azure.client_secret, azure.subscriptions)
