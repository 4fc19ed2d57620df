from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from spotlake.azure.credentials import AzureCredentials, SignInMethod
from spotlake.azure.tokens import TokenSource
from spotlake.errors import ConfigurationError, SignInError, SignInUnavailableError

CREDENTIALS = AzureCredentials("tenant", "client-id", "client-secret", ("sub-a",))


class Clock:
    """Seconds since 1970."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class FakeCredential:
    """Issues a token per credential object and fetch, for 3,600 seconds."""

    made = 0
    fetched = 0
    clock = Clock()

    def __init__(self, *args: Any, **options: Any) -> None:
        FakeCredential.made += 1
        self.number = FakeCredential.made

    def get_token(self, scope: str) -> AccessToken:
        assert scope == "https://management.azure.com/.default"
        FakeCredential.fetched += 1
        return AccessToken(f"token-{self.number}.{FakeCredential.fetched}", int(self.clock.now) + 3600)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for name, value in (("made", 0), ("fetched", 0), ("clock", clock)):
        monkeypatch.setattr(FakeCredential, name, value)
    return clock


def source_of(make: Any = FakeCredential, **options: Any) -> TokenSource:
    return TokenSource(CREDENTIALS, make_credential=make, now=FakeCredential.clock, **options)


def test_nothing_is_signed_before_a_token_is_needed() -> None:
    source = source_of()
    assert FakeCredential.made == 0
    assert source.headers() == source.headers() == {"Authorization": "Bearer token-1.1"}
    assert (FakeCredential.made, FakeCredential.fetched) == (1, 1)


def test_threads_that_begin_together_fetch_one_token() -> None:
    together = threading.Barrier(8)

    class Slow(FakeCredential):
        def get_token(self, scope: str) -> AccessToken:
            inside.wait(0.2)  # the others reach the source meanwhile
            return super().get_token(scope)

    inside = threading.Event()
    source = source_of(Slow)

    def ask(_: int) -> str:
        together.wait()
        return source.headers()["Authorization"]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"Bearer token-1.1"}
    assert FakeCredential.fetched == 1


def test_a_token_is_renewed_before_it_ends(clock: Clock) -> None:
    source = source_of()
    source.headers()
    assert source.expires_at_seconds == clock.now + 3600
    clock.now += 3600 - 121
    assert source.headers() == {"Authorization": "Bearer token-1.1"}
    clock.now += 2
    assert source.headers() == {"Authorization": "Bearer token-1.2"}
    assert FakeCredential.made == 1


def test_a_refused_token_is_renewed_once_by_however_many_threads() -> None:
    source = source_of()
    refused = source.headers()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: source.renew(refused), range(8)))
        got = list(pool.map(lambda _: source.headers(), range(8)))
    assert {one["Authorization"] for one in got} == {"Bearer token-2.2"}
    source.renew(refused)  # a late one, of the old token
    assert source.headers() == {"Authorization": "Bearer token-2.2"}


def test_another_authority_is_not_looked_up_at_microsofts_and_nobody_waits_for_minutes() -> None:
    made: list[dict[str, Any]] = []

    def make(*_: Any, **options: Any) -> FakeCredential:
        made.append(options)
        return FakeCredential()

    source_of(make, authority_url="https://127.0.0.1:1", ca_file="ca.pem").headers()
    source_of(make).headers()
    patience = {"connection_timeout": 5, "read_timeout": 20}
    other = {"authority": "https://127.0.0.1:1", "disable_instance_discovery": True, "connection_verify": "ca.pem"}
    assert made == [{**patience, **other}, patience]


class Refusing:
    """Refuses with a text, and counts."""

    asked = 0

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, *_: Any, **__: Any) -> Refusing:
        return self

    def get_token(self, scope: str) -> AccessToken:
        self.asked += 1
        raise ClientAuthenticationError(self.text)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("AADSTS7000215: Invalid client secret ... for app 'client-id'", SignInError, "AADSTS7000215.*secret is wrong"),
        ("AADSTS7000222: The provided client secret keys for app 'client-id'", SignInError, "secret has expired"),
        ("AADSTS700016: Application with identifier 'client-id'", SignInError, "client_id is wrong"),
        ("AADSTS90002: Tenant 'client-id' not found.", SignInError, "tenant_id is wrong"),
        ("AADSTS700027: The certificate of 'client-id'", SignInError, "does not have this certificate"),
        ("AADSTS700024: Client assertion is not within its valid time range", SignInError, "a clock is wrong"),
        ("AADSTS700211: No matching federated identity record", SignInError, "trusts no such issuer"),
        ("AADSTS700212: No matching federated identity record", SignInError, "another audience"),
        ("AADSTS700213: No matching federated identity record", SignInError, "another subject"),
        ("AADSTS7002138: No matching federated identity record", SignInError, "another subject"),
        ("AADSTS53003: Access has been blocked by Conditional Access", SignInError, "Conditional Access"),
        ("AADSTS650057: something new about 'client-id'", SignInError, "AADSTS650057.*check tenant_id"),
        ("AADSTS90033: A transient error has occurred.", SignInUnavailableError, "try again .AADSTS90033"),
        ("Authentication failed: HTTP Error: 503 for 'client-id'", SignInUnavailableError, "did not answer"),
    ],
)  # fmt: skip
def test_a_refused_sign_in_says_what_is_wrong_and_nothing_secret(text: str, kind: type[Exception], said: str) -> None:
    source = source_of(Refusing(f"Authentication failed: {text}"))
    with pytest.raises(kind, match=said) as raised:
        source.headers()
    assert "client-id" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert source.is_refused is (kind is SignInError)


def test_a_refusal_is_final_and_asked_for_once_by_however_many_threads() -> None:
    refusing = Refusing("AADSTS7000215")
    source = source_of(refusing)
    with ThreadPoolExecutor(8) as pool:
        errors = [one.exception() for one in [pool.submit(source.headers) for _ in range(8)]]
    assert {type(one) for one in errors} == {SignInError}
    assert refusing.asked == 1


def test_an_endpoint_that_does_not_answer_is_asked_again_after_some_seconds(clock: Clock) -> None:
    refusing = Refusing("HTTP Error: 503")
    source = source_of(refusing)
    for _ in range(3):
        with pytest.raises(SignInUnavailableError):
            source.headers()
    assert refusing.asked == 1
    clock.now += 6
    with pytest.raises(SignInUnavailableError):
        source.headers()
    assert refusing.asked == 2


def test_the_sign_in_library_says_nothing_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("azure").setLevel(logging.NOTSET)
    source_of().headers()
    for name in ("azure.identity._internal.decorators", "azure.core.pipeline", "msal.authority"):
        logging.getLogger(name).error("get_token failed: ... app 'CLIENT ID'")
    assert caplog.records == []


def test_credentials_of_a_wrong_form() -> None:
    source = TokenSource(AzureCredentials("tenant with blanks", "c", "s", ("a",)))
    with pytest.raises(SignInError, match="wrong form"):
        source.headers()


def test_an_assertion_that_cannot_be_had_keeps_its_own_name() -> None:
    def no_assertion() -> str:
        raise ConfigurationError("AWS signs no statement")

    class Asking(FakeCredential):
        def __init__(self, tenant: str, client: str, assertion: Any, **_: Any) -> None:
            self.assertion = assertion

        def get_token(self, scope: str) -> AccessToken:
            return AccessToken(self.assertion(), 0)

    ours = AzureCredentials("tenant", "client", "", ("a",), method=SignInMethod.FEDERATION)
    source = TokenSource(ours, assertion=no_assertion, make_credential=Asking)
    with pytest.raises(ConfigurationError, match="signs no statement"):
        source.headers()


@pytest.mark.parametrize("name", ["azure", "msal"])
def test_the_libraries_own_lines_are_silenced(name: str) -> None:
    logger = logging.getLogger(name)
    before = logger.level
    try:
        logger.setLevel(logging.DEBUG)
        source_of().headers()
        assert logger.level == logging.CRITICAL
    finally:
        logger.setLevel(before)
