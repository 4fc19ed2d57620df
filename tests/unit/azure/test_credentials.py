from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from spotlake.azure.credential_stores import read_credentials
from spotlake.azure.credentials import AzureCredentials, SignInMethod, credentials_of
from spotlake.errors import ConfigurationError
from spotlake.settings import Settings
from tests.support.azure import self_signed

TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "99999999-8888-7777-6666-555555555555"
SUB_A, SUB_B = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
RECORD = {"tenant_id": TENANT, "client_id": CLIENT, "client_secret": "s3cret", "subscriptions": SUB_A}


class FakeTable:
    """A session whose client is the one read that is made."""

    def __init__(self, data: dict[str, str] | None) -> None:
        self.data = data
        self.asked: dict[str, Any] = {}
        self.region = ""

    def client(self, service: str, *, region_name: str, config: Any) -> FakeTable:
        self.region = region_name
        return self

    def get_item(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        if self.data is None:
            return {}
        return {"Item": {"id": {"S": "x"}, "data": {"M": {name: {"S": text} for name, text in self.data.items()}}}}


def read(data: dict[str, str] | None) -> AzureCredentials:
    session: Any = FakeTable(data)
    return read_credentials(session, Settings(auth_item="x"))


def test_blanks_around_values_and_empty_entries_of_subscriptions_are_dropped() -> None:
    found = read({**RECORD, "tenant_id": f" {TENANT} ", "subscriptions": f"{SUB_B}, {SUB_A.upper()},, ,"})
    assert (found.tenant_id, found.subscriptions) == (TENANT, (SUB_B, SUB_A))


def test_the_table_is_read_consistently_and_in_its_own_region() -> None:
    table: Any = FakeTable(RECORD)
    read_credentials(table, Settings(auth_item="x", auth_region="eu-west-1"))
    assert table.asked == {"TableName": "AzureAuth", "Key": {"id": {"S": "x"}}, "ConsistentRead": True}
    assert table.region == "eu-west-1"


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        (None, "tenant_id, client_id, client_secret, subscriptions"),
        ({"subscriptions": ""}, "subscriptions"),
        ({"subscriptions": " , "}, "subscriptions"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": "  ", "client_secret": " "}, "client_id, client_secret"),
    ],
)
def test_what_is_missing_or_blank_is_named(changes: dict[str, str] | None, lacks: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^item 'x' of table 'AzureAuth' lacks {lacks}$"):
        read(None if changes is None else {**RECORD, **changes})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tenant_id": "s3cret"}, "tenant_id is not a GUID"),
        ({"client_id": "s3cret"}, "client_id is not a GUID"),
        ({"client_id": CLIENT[:-1]}, "client_id is not a GUID"),
        ({"client_id": f"{{{CLIENT}}}"}, "client_id is not a GUID"),
        ({"client_id": CLIENT.replace("-", "")}, "client_id is not a GUID"),
        ({"subscriptions": f"{SUB_A},,s3cret"}, "entry 2 of subscriptions is not a GUID"),
        ({"subscriptions": f"{SUB_A}, {SUB_B}, {SUB_A.upper()}"}, "entry 3 of subscriptions stands there twice"),
        ({"secret_expires_at": "s3cret"}, "secret_expires_at is not a date"),
    ],
)
def test_what_is_wrong_is_named_and_its_value_is_not_shown(changes: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as raised:
        read({**RECORD, **changes})
    for text in (str(raised.value), repr(raised.value.__cause__)):
        assert "s3cret" not in text
        assert CLIENT not in text


def test_a_tenant_may_be_a_domain() -> None:
    assert read({**RECORD, "tenant_id": "contoso.onmicrosoft.com"}).tenant_id == "contoso.onmicrosoft.com"


def test_a_table_that_cannot_be_read_is_named_with_its_region_and_the_reason() -> None:
    class Refusing(FakeTable):
        def get_item(self, **_: Any) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetItem")

    session: Any = Refusing(None)
    with pytest.raises(
        ConfigurationError, match=r"item 'login_auth_az_true' of table 'AzureAuth' \(region us-east-1\)"
    ):
        read_credentials(session, Settings())


def test_secrets_are_not_shown() -> None:
    shown = repr(credentials_of({**RECORD, "client_certificate": "key"}, "here"))
    assert not [text for text in ("s3cret", "key", CLIENT, SUB_A) if text in shown]


def test_the_end_of_a_secret_is_that_of_its_record_else_that_of_the_setting() -> None:
    assert credentials_of(RECORD, "here").expires_at is None
    assert credentials_of(RECORD, "here", expires="2027-11-23").expires_at == datetime(2027, 11, 23, tzinfo=UTC)
    found = credentials_of({**RECORD, "secret_expires_at": "2027-01-31T10:00:00Z"}, "here", expires="2027-11-23")
    assert found.expires_at == datetime(2027, 1, 31, 10, tzinfo=UTC)


def test_a_certificate_says_its_own_end() -> None:
    pem = self_signed(ends_at=datetime(2027, 3, 1, tzinfo=UTC)).pem
    record = {**RECORD, "client_secret": "", "client_certificate": pem, "secret_expires_at": "2030-01-01"}
    found = credentials_of(record, "here", SignInMethod.CERTIFICATE)
    assert (found.expires_at, found.client_secret) == (datetime(2027, 3, 1, tzinfo=UTC), "")
    with pytest.raises(ConfigurationError, match="client_certificate is not a certificate") as raised:
        credentials_of({**record, "client_certificate": "no PEM"}, "here", SignInMethod.CERTIFICATE)
    assert raised.value.__cause__ is None


def test_federation_needs_no_secret_and_keeps_none() -> None:
    found = credentials_of({**RECORD, "secret_expires_at": "2027-01-01"}, "here", SignInMethod.FEDERATION)
    assert (found.client_secret, found.client_certificate, found.expires_at) == ("", "", None)


def test_with_federation_the_settings_alone_are_enough() -> None:
    nothing: Any = None
    settings = Settings(
        auth_store="settings",
        azure_sign_in="federation",
        azure_tenant_id=TENANT,
        azure_client_id=CLIENT,
        azure_subscriptions=(SUB_A, SUB_B),
    )
    assert read_credentials(nothing, settings).subscriptions == (SUB_A, SUB_B)
    for method in ("secret", "certificate"):
        with pytest.raises(ConfigurationError, match="a secret is no setting"):
            Settings(auth_store="settings", azure_sign_in=method)


def test_a_store_by_name_needs_the_name() -> None:
    for store in ("secretsmanager", "ssm"):
        with pytest.raises(ConfigurationError, match="setting auth_name"):
            Settings(auth_store=store)
