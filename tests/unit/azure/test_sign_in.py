"""Signing in at its limits: when a token is renewed, how long a failure is shared, what each proof and refusal says."""

from __future__ import annotations

from typing import Any

import azure.identity
import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from spotlake.azure.credentials import AzureCredentials, SignInMethod
from spotlake.azure.sign_in_refusals import Part, Refusal, code_in, refusal_in
from spotlake.azure.tokens import TokenSource
from spotlake.errors import ConfigurationError, SignInError, SignInUnavailableError
from spotlake.secrecy import scrubbed
from tests.support.errors import says


class Azure:
    """Stands in for a credential: issues numbered tokens of an hour, or fails by script."""

    def __init__(self) -> None:
        self.now, self.asked = 1_000_000.0, 0
        self.made: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.failure: Exception | None = None

    def __call__(self, *args: Any, **options: Any) -> Azure:
        self.made.append((args, options))
        return self

    def get_token(self, scope: str) -> AccessToken:
        assert scope == "https://management.azure.com/.default"
        self.asked += 1
        if self.failure:
            raise self.failure
        return AccessToken(f"token-{self.asked}", int(self.now) + 3600)

    def source(self, credentials: AzureCredentials | None = None, **options: Any) -> TokenSource:
        ours = credentials or AzureCredentials("tenant", "client-id", "s3cret", ("sub-a",))
        return TokenSource(ours, make_credential=self, now=lambda: self.now, **options)


def token(source: TokenSource) -> str:
    return source.headers()["Authorization"]


def test_a_token_is_asked_for_anew_two_minutes_before_it_ends() -> None:
    fake = Azure()
    source = fake.source()
    assert (source.expires_at_seconds, source.is_refused) == (0.0, False)
    assert token(source) == "Bearer token-1"
    fake.now += 3600 - 120.5
    assert token(source) == "Bearer token-1"
    fake.now += 0.5
    assert (token(source), source.expires_at_seconds) == ("Bearer token-2", 1_007_080.0)
    assert len(fake.made) == 1


def test_a_token_is_a_secret_from_its_first_moment_on() -> None:
    fake = Azure()
    fake.asked = 770_000
    assert token(fake.source()) == "Bearer token-770001"
    assert scrubbed("sent token-770001 off") == "sent (hidden) off"


def test_headers_without_a_token_renew_nothing() -> None:
    fake = Azure()
    source = fake.source()
    source.headers()
    source.renew({})
    assert (token(source), len(fake.made)) == ("Bearer token-1", 1)
    source.renew({"Authorization": "Bearer token-1"})
    assert (token(source), len(fake.made)) == ("Bearer token-2", 2)


def test_a_token_is_renewed_under_the_lock_alone() -> None:
    class Watched(TokenSource):
        def __setattr__(self, name: str, value: Any) -> None:
            lock = self.__dict__.get("_lock")
            assert lock is None or lock.locked(), name
            super().__setattr__(name, value)

    source = Watched(AzureCredentials("t", "c", "s", ("a",)), make_credential=Azure(), now=lambda: 0.0)
    source.renew(source.headers())
    assert token(source) == "Bearer token-2"


def test_who_asks_within_five_seconds_of_a_failure_shares_it() -> None:
    fake = Azure()
    fake.failure = ClientAuthenticationError("HTTP Error: 503")
    source = fake.source()
    said = "sign-in: the endpoint did not answer as it should"
    for seconds, asked in ((0.0, 1), (4.5, 1), (0.5, 2), (4.5, 2)):
        fake.now += seconds
        with says(SignInUnavailableError, said):
            source.headers()
        assert fake.asked == asked
    fake.now, fake.failure = fake.now + 0.5, None
    assert (token(source), source.is_refused) == ("Bearer token-3", False)
    fake.now, fake.failure = fake.now + 3600, ClientAuthenticationError("AADSTS7000215")
    with pytest.raises(SignInError):
        source.headers()
    fake.now, fake.failure = fake.now + 7200, None
    with says(SignInError, "Azure refused the sign-in (AADSTS7000215): the client secret is wrong: give the secret's "
              "value, not its id"):  # fmt: skip
        source.headers()  # a refusal is final
    assert (fake.asked, source.is_refused) == (4, True)


def test_an_assertion_that_fails_is_shared_too_with_its_own_cause() -> None:
    fake, cause = Azure(), RuntimeError("why")
    fake.failure = ConfigurationError("AWS signs no statement")
    fake.failure.__cause__ = cause
    source = fake.source()
    for _ in range(2):
        with says(ConfigurationError, "AWS signs no statement") as raised:
            source.headers()
    assert (raised.value.__cause__, fake.asked, source.is_refused) == (cause, 1, False)


def test_a_proof_of_a_wrong_form_is_a_refusal_that_shows_nothing() -> None:
    fake = Azure()
    fake.failure = ValueError("s3cret")
    said = "tenant_id, client_id, the client secret or the certificate has a wrong form"
    source = fake.source()
    with says(SignInError, said) as raised:
        source.headers()
    assert (raised.value.__cause__, raised.value.__suppress_context__, source.is_refused) == (None, True, True)


@pytest.mark.parametrize(
    ("text", "kind", "said", "part"),
    [
        (
            "AADSTS90033: A transient error",
            SignInUnavailableError,
            "sign-in: the endpoint asks to try again (AADSTS90033)",
            None,
        ),
        (
            "AADSTS53003: blocked",
            SignInError,
            "Azure refused the sign-in (AADSTS53003): a policy of the tenant (Conditional Access) blocks this sign-in",
            "policy",
        ),
    ],
)
def test_a_refusal_carries_its_part_and_its_code(text: str, kind: Any, said: str, part: str | None) -> None:
    fake = Azure()
    fake.failure = ClientAuthenticationError(f"{text} for 's3cret'")
    with says(kind, said) as raised:
        fake.source().headers()
    assert raised.value.__suppress_context__
    if part:
        error: Any = raised.value
        assert (error.part, error.code) == (part, code_in(text))


DISCOVERY_FAILED = "Unable to get authority configuration for https://login.example/tenant."


@pytest.mark.parametrize(
    ("options", "url", "verify"),
    [
        ({}, "https://login.microsoftonline.com", True),
        ({"authority_url": "https://127.0.0.1:9", "ca_file": "ca.pem"}, "https://127.0.0.1:9", "ca.pem"),
    ],
)
def test_an_authority_without_a_configuration_is_asked_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], url: str, verify: object
) -> None:
    asked: list[Any] = []

    class Page:
        content = b'{"error_description": "AADSTS90002: Tenant \xff not found."}' + b" " * 9000

        def __enter__(self) -> Page:
            return self

        def __exit__(self, *_: object) -> None:
            asked.append("closed")

        def iter_content(self, size: int) -> Any:
            return (self.content[at : at + size] for at in range(0, len(self.content), size))

    def get(address: str, **given: Any) -> Page:
        asked.append((address, given))
        return Page()

    monkeypatch.setattr(requests, "get", get)
    fake = Azure()
    fake.failure = ClientAuthenticationError(DISCOVERY_FAILED)
    with pytest.raises(SignInError, match=r"\(AADSTS90002\): there is no such tenant"):
        fake.source(**options).headers()
    given = {"timeout": (5, 20), "verify": verify, "allow_redirects": False, "stream": True}
    assert asked == [(f"{url}/tenant/v2.0/.well-known/openid-configuration", given), "closed"]
    # With a code of its own the text says it already.
    fake.failure, asked[:] = ClientAuthenticationError(f"AADSTS900023 {DISCOVERY_FAILED}"), []
    with pytest.raises(SignInError, match="AADSTS900023"):
        fake.source(**options).headers()
    fake.failure = ClientAuthenticationError("HTTP Error: 503")  # and this says nothing of the authority
    with pytest.raises(SignInUnavailableError):
        fake.source(**options).headers()
    assert asked == []
    Page.content, fake.failure = b"", ClientAuthenticationError(DISCOVERY_FAILED)
    with says(SignInUnavailableError, "sign-in: the endpoint did not answer as it should"):
        fake.source().headers()


def test_an_authority_that_cannot_be_asked_has_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: Any, **__: Any) -> Any:
        raise requests.ConnectionError("https://login.example/tenant")

    monkeypatch.setattr(requests, "get", get)
    fake = Azure()
    fake.failure = ClientAuthenticationError(DISCOVERY_FAILED)
    with says(SignInUnavailableError, "sign-in: the endpoint did not answer as it should"):
        fake.source().headers()


PATIENCE = {"connection_timeout": 5, "read_timeout": 20}
ASSERTION = str  # any callable


@pytest.mark.parametrize(
    ("method", "library_class", "args", "options"),
    [
        (SignInMethod.SECRET, "ClientSecretCredential", ("tenant", "client-id", "s3cret"), PATIENCE),
        (SignInMethod.FEDERATION, "ClientAssertionCredential", ("tenant", "client-id", ASSERTION), PATIENCE),
        (
            SignInMethod.CERTIFICATE,
            "CertificateCredential",
            ("tenant", "client-id"),
            {"certificate_data": b"PEM", **PATIENCE},
        ),
    ],
)
def test_each_method_has_its_class_and_its_proof(
    monkeypatch: pytest.MonkeyPatch, method: SignInMethod, library_class: str, args: Any, options: Any
) -> None:
    fake = Azure()
    monkeypatch.setattr(azure.identity, library_class, fake)
    ours = AzureCredentials("tenant", "client-id", "s3cret", ("a",), client_certificate="PEM", method=method)
    assert token(TokenSource(ours, assertion=ASSERTION)) == "Bearer token-1"
    assert token(fake.source(ours, assertion=ASSERTION)) == "Bearer token-2"
    assert fake.made == [(args, options)] * 2


@pytest.mark.parametrize(
    ("code", "part"),
    [
        # Microsoft Learn, "Microsoft Entra authentication and authorization error codes" (read 2026-11).
        *[(f"AADSTS{code}", Part.TENANT) for code in (90002, 900021, 900023, 900382)],
        *[(f"AADSTS{code}", Part.CLIENT) for code in (700016, 7000112, 7000229)],
        *[(f"AADSTS{code}", Part.SECRET) for code in (7000215, 7000216)],
        ("AADSTS7000222", Part.SECRET_EXPIRED),
        *[(f"AADSTS{code}", Part.CERTIFICATE) for code in (700027, 700030)],
        *[(f"AADSTS{code}", Part.CLOCK) for code in (700024, 50012)],
        *[(f"AADSTS{code}", Part.ISSUER) for code in (700211, 7002111)],
        *[(f"AADSTS{code}", Part.AUDIENCE) for code in (700212, 7002121)],
        *[(f"AADSTS{code}", Part.SUBJECT) for code in (70021, 700213, 7002137, 7002138)],
        *[(f"AADSTS{code}", Part.POLICY) for code in (53003, 53004)],
        *[(f"AADSTS{code}", Part.OTHER) for code in (1234, 65001, 700214, 123456789)],
    ],
)
def test_a_code_names_the_wrong_part(code: str, part: Part) -> None:
    found = refusal_in(f"Authentication failed: {code}: words")
    assert found is not None
    assert (found.code, found.part, found) == (code, part, Refusal(code, part, found.text))
    assert found.text


@pytest.mark.parametrize("code", ["AADSTS90006", "AADSTS90012", "AADSTS90033", "AADSTS90055", "AADSTS50196"])
def test_a_code_that_passes_is_no_refusal(code: str) -> None:
    assert (refusal_in(f"{code}: try again"), code_in(f"{code}: try again")) == (None, code)


@pytest.mark.parametrize("text", ["", "HTTP 503", "AADSTS123", "AADSTS1234567890", "AADSTS\u0661\u0662\u0663\u0664"])
def test_a_text_without_a_code_is_no_refusal(text: str) -> None:
    assert (refusal_in(text), code_in(text)) == (None, "")
