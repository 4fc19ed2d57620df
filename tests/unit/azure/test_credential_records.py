"""Records of credentials: each fault by its whole sentence, the end of each proof, and secrets that are hidden."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from spotlake import secrecy
from spotlake.azure.credentials import AzureCredentials, SignInMethod, credentials_of
from spotlake.errors import ConfigurationError
from spotlake.secrecy import scrubbed
from tests.support.azure import self_signed
from tests.support.errors import says

TENANT, CLIENT, SUB_A, SUB_B = (f"{digit}0000000-abcd-4000-8000-000000000000" for digit in "1234")
RECORD = {
    "tenant_id": TENANT,
    "client_id": CLIENT,
    "client_secret": " value-4711 ",
    "subscriptions": f"{SUB_A},{SUB_B}",
}


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret is known from an earlier test."""
    monkeypatch.setattr(secrecy, "_known", {})


def test_a_record_in_full() -> None:
    assert credentials_of(
        {**RECORD, "client_certificate": "other-4712"}, "here", expires="2027-11-23"
    ) == AzureCredentials(
        tenant_id=TENANT,
        client_id=CLIENT,
        client_secret="value-4711",
        subscriptions=(SUB_A, SUB_B),
        client_certificate="",
        method=SignInMethod.SECRET,
        expires_at=datetime(2027, 11, 23, tzinfo=UTC),
    )
    assert scrubbed("value-4711 and other-4712") == "(hidden) and (hidden)"
    assert AzureCredentials("t", "c", "s", ()).client_certificate == ""


def test_ids_count_in_any_casing() -> None:
    found = credentials_of({**RECORD, "tenant_id": TENANT.upper(), "client_id": CLIENT.upper()}, "here")
    assert (found.tenant_id, found.client_id) == (TENANT.upper(), CLIENT.upper())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tenant_id": "x"}, "tenant_id is not a GUID (as `az account show --query tenantId` shows it)"),
        ({"tenant_id": "a.b"}, "tenant_id is not a GUID (as `az account show --query tenantId` shows it)"),
        ({"client_id": "a.example"}, "client_id is not a GUID (the application's appId)"),
        ({"subscriptions": f"{SUB_A},x"}, "entry 2 of subscriptions is not a GUID"),
        ({"subscriptions": f"{SUB_A},{SUB_B},{SUB_A}"}, "entry 3 of subscriptions stands there twice"),
        ({"secret_expires_at": "soon"}, "secret_expires_at is not a date such as 2027-11-23"),
    ],
)
def test_a_fault_is_told_in_one_sentence(changes: dict[str, str], said: str) -> None:
    with says(ConfigurationError, f"here: {said}") as raised:
        credentials_of({**RECORD, **changes}, "here")
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("method", "lacks"),
    [
        (SignInMethod.SECRET, "tenant_id, client_id, client_secret, subscriptions"),
        (SignInMethod.CERTIFICATE, "tenant_id, client_id, client_certificate, subscriptions"),
        (SignInMethod.FEDERATION, "tenant_id, client_id, subscriptions"),
    ],
)
def test_each_method_needs_its_own_fields(method: SignInMethod, lacks: str) -> None:
    with says(ConfigurationError, f"here lacks {lacks}"):
        credentials_of({}, "here", method)


@pytest.mark.parametrize(
    ("record", "setting", "end"),
    [
        ("2027-11-23", "", datetime(2027, 11, 23, tzinfo=UTC)),
        ("2027-11-23T10:00:00+09:00", "", datetime(2027, 11, 23, 10, tzinfo=timezone(timedelta(hours=9)))),
        ("2027-11-23T10:00:00", "2030-01-01", datetime(2027, 11, 23, 10, tzinfo=UTC)),
        ("", "2030-01-01", datetime(2030, 1, 1, tzinfo=UTC)),
        ("", "", None),
    ],
)
def test_the_end_of_a_secret_is_an_aware_moment(record: str, setting: str, end: datetime | None) -> None:
    assert credentials_of({**RECORD, "secret_expires_at": record}, "here", expires=setting).expires_at == end


def test_a_certificate_is_taken_without_a_secret_and_says_its_end() -> None:
    pem = self_signed(ends_at=datetime(2027, 3, 1, tzinfo=UTC)).pem.strip()
    found = credentials_of(
        {**RECORD, "client_certificate": pem}, "here", SignInMethod.CERTIFICATE, expires="2030-01-01"
    )
    assert (found.client_secret, found.client_certificate, found.method) == ("", pem, SignInMethod.CERTIFICATE)
    assert found.expires_at == datetime(2027, 3, 1, tzinfo=UTC)
    assert SignInMethod("certificate") is SignInMethod.CERTIFICATE
    with says(ConfigurationError, "here: client_certificate is not a certificate with its private key, as PEM"):
        credentials_of({**RECORD, "client_certificate": "x"}, "here", SignInMethod.CERTIFICATE)
    federation = credentials_of(RECORD, "here", SignInMethod.FEDERATION, expires="2030-01-01")
    assert (federation.method, federation.client_secret, federation.expires_at) == (SignInMethod.FEDERATION, "", None)


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (timedelta(days=3, hours=23), 3),
        (timedelta(days=1), 1),
        (timedelta(hours=23), 0),
        (timedelta(), 0),
        (-timedelta(seconds=1), -1),
    ],
)
def test_days_that_are_left_are_whole_days(left: timedelta, days: int) -> None:
    now_at = datetime(2026, 11, 23, 10, tzinfo=UTC)
    ours: Any = credentials_of(RECORD, "here")
    assert ours.days_left(now_at) is None
    assert replace(ours, expires_at=now_at + left).days_left(now_at) == days
