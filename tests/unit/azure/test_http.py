from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests

from spotlake.azure.answers import HttpAnswer, json_of
from spotlake.azure.http import HttpClient, RetryPolicy, new_session
from spotlake.clock import Deadline
from spotlake.errors import (
    AzureError,
    AzureRefusedError,
    AzureThrottledError,
    AzureUnavailableError,
    DeadlineError,
    UntrustedAnswerError,
)
from tests.support.scripted import Scripted, made, scripted_session

URL = "https://management.azure.com/x"


class Wire:
    """A client over a script, with waiting noted down instead of done."""

    def __init__(self, *answers: Scripted, seconds_left: float = 600.0, **policy: Any) -> None:
        session, self.script = scripted_session(*answers)
        self.waited: list[float] = []
        self.seconds_left = seconds_left
        self.client = HttpClient(
            "test api",
            session,
            policy=RetryPolicy(**policy),
            deadline=Deadline(lambda: self.seconds_left),
            sleep=self.sleep,
            jitter=lambda: 1.0,
        )

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.seconds_left -= seconds

    def get(self, **kwargs: Any) -> HttpAnswer:
        return self.client.send("GET", URL, **kwargs)


def test_an_answer_is_returned_and_counted() -> None:
    wire = Wire(made(200, b'{"a": 1}'))
    assert json_of("test api", wire.get(params={"api-version": "1"})) == {"a": 1}
    assert wire.client.counts.to_dict() == {"requests": 1, "retries": 0, "throttles": 0}
    assert wire.script.sent[0][0].url == f"{URL}?api-version=1"


@pytest.mark.parametrize(
    "failure",
    [
        *[made(status) for status in (408, 500, 502, 503, 504)],
        made(400, b'{"error":{"code":"BadGatewayConnection"}}'),
        requests.ReadTimeout("secret"),
        requests.ConnectionError("secret"),
        requests.exceptions.ChunkedEncodingError("secret"),
    ],
    ids=str,
)
def test_what_is_unavailable_is_sent_again_with_growing_waits(failure: Scripted) -> None:
    assert Wire(failure, made(200)).get().ok
    wire = Wire(failure)
    with pytest.raises(AzureUnavailableError) as raised:
        wire.get()
    assert wire.waited == [0.5, 1.0, 2.0]
    assert wire.client.counts.to_dict() == {"requests": 4, "retries": 3, "throttles": 0}
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_what_is_refused_is_not_sent_again(status: int) -> None:
    wire = Wire(made(status, b'{"error":{"code":"Some","message":"words"}}'))
    with pytest.raises(AzureRefusedError, match=f"test api: HTTP {status} Some: words") as raised:
        wire.get()
    assert (raised.value.status, raised.value.code, len(wire.script.sent)) == (status, "Some", 1)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (made(429, b"", Retry_After="7"), 7.0),
        (made(429, b"", x_ms_ratelimit_retailPrices_retry_after="60"), 60.0),
        (made(429, b"Please try again after 12 seconds."), 12.0),
        (made(429, b'{"error":{"code":"X","message":"Please try again after \'6\' seconds."}}'), 6.0),
        (made(429, b"", Retry_After="soon", x_ms_ratelimit_retailPrices_retry_after="9"), 9.0),
        (made(429, b""), 0.5),
    ],
    ids=["header", "retail header", "text", "json", "unreadable header", "nothing said"],
)
def test_a_throttle_is_waited_for_as_long_as_it_says(answer: requests.Response, seconds: float) -> None:
    wire = Wire(answer, made(200))
    assert wire.get().ok
    assert wire.waited == [seconds]
    assert wire.client.counts.throttles == 1


def test_a_date_in_retry_after() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    wire = Wire(made(429, b"", Retry_After=later), made(200))
    wire.get()
    assert 20 < wire.waited[0] <= 30


def test_a_throttle_that_asks_for_too_long_is_raised_at_once() -> None:
    wire = Wire(made(429, b"Please try again after 3600 seconds."))
    with pytest.raises(AzureThrottledError) as raised:
        wire.get()
    assert (raised.value.retry_after_seconds, wire.waited) == (3600.0, [])


def test_a_throttle_can_be_left_to_the_caller() -> None:
    wire = Wire(made(429, b"", Retry_After="1"), retry_throttled=False)
    with pytest.raises(AzureThrottledError):
        wire.get()
    assert wire.waited == []


def test_no_wait_is_begun_that_cannot_end_before_the_deadline() -> None:
    wire = Wire(made(429, b"", Retry_After="30"), seconds_left=30.5)
    with pytest.raises(AzureThrottledError):
        wire.get()
    assert wire.waited == []


def test_nothing_is_sent_after_the_deadline() -> None:
    wire = Wire(made(200), seconds_left=0.5)
    with pytest.raises(DeadlineError):
        wire.get()
    assert wire.script.sent == []


def test_no_request_waits_beyond_the_deadline() -> None:
    wire = Wire(made(200), seconds_left=7.0)
    wire.get()
    assert wire.script.sent[0][1] == (5.0, 7.0)


def test_a_retry_needs_leave_where_somebody_gives_it() -> None:
    leaves = iter([True, False])
    wire = Wire(made(500))
    with pytest.raises(AzureUnavailableError):
        wire.get(may_retry=lambda: next(leaves))
    assert wire.client.counts.to_dict() == {"requests": 2, "retries": 1, "throttles": 0}


def test_headers_are_made_anew_for_every_send() -> None:
    tokens = iter("abc")
    wire = Wire(made(500), made(500), made(200))
    wire.get(headers=lambda: {"Authorization": f"Bearer {next(tokens)}"})
    assert [request.headers["Authorization"] for request, _ in wire.script.sent] == ["Bearer a", "Bearer b", "Bearer c"]


@pytest.mark.parametrize(
    "body", [b"<html>", b"[1]", b'{"cut": ', b"", b'"text"', b"[" * 100_000, b'{"a": NaN}', b'{"a": "\\ud800"}']
)
def test_a_200_that_is_no_json_object_is_not_trusted(body: bytes) -> None:
    with pytest.raises(UntrustedAnswerError):
        json_of("test api", HttpAnswer(status_code=200, headers={}, body=body))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "text"}', b'{"Error":{"Code":"C"}}', b"\xff\xfe"])
def test_any_error_body_becomes_a_named_error(body: bytes) -> None:
    for status in (400, 429, 500):
        with pytest.raises(AzureError):
            Wire(made(status, body), attempts=1).get()


def test_ids_do_not_reach_errors() -> None:
    someone = "0a1b2c3d-0000-4000-8000-0123456789AB"
    body = f"""{{"error":{{"code":"AuthorizationFailed","message":"The client '{someone}' may not '{someone}'"}}}}"""
    with pytest.raises(AzureRefusedError, match="The client '<id>' may not '<id>'") as raised:
        Wire(made(403, body.encode())).get()
    assert someone not in raised.value.text


def test_long_error_texts_are_cut() -> None:
    with pytest.raises(AzureRefusedError) as raised:
        Wire(made(400, b"x" * 100_000)).get()
    assert len(raised.value.text) == 2_000
    assert len(str(raised.value)) < 400


def test_a_session_has_a_connection_for_every_thread(tmp_path: Any) -> None:
    session = new_session(connections=24, ca_file=str(tmp_path / "ca.pem"))
    adapter = session.get_adapter(URL)
    assert isinstance(adapter, requests.adapters.HTTPAdapter)
    assert adapter._pool_maxsize == 24  # type: ignore[attr-defined]
    assert session.verify == str(tmp_path / "ca.pem")
    assert new_session().verify is True


def test_a_policy_without_an_attempt_is_a_fault_of_this_program() -> None:
    session, _ = scripted_session(made(200))
    client = HttpClient("api", session, RetryPolicy(attempts=0), Deadline(lambda: 100.0))
    with pytest.raises(AssertionError) as raised:
        client.send("GET", "https://azure.example")
    assert str(raised.value) == "unreachable: the last attempt returns or raises"
