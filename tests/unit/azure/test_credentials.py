from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from spotlake.azure.credentials import AzureCredentials, TokenSource, read_credentials
from spotlake.errors import ConfigurationError, SignInError, SignInUnavailableError

CREDENTIALS = AzureCredentials("tenant", "client-id", "client-secret", ("sub-a",))


class FakeTable:
    """The one read that is made."""

    def __init__(self, item: dict[str, Any] | None) -> None:
        self.item = item
        self.asked: dict[str, Any] = {}

    def get_item(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return {} if self.item is None else {"Item": self.item}


def item(**data: str) -> dict[str, Any]:
    return {"id": {"S": "x"}, "data": {"M": {name: {"S": value} for name, value in data.items()}}}


def read(stored: dict[str, Any] | None) -> AzureCredentials:
    return read_credentials(FakeTable(stored), "AzureAuth", "x")  # type: ignore[arg-type]


def test_blanks_empty_entries_and_doubles_are_dropped_from_subscriptions() -> None:
    found = read(item(tenant_id=" t ", client_id="c", client_secret="s", subscriptions="b, a,, b ,"))
    assert (found.tenant_id, found.subscriptions) == ("t", ("b", "a"))


def test_it_is_read_consistently() -> None:
    table = FakeTable(item(tenant_id="t", client_id="c", client_secret="s", subscriptions="a"))
    read_credentials(table, "AzureAuth", "x")  # type: ignore[arg-type]
    assert table.asked == {"TableName": "AzureAuth", "Key": {"id": {"S": "x"}}, "ConsistentRead": True}


@pytest.mark.parametrize(
    ("stored", "lacks"),
    [
        (None, "tenant_id, client_id, client_secret, subscriptions"),
        (item(tenant_id="t", client_id="c", client_secret="s"), "subscriptions"),
        (item(tenant_id="t", client_id="c", client_secret="s", subscriptions=" , "), "subscriptions"),
        (item(tenant_id="t", client_id="", client_secret="s", subscriptions="a"), "client_id"),
    ],
)
def test_what_is_missing_is_named(stored: dict[str, Any] | None, lacks: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"lacks {lacks}$"):
        read(stored)


def test_the_sign_in_library_says_nothing_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("azure").setLevel(logging.NOTSET)
    TokenSource(CREDENTIALS, make_credential=FakeCredential).headers()
    for name in ("azure.identity._internal.decorators", "azure.core.pipeline", "msal.authority"):
        logging.getLogger(name).error("get_token failed: ... app 'CLIENT ID'")
    assert caplog.records == []


def test_secrets_are_not_shown() -> None:
    assert "client" not in repr(CREDENTIALS)
    assert "sub-a" not in repr(CREDENTIALS)


class FakeCredential:
    """Issues a token per credential object, as azure-identity caches it."""

    made = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        FakeCredential.made += 1
        self.number = FakeCredential.made
        self.options = options

    def get_token(self, scope: str) -> AccessToken:
        assert scope == "https://management.azure.com/.default"
        return AccessToken(f"token-{self.number}", 0)


@pytest.fixture(autouse=True)
def _count_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCredential, "made", 0)


def test_nothing_is_signed_before_a_token_is_needed() -> None:
    source = TokenSource(CREDENTIALS, make_credential=FakeCredential)
    assert FakeCredential.made == 0
    assert source.headers() == source.headers() == {"Authorization": "Bearer token-1"}
    assert FakeCredential.made == 1


def test_a_refused_token_is_renewed_once_by_however_many_threads() -> None:
    source = TokenSource(CREDENTIALS, make_credential=FakeCredential)
    refused = source.headers()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: source.renew(refused), range(8)))
        got = list(pool.map(lambda _: source.headers(), range(8)))
    assert {one["Authorization"] for one in got} == {"Bearer token-2"}
    source.renew(refused)  # a late one, of the old token
    assert source.headers() == {"Authorization": "Bearer token-2"}


def test_another_authority_is_not_looked_up_at_microsofts() -> None:
    made: list[dict[str, Any]] = []

    def make(*_: Any, **options: Any) -> FakeCredential:
        made.append(options)
        return FakeCredential()

    TokenSource(CREDENTIALS, authority_url="https://127.0.0.1:1", ca_file="ca.pem", make_credential=make).headers()
    TokenSource(CREDENTIALS, make_credential=make).headers()
    assert made == [
        {"authority": "https://127.0.0.1:1", "disable_instance_discovery": True, "connection_verify": "ca.pem"},
        {},
    ]


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("failed: AADSTS7000215: Invalid client secret ... for app 'client-id'", SignInError, "AADSTS7000215"),
        ("Authentication failed: HTTP Error: 503 for 'client-id'", SignInUnavailableError, "did not answer"),
    ],
)
def test_a_refused_sign_in_says_the_code_and_nothing_secret(text: str, kind: type[Exception], said: str) -> None:
    class Refusing:
        def get_token(self, scope: str) -> AccessToken:
            raise ClientAuthenticationError(text)

    source = TokenSource(CREDENTIALS, make_credential=lambda *_, **__: Refusing())
    with pytest.raises(kind, match=said) as raised:
        source.headers()
    assert "client-id" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_credentials_of_a_wrong_form() -> None:
    source = TokenSource(AzureCredentials("tenant with blanks", "c", "s", ("a",)))
    with pytest.raises(SignInError, match="wrong form"):
        source.headers()
