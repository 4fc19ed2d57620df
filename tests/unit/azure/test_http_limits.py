"""The HTTP client at its limits: what is given to a request, which waits are begun, what is counted and said."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import requests
import urllib3

from spotlake.azure.http import HttpClient, HttpCounts, RetryPolicy, new_session
from spotlake.clock import Deadline
from spotlake.errors import (
    AzureError,
    AzureRefusedError,
    AzureThrottledError,
    AzureUnavailableError,
    DeadlineError,
    UntrustedAnswerError,
)
from tests.support.errors import says
from tests.support.scripted import made, wired

URL = "https://management.azure.com/x"


class Recorder:
    """In the place of a session: keeps what each request is given, and answers in order (the last one for ever)."""

    def __init__(self, *answers: requests.Response | Exception) -> None:
        self.answers, self.asked = list(answers), list[tuple[tuple[str, ...], dict[str, Any]]]()

    def request(self, *where: str, **options: Any) -> requests.Response:
        self.asked.append((where, options))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return wired(answer)


class Wire:
    """A client over a recorder. Its time passes only while it waits."""

    def __init__(self, *answers: requests.Response | Exception, seconds_left: float = 600.0, **policy: Any) -> None:
        self.session, self.waited, self.seconds_left = Recorder(*answers), list[float](), seconds_left
        session: Any = self.session
        self.client = HttpClient(
            "test api",
            session,
            RetryPolicy(**policy),
            Deadline(lambda: self.seconds_left),
            sleep=self.sleep,
            jitter=lambda: 0.5,
        )

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.seconds_left -= seconds

    def fails(self, **request: Any) -> AzureError:
        with pytest.raises(AzureError) as raised:
            self.client.send("GET", URL, **request)
        return raised.value


def test_a_request_is_given_its_limits_and_follows_no_redirect() -> None:
    wire = Wire(made(200), timeout_seconds=(2.0, 9.0))
    headers = {"Authorization": "Bearer a"}
    wire.client.send("POST", URL, params={"a": "b"}, json={"c": 1}, headers=lambda: headers)
    limits = {"timeout": (2.0, 9.0), "stream": True, "allow_redirects": False}
    assert wire.session.asked == [
        (("POST", URL), {"params": {"a": "b"}, "json": {"c": 1}, "headers": headers, **limits})
    ]
    plain = Wire(made(200))
    plain.client.send("GET", URL)
    limits["timeout"] = (5.0, 50.0)
    assert plain.session.asked == [(("GET", URL), {"params": None, "json": None, "headers": None, **limits})]


@pytest.mark.parametrize(
    ("seconds_left", "read_seconds"),
    [((1.5, 1.5), 1.5), ((49.0, 49.0), 49.0), ((60.0, 60.0), 50.0), ((1.5, 0.2), 1.0)],
    ids=["short", "shorter than a time-out", "long", "ran out meanwhile"],
)
def test_a_request_reads_until_the_deadline_and_never_less_than_a_second(
    seconds_left: tuple[float, float], read_seconds: float
) -> None:
    wire, left = Wire(made(200)), iter(seconds_left)
    wire.client.deadline = Deadline(lambda: next(left))
    wire.client.send("GET", URL)
    assert wire.session.asked[0][1]["timeout"] == (5.0, read_seconds)


def test_a_request_needs_more_than_a_second() -> None:
    wire = Wire(made(200), seconds_left=1.0)
    with says(DeadlineError, "test api: request: 1.0 s left, needs 1.0 s"):
        wire.client.send("GET", URL)
    assert wire.client.counts.requests == 0
    assert HttpClient("a", requests.Session()).deadline.seconds_left() == pytest.approx(840.0, abs=5.0)


@pytest.mark.parametrize(
    ("asked", "seconds_left", "policy", "waited"),
    [
        ("30", 31.25, {}, [30.0]),  # more than the second that a request needs is left
        ("30", 31.0, {}, []),
        ("70", 600.0, {}, [70.0]),
        ("71", 600.0, {}, []),
        ("9", 600.0, {"longest_wait_seconds": 9.0}, [9.0]),
        ("10", 600.0, {"longest_wait_seconds": 9.0}, []),
        ("0", 600.0, {"unasked_wait_seconds": 4.0}, [0.0]),
        (None, 600.0, {"unasked_wait_seconds": 4.0}, [4.0]),
        (None, 600.0, {"unasked_wait_seconds": 0.0}, [0.0]),
        (None, 600.0, {"backoff_seconds": 3.0}, [1.5]),  # half of the limit, by this jitter
    ],
)
def test_a_wait_is_begun_only_if_it_can_end(
    asked: str | None, seconds_left: float, policy: dict[str, Any], waited: list[float]
) -> None:
    throttle = made(429, b"{}", **({} if asked is None else {"Retry_After": asked}))
    wire = Wire(throttle, seconds_left=seconds_left, attempts=2, **policy)
    failure = wire.fails()
    assert isinstance(failure, AzureThrottledError)
    assert failure.retry_after_seconds == (None if asked is None else float(asked))
    assert (wire.waited, wire.client.counts.waited_seconds) == (waited, sum(waited))
    assert wire.client.counts.to_dict() == {
        "requests": 1 + len(waited), "retries": len(waited), "throttles": 1 + len(waited)
    }  # fmt: skip


def test_waits_double_with_a_share_by_chance_and_are_counted() -> None:
    wire = Wire(made(500), attempts=5)
    assert isinstance(wire.fails(), AzureUnavailableError)
    assert (wire.waited, wire.client.counts.waited_seconds) == ([0.25, 0.5, 1.0, 2.0], 3.75)
    assert wire.client.counts.to_dict() == {"requests": 5, "retries": 4, "throttles": 0}


def test_leave_is_asked_after_the_wait_and_never_for_the_first_send() -> None:
    wire, leaves = Wire(made(503), made(200)), list[float]()

    def may_retry() -> bool:
        leaves.append(sum(wire.waited))
        return True

    assert wire.client.send("GET", URL, may_retry=may_retry).ok
    assert leaves == [0.25]
    wire = Wire(made(503))
    assert wire.fails(may_retry=lambda: False).status == 503
    assert (wire.client.counts.to_dict(), wire.client.counts.waited_seconds) == (
        {"requests": 1, "retries": 0, "throttles": 0}, 0.25
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (requests.ReadTimeout("https://x/?secret"), AzureUnavailableError, "test api: no answer (ReadTimeout)"),
        (urllib3.exceptions.DecodeError("secret"), AzureUnavailableError, "test api: no answer (DecodeError)"),
        (made(502, b"{}"), AzureUnavailableError, "test api: HTTP 502"),
        (made(404, b"{}"), AzureRefusedError, "test api: HTTP 404"),
        (made(429, b"{}", Retry_After="100"), AzureThrottledError, "test api: HTTP 429"),
    ],
    ids=str,
)
def test_the_failure_that_is_raised_is_the_last_one(answer: Any, kind: type[AzureError], said: str) -> None:
    wire = Wire(made(500), answer, attempts=2)
    with says(kind, said):
        wire.client.send("GET", URL)
    assert wire.client.counts.requests == 2


def test_a_throttle_is_counted_although_it_is_left_to_the_caller() -> None:
    wire = Wire(made(429, b"{}", Retry_After="1"), retry_throttled=False)
    assert wire.fails().status == 429
    assert wire.client.counts.to_dict() == {"requests": 1, "retries": 0, "throttles": 1}


def test_an_answer_larger_than_the_policy_allows_is_not_believed() -> None:
    assert Wire(made(200, b"123456789"), most_bytes=9).client.send("GET", URL).body == b"123456789"
    wire = Wire(made(200, b"1234567890"), most_bytes=9)
    with says(UntrustedAnswerError, "test api: the answer is larger than 9 bytes"):
        wire.client.send("GET", URL)
    assert wire.client.counts.requests == 1


def test_each_request_leaves_a_line_for_whoever_looks_closely(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "spotlake.azure.http")
    Wire(made(200, x_ms_correlation_request_id="id-7")).client.send("GET", URL)
    Wire(made(204)).client.send("GET", URL)
    Wire(requests.ReadTimeout("secret"), attempts=1).fails()
    said = [one.getMessage() for one in caplog.records]
    seconds = [float(one.split()[4]) for one in said[:2]]
    assert said == [
        f"test api: 200 after {seconds[0]:.3f} s (id-7)",
        f"test api: 204 after {seconds[1]:.3f} s (no correlation id)",
        "test api: no answer (ReadTimeout)",
    ]
    assert all(0.0 <= one < 60.0 for one in seconds)


def test_counts_add_up_under_their_lock_alone() -> None:
    class Watched(HttpCounts):
        def __setattr__(self, name: str, value: Any) -> None:
            lock = self.__dict__.get("_lock")
            assert lock is None or lock.locked()
            super().__setattr__(name, value)

    counts = Watched()
    counts.add(requests=1, retries=2, throttles=3, waited_seconds=4.5)
    counts.add(requests=10, retries=20, throttles=30, waited_seconds=0.25)
    counts.add()
    assert (counts.to_dict(), counts.waited_seconds) == ({"requests": 11, "retries": 22, "throttles": 33}, 4.75)


def test_a_session_keeps_the_requests_own_token_and_public_authorities() -> None:
    for session, connections in ((new_session(), 10), (new_session(connections=7), 7)):
        for prefix in ("https://", "http://"):
            assert session.adapters[prefix]._pool_maxsize == connections  # type: ignore[attr-defined]
    prepared = requests.Request("GET", URL, headers={"Authorization": "Bearer a"}).prepare()
    assert session.auth(prepared) is prepared  # type: ignore[operator,misc]
    assert session.verify is True
