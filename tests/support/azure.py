"""A simulated Azure for tests: one process per session, reset before each test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

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


class OneToken:
    """Always the same token, which nobody refuses."""

    def headers(self) -> dict[str, str]:
        return {"Authorization": "Bearer token"}

    def renew(self, refused: Mapping[str, str]) -> None:
        raise AssertionError(f"nobody refuses {refused}")


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key as PEM, and its public part."""

    pem: str
    public_pem: str


def self_signed(*, ends_at: datetime) -> Certificate:
    """A certificate for signing in, as `openssl req -x509` makes one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "collector")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends_at - timedelta(days=365))
        .not_valid_after(ends_at)
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return Certificate(private + public, public)
