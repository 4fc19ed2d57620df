"""Secrets are taken out of texts and errors in every form in which a library may write them."""

from __future__ import annotations

import base64
import json
import resource
import urllib.parse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake import secrecy
from spotlake.errors import SignInError
from spotlake.secrecy import keep_secret, scrub_error, scrubbed

SECRET = 'Xq8~Q"k\\w/ä+o9&canary=7'


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrecy, "_known", {})


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        urllib.parse.quote(SECRET),
        urllib.parse.quote_plus(SECRET),
        urllib.parse.urlencode({"client_secret": SECRET}),
    ],
)
def test_every_spelling_is_hidden(form: str) -> None:
    keep_secret(SECRET)
    text = scrubbed(f"before {form} after")
    assert "canary" not in text
    assert text.startswith("before ")
    assert text.endswith(" after")


@pytest.mark.parametrize(
    "secret", [SECRET, "äö-üß-é", "a/b c+d~é\t", "plain-and-long", "percent%", "backslash\\", "\\leading"]
)
def test_every_spelling_is_hidden_to_its_first_and_last_character(secret: str) -> None:
    keep_secret(secret)
    assert scrubbed(f"<{secret}>") == "<(hidden)>"
    for ascii_only in (True, False):
        assert scrubbed(json.dumps([secret], ensure_ascii=ascii_only)) == '["(hidden)"]'
    for quote in (urllib.parse.quote, urllib.parse.quote_plus):
        assert scrubbed(f"x={quote(secret)}&") == "x=(hidden)&"
    assert scrubbed(f"x={urllib.parse.quote(secret, safe='')}&") == "x=(hidden)&"


@pytest.mark.parametrize("secret", ["??>>??>>??>>", "~~~???>>>", "an-ordinary-secret"])
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
def test_of_base64_all_is_hidden_that_holds_nothing_but_the_secret(secret: str, before: int, after: int) -> None:
    keep_secret(secret)
    content = b"\0" * before + secret.encode() + b"\0" * after
    # Characters of six bits each: those whose bits are all of the secret.
    first, end = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(content).decode()
        assert scrubbed(text) == f"{text[:first]}(hidden){text[end:]}"


@given(before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_base64_is_hidden_wherever_the_secret_stands_in_the_bytes(before: bytes, after: bytes) -> None:
    secret = "another-canary-of-some-length"
    keep_secret(secret)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + secret.encode() + after).decode()
        assert "(hidden)" in scrubbed(f"Basic {text}")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345678",
        "token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl failed",
        '{"access_token": "canary-0123"}',
        r"{\"client_secret\": \"canary-0123\"}",
        "client_assertion=canary-0123&scope=x",
        "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_hidden_though_nobody_told(text: str) -> None:
    hidden = scrubbed(text)
    assert not [word for word in ("canary", "12345678", "eyJzdWIi") if word in hidden]
    assert "(hidden)" in hidden


@pytest.mark.parametrize("text", ["the bearer of bad news", "client_secret in AzureAuth", "eyJ", "az ad app list"])
def test_ordinary_words_stay(text: str) -> None:
    keep_secret("news")  # too short to be a secret
    assert scrubbed(text) == text


def test_errors_lose_secrets_and_keep_their_class() -> None:
    keep_secret(SECRET)
    cause = ValueError(f"bad value {SECRET}")
    error: Any = SignInError(f"refused {SECRET}", code=SECRET)
    error.__cause__ = cause
    scrub_error(error)
    assert type(error) is SignInError
    assert "canary" not in f"{error} {error.code} {cause}"


def test_core_dumps_are_forbidden_with_the_first_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda *given: limits.append(given))
    keep_secret("first-secret")
    assert len(limits) == 1
    keep_secret("second-secret")
    assert limits == [(resource.RLIMIT_CORE, (0, 0))]


def test_old_tokens_are_forgotten() -> None:
    for number in range(100):
        keep_secret(f"token-number-{number}")
    assert scrubbed("token-number-99") == "(hidden)"
    assert scrubbed("token-number-1x") == "token-number-1x"


def test_errors_that_caused_each_other_are_scrubbed_once() -> None:
    keep_secret(SECRET)
    first, second = ValueError(f"first {SECRET}"), KeyError(f"second {SECRET}")
    first.__cause__, second.__cause__ = second, first
    scrub_error(first)
    assert (first.args, second.args) == (("first (hidden)",), ("second (hidden)",))


def test_the_error_before_is_scrubbed_too_and_what_is_no_text_stays() -> None:
    keep_secret(SECRET)
    before, error = ValueError(7, SECRET), SignInError("refused", part=SECRET)
    error.__context__ = before
    scrub_error(error)
    assert (before.args, error.part) == ((7, "(hidden)"), "(hidden)")


def test_the_shortest_secret_has_six_characters() -> None:
    keep_secret("12345")
    keep_secret("abcdef")
    assert scrubbed("12345 abcdef") == "12345 (hidden)"


def test_the_newest_64_secrets_are_remembered_and_one_that_is_told_again_is_new() -> None:
    for number in range(64):
        keep_secret(f"<secret-{number:02}>")
    keep_secret("<secret-00>")
    keep_secret("<secret-64>")
    shown = [number for number in range(65) if "hidden" not in scrubbed(f"<secret-{number:02}>")]
    assert shown == [1]


@pytest.mark.parametrize("error", [OSError("no"), ValueError("no")])
def test_a_system_that_refuses_the_limit_hides_secrets_all_the_same(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(resource, "setrlimit", refuse)
    keep_secret("a-long-secret")
    assert scrubbed("a-long-secret") == "(hidden)"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Bearer abcdefgh", "Bearer (hidden)"),
        ("bearer abcdefg", "bearer abcdefg"),
        ("client_secret=canary", "client_secret=(hidden)"),
        ('{"access_token": "canary"}', '{"access_token": "(hidden)"}'),
        ("refresh_token : 'canary', x", "refresh_token : '(hidden)', x"),
        ("eyJhbGciOiJSUzI1.eyJzdWIiOiJj.abc rest", "(hidden) rest"),
        ("x -----BEGIN RSA PRIVATE KEY-----\nabc", "x (hidden)"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_its_name_stays(text: str, hidden: str) -> None:
    assert scrubbed(text) == hidden


def test_an_attribute_that_cannot_be_set_stops_nothing() -> None:
    class FixedError(Exception):
        part = property(lambda _: "fixed")

    keep_secret(SECRET)
    error: Any = FixedError(SECRET)
    vars(error).update(part=SECRET, text=SECRET)
    scrub_error(error)
    assert (error.args, error.text) == (("(hidden)",), "(hidden)")


def test_what_an_error_holds_beside_texts_stays_as_it_is() -> None:
    error = SignInError("no", code="AADSTS7000215")
    error.status, error.tried = 401, ["a"]  # type: ignore[attr-defined]
    for _ in range(2):
        scrub_error(error)
        assert vars(error) == {"part": "", "code": "AADSTS7000215", "status": 401, "tried": ["a"]}
        keep_secret(SECRET)
