"""The door for Azure's answers at its limits: sizes, values, times, and the texts of others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from typing import Any

import pytest
import requests
import urllib3

from spotlake.azure.answers import HttpAnswer, error_of, json_of, read_answer
from spotlake.clock import Deadline
from spotlake.errors import AzureRefusedError, AzureThrottledError, AzureUnavailableError, UntrustedAnswerError
from tests.support.errors import says

ID = "0a1b2c3d-0000-4000-8000-0123456789AB"


def answer(status: int, body: bytes | str = b"", **headers: str) -> HttpAnswer:
    content = body.encode() if isinstance(body, str) else body
    return HttpAnswer(status_code=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=content)


def response(body: bytes, status: int = 200) -> requests.Response:
    made = requests.Response()
    made.status_code, made.raw = status, urllib3.HTTPResponse(BytesIO(body), preload_content=False)
    made.headers["A"] = "b"
    return made


@pytest.mark.parametrize(("status", "ok"), [(199, False), (200, True), (299, True), (300, False)])
def test_success_is_2xx(status: int, ok: bool) -> None:
    assert answer(status).ok is ok


def test_the_text_is_the_first_2000_bytes_whatever_they_are() -> None:
    assert answer(200, b"x" * 2001).text == "x" * 2000
    assert answer(200, b"a\xff").text == "a\ufffd"


def test_an_answer_is_read_whole() -> None:
    body = bytes(range(256)) * 1024  # four pieces
    read = read_answer("api", response(body, 418), Deadline(lambda: 0.1), most_bytes=len(body))
    assert (read.status_code, read.headers["a"], read.body) == (418, "b", body)
    with says(UntrustedAnswerError, "api: the answer is larger than 262,143 bytes") as raised:
        read_answer("api", response(body, 418), Deadline(lambda: 0.1), most_bytes=len(body) - 1)
    error: Any = raised.value
    assert error.status == 418
    with says(UntrustedAnswerError, "api: the answer is larger than 8,388,608 bytes"):
        read_answer("api", response(bytes(8 * 1024 * 1024 + 1)), Deadline(lambda: 1.0))


def test_time_is_looked_at_after_the_second_piece() -> None:
    assert read_answer("api", response(b"x" * 65_536), Deadline(lambda: -1.0)).body == b"x" * 65_536
    with says(AzureUnavailableError, "api: the answer did not end in time"):
        read_answer("api", response(b"x" * 65_537), Deadline(lambda: 0.0))


@pytest.mark.parametrize(
    ("found", "kind", "said", "code", "text"),
    [
        (answer(400), AzureRefusedError, "api: HTTP 400", None, ""),
        (answer(409, " <html> "), AzureRefusedError, "api: HTTP 409: <html>", None, "<html>"),
        (
            answer(400, '{"error": {"code": "Bad", "message": " some words "}}'),
            AzureRefusedError,
            "api: HTTP 400 Bad: some words",
            "Bad",
            '{"error": {"code": "Bad", "message": " some words "}}',
        ),
        (
            answer(503, '{"Error": {"Code": "Busy", "Message": "later"}}'),
            AzureUnavailableError,
            "api: HTTP 503 Busy: later",
            "Busy",
            '{"Error": {"Code": "Busy", "Message": "later"}}',
        ),
        (
            answer(400, '{"error": {"code": " A "}}'),
            AzureRefusedError,
            "api: HTTP 400 A",
            "A",
            '{"error": {"code": " A "}}',
        ),
        (answer(400, '{"error": {"code": 7}}'), AzureRefusedError, "api: HTTP 400 7", "7", '{"error": {"code": 7}}'),
        (answer(400, '{"error": "text"}'), AzureRefusedError, "api: HTTP 400", None, '{"error": "text"}'),
        (answer(400, "[1]"), AzureRefusedError, "api: HTTP 400", None, "[1]"),
        (answer(400, "BadGatewayConnection"), AzureUnavailableError, "api: HTTP 400: BadGatewayConnection", None, None),
        (answer(429, "{}"), AzureThrottledError, "api: HTTP 429", None, "{}"),
        *[
            (answer(status, "{}"), AzureUnavailableError, f"api: HTTP {status}", None, "{}")
            for status in (408, 500, 502, 503, 504)
        ],
        *[
            (answer(status, "{}"), AzureRefusedError, f"api: HTTP {status}", None, "{}")
            for status in (301, 401, 403, 404, 409, 501, 505)
        ],
    ],
)
def test_an_error_has_a_class_a_sentence_and_fields(
    found: HttpAnswer, kind: type[Exception], said: str, code: str | None, text: str | None
) -> None:
    error = error_of("api", found)
    assert (type(error), str(error), error.api, error.status, error.code) == (
        kind,
        said,
        "api",
        found.status_code,
        code,
    )
    assert text is None or error.text == text


@pytest.mark.parametrize("status", [400, 429, 500])
def test_ids_of_clients_and_subscriptions_are_left_out_of_sentence_and_text(status: int) -> None:
    error = error_of("api", answer(status, f'{{"error": {{"code": "No", "message": "{ID} may not {ID.lower()}"}}}}'))
    assert str(error) == f"api: HTTP {status} No: <id> may not <id>"
    assert error.text == '{"error": {"code": "No", "message": "<id> may not <id>"}}'
    assert error.code == "No"


def test_long_codes_and_messages_are_cut() -> None:
    error = error_of("api", answer(400, f'{{"error": {{"code": "{"c" * 101}", "message": "{"m" * 301}"}}}}'))
    assert (str(error), error.code) == (f"api: HTTP 400 {'c' * 100}: {'m' * 300}", "c" * 100)
    # An id that would be cut in its middle: a longer part of the message is searched than is shown.
    error = error_of("api", answer(400, f'{{"error": {{"message": "{"m" * 290}-{ID}"}}}}'))
    assert str(error) == f"api: HTTP 400: {'m' * 290}-<id>"


def test_texts_are_one_printable_line() -> None:
    error = error_of("api", answer(400, b'{"error": {"code": "A\\nB", "message": "x\\u001b[31m\\ny"}}'))
    assert (str(error).isprintable(), error.code.isprintable() if error.code else None) == (True, True)
    assert "\\x1b" not in str(error) or str(error).isprintable()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "api: the answer is not JSON, or too much of it"),
        (b"null", "api: the answer is not JSON, or too much of it"),
        (b"[1]", "api: the answer is not a JSON object"),
        (b'"text"', "api: the answer is not a JSON object"),
    ],
)
def test_an_answer_that_is_no_object_is_not_believed(body: bytes, said: str) -> None:
    with says(UntrustedAnswerError, said) as raised:
        json_of("api", answer(203, body))
    error: Any = raised.value
    assert error.status == 203


def test_a_large_answer_may_hold_500000_values() -> None:
    """Commas and brackets are counted: {"a":[...]} with n values has n + 1 of them."""

    def listed(count: int, value: bytes) -> HttpAnswer:
        return answer(200, b'{"a":[' + b",".join([value] * count) + b"]}")

    assert json_of("api", listed(499_999, b"11111")) == {"a": [11111] * 499_999}
    with says(UntrustedAnswerError, "api: the answer is not JSON, or too much of it"):
        json_of("api", listed(500_000, b"11111"))
    assert json_of("api", listed(500_000, b"1")) == {"a": [1] * 500_000}  # of one megabyte: a small one
    many = answer(200, b'{"a":[' + b",".join([b'[{"b":111}]'] * 200_000) + b"]}")
    with pytest.raises(UntrustedAnswerError):
        json_of("api", many)
    assert json_of("api", answer(200, b"\xef\xbb\xbf{}")) == {}


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({"Retry_After": "7", "x_ms_ratelimit_retailPrices_retry_after": "9"}, "in 11 seconds", 7.0),
        ({"Retry_After": "soon", "x_ms_ratelimit_retailPrices_retry_after": "9"}, "in 11 seconds", 9.0),
        ({"Retry_After": "0"}, "in 11 seconds", 0.0),
        ({}, "try again in 11 seconds", 11.0),
        ({}, "Please try again AFTER '12' seconds", 12.0),
        ({}, "after 3601 seconds", 3600.0),
        ({}, "after 1234567890 seconds", None),
        ({}, "11 seconds", None),
        ({"Retry_After": "9" * 400}, "", 3600.0),
        ({"Retry_After": "0" * 9 + "7"}, "", 7.0),
        ({"Retry_After": "³"}, "", None),
        ({"Retry_After": "٣"}, "", None),  # decimal, and no digit of HTTP's
        ({"Retry_After": f"1 Jan {'9' * 30} 00:00:00 GMT"}, "in 11 seconds", 11.0),
        ({"Retry_After": "3600"}, "", 3600.0),
        ({"Retry_After": "Mon, 01 Jan 2024 00:00:00 GMT"}, "in 11 seconds", 0.0),
        ({"Retry_After": "Mon, 01 Jan 2024 00:00:00"}, "in 11 seconds", 11.0),  # without a zone
    ],
)
def test_the_wait_that_azure_asks_for(headers: dict[str, str], text: str, seconds: float | None) -> None:
    error: Any = error_of("api", answer(429, text, **headers))
    assert error.retry_after_seconds == seconds


def test_a_wait_until_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    error: Any = error_of("api", answer(429, "", Retry_After=later))
    assert 40.0 < error.retry_after_seconds <= 50.0


@pytest.mark.parametrize(
    ("size", "values", "is_read"),
    [
        (2 * 1024 * 1024, 550_000, True),  # a body of two MB may hold whatever it likes
        (2 * 1024 * 1024 + 1, 550_000, False),
        (2 * 1024 * 1024 + 1, 499_999, True),  # their commas, the list and the object are 500,000
        (2 * 1024 * 1024 + 1, 500_000, False),
    ],
)
def test_a_large_body_of_too_many_values_is_not_parsed(size: int, values: int, *, is_read: bool) -> None:
    body = b'{"a":[' + b"1," * (values - 1) + b"1]}"
    answer = HttpAnswer(status_code=200, headers={}, body=body + b" " * (size - len(body)))
    if is_read:
        assert json_of("api", answer) == {"a": [1] * values}
    else:
        with says(UntrustedAnswerError, "api: the answer is not JSON, or too much of it"):
            json_of("api", answer)


@pytest.mark.parametrize("part", [b"[],", b"{},"])
def test_lists_and_objects_are_values_too(part: bytes) -> None:
    """Each of these has a comma and a bracket: 300,000 of them are 600,000."""
    body = b'{"a":[' + part * 300_000 + b"1]" + b" " * 1_300_000 + b"}"
    with says(UntrustedAnswerError, "api: the answer is not JSON, or too much of it"):
        json_of("api", HttpAnswer(status_code=200, headers={}, body=body))
