"""Answers without end, without measure or of another place: each ends in a named error, in bounded time and memory."""

from __future__ import annotations

import gzip
import tracemalloc
from io import BytesIO
from pathlib import Path

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter

from spotlake.azure.answers import LONGEST_WAIT_SECONDS, MOST_BYTES, json_of
from spotlake.azure.http import HttpClient, RetryPolicy, new_session
from spotlake.clock import Deadline
from spotlake.errors import AzureRefusedError, AzureThrottledError, AzureUnavailableError, UntrustedAnswerError
from tests.support.scripted import made, scripted_session

URL = "https://prices.azure.com/x"


class Dripping:
    """A body that sends a byte a second and never ends."""

    def __init__(self) -> None:
        self.seconds = 0

    def read1(self, amount: int, *, decode_content: bool) -> bytes:
        assert (amount, decode_content) == (65_536, True)
        self.seconds += 1
        assert self.seconds < 10_000, "nobody looks at the deadline"
        return b"x"

    def close(self) -> None:
        return

    release_conn = close


class Raw(BaseAdapter):
    """One answer with a body of its own."""

    def __init__(self, raw: object) -> None:
        super().__init__()
        self.raw = raw

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        response = requests.Response()
        response.status_code, response.raw, response.url = 200, self.raw, str(request.url)
        return response

    def close(self) -> None:
        return


def client_of(raw: object, deadline: Deadline) -> HttpClient:
    session = requests.Session()
    session.mount("https://", Raw(raw))
    return HttpClient("test api", session, RetryPolicy(attempts=2), deadline, sleep=lambda _: None)


def test_a_body_that_drips_ends_at_the_deadline() -> None:
    raw = Dripping()
    client = client_of(raw, Deadline(lambda: 3.0 - raw.seconds))
    with pytest.raises(AzureUnavailableError, match="did not end in time"):
        client.send("GET", URL)
    assert raw.seconds == 3
    assert client.counts.requests == 1


def test_a_body_without_end_is_not_read_to_the_last_byte() -> None:
    class Endless(Dripping):
        def read1(self, amount: int, *, decode_content: bool) -> bytes:
            super().read1(amount, decode_content=decode_content)
            return bytes(amount)

    raw = Endless()
    with pytest.raises(UntrustedAnswerError, match="larger than 8,388,608 bytes"):
        client_of(raw, Deadline.after(60)).send("GET", URL)
    assert raw.seconds == MOST_BYTES // 65_536 + 1


def test_a_small_body_that_becomes_large_costs_no_more_memory_than_the_limit() -> None:
    bomb = gzip.compress(bytes(10 * MOST_BYTES))
    raw = urllib3.HTTPResponse(BytesIO(bomb), headers={"Content-Encoding": "gzip"}, preload_content=False)
    tracemalloc.start()
    try:
        with pytest.raises(UntrustedAnswerError, match="larger than"):
            client_of(raw, Deadline.after(60)).send("GET", URL)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(bomb) < 100_000
    assert peak < 2 * MOST_BYTES


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_not_followed(status: int) -> None:
    session, script = scripted_session(made(status, b"", Location="https://elsewhere.example/prices"))
    with pytest.raises(AzureRefusedError, match=f"HTTP {status}"):
        HttpClient("test api", session).send("GET", URL)
    assert [request.url for request, _ in script.sent] == [URL]


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("30", 30.0),
        ("3600", 3600.0),
        ("1786000000", LONGEST_WAIT_SECONDS),
        ("9" * 5000, LONGEST_WAIT_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT_SECONDS),
        ("²", None),
        ("-5", None),
        ("soon", None),
    ],
)
def test_a_wait_is_at_most_a_window(asked: str, waited: float | None) -> None:
    session, _ = scripted_session(made(429, b"{}", Retry_After=asked))
    with pytest.raises(AzureThrottledError) as raised:
        HttpClient("test api", session, RetryPolicy(retry_throttled=False)).send("GET", URL)
    assert raised.value.retry_after_seconds == waited


BODIES = [
    b'{"error": {"code": ["a"], "message": {"b": 1}}}',
    b'{"error": "words"}',
    b'{"error": {"code": 7, "message": 8}}',
    b"[" * 50_000,
    b'{"error": {"code": "A\\n{\\"_aws\\": 1}", "message": "x\\u001b]52;c;Y2F0\\u0007\\nREPORT RequestId: 1"}}',
    b'\x1b]52;c;Y2F0\x07\n{"_aws": {}}\nREPORT',
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_the_words_of_others_are_one_printable_line(body: bytes) -> None:
    session, _ = scripted_session(made(400, body))
    with pytest.raises(AzureRefusedError) as raised:
        HttpClient("test api", session).send("GET", URL)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500
    assert raised.value.code is None or isinstance(raised.value.code, str)


def test_a_byte_order_mark_is_no_fault() -> None:
    session, _ = scripted_session(made(200, b'\xef\xbb\xbf{"a": 1}'))
    assert json_of("test api", HttpClient("test api", session).send("GET", URL)) == {"a": 1}


def test_the_body_of_a_redirect_is_not_read_either_and_no_netrc_replaces_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine prices.azure.com login a password b")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    _, script = scripted_session(made(302, b"", Location="https://elsewhere.example/prices"))
    session = new_session()
    session.mount("https://", script)
    with pytest.raises(AzureRefusedError, match="HTTP 302"):
        HttpClient("test api", session).send("GET", URL, headers=lambda: {"Authorization": "Bearer token"})
    ((request, _),) = script.sent
    assert request.headers["Authorization"] == "Bearer token"
    assert session.get_redirect_target(made(302, b"", Location="https://elsewhere.example")) is None
