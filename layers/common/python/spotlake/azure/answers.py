"""The one door for Azure's answers: read within limits, never believed further than their form allows.

A proxy's error page or a change of the API may send anything. So a body has a largest size, reading ends at the
deadline, ``Retry-After`` has a longest time, and the texts of others are printable and short.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import orjson
import requests

from spotlake.clock import Deadline
from spotlake.errors import (
    AzureError,
    AzureRefusedError,
    AzureThrottledError,
    AzureUnavailableError,
    UntrustedAnswerError,
)
from spotlake.names import printable
from spotlake.scores.quota import AZURE_WINDOW_SECONDS

# Of a decoded body, and of the values in it. The largest real answer (a page of 1,000 price rows) has 0.6 MB and 22,000
# values. A body of 8 MB may need 40 MB as text and 100 MB as values; a collector has 256 MB.
MOST_BYTES = 8 * 1024 * 1024
SMALL_BYTES = 2 * 1024 * 1024  # for lists that several threads ask at once, whose answers have 0.1 MB
# For one call for placement scores: at most 8 sizes, 5 regions and 3 zones are 120 rows of some 110 bytes
# (Microsoft Learn, "Spot Placement Score", read 2026-11).
SCORES_BYTES = 256 * 1024
MOST_VALUES = 500_000
_READ_BYTES = 65_536
LONGEST_WAIT_SECONDS = float(AZURE_WINDOW_SECONDS)  # no API here has a longer window
_LONGEST_CODE = 100
_UNAVAILABLE = frozenset({408, 500, 502, 503, 504})
_TEXT_LIMIT = 2_000
# Azure's texts name clients, objects and subscriptions; reports and logs must not.
_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_WAIT_IN_TEXT = re.compile(r"(?:after|in) '?([0-9]{1,9})'? seconds", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """An answer that was read to its end.

    Attributes:
        status_code: HTTP status.
        headers: Headers; names in any casing.
        body: Decoded bytes, at most ``MOST_BYTES``.
    """

    status_code: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    @property
    def text(self) -> str:
        """The first 2,000 bytes as text."""
        return self.body[:_TEXT_LIMIT].decode(errors="replace")


def read_answer(
    api: str, response: requests.Response, deadline: Deadline, *, most_bytes: int = MOST_BYTES
) -> HttpAnswer:
    """Read a streamed response to its end.

    Args:
        api: The API's name in errors.
        response: Response of a request with ``stream=True``.
        deadline: Looked at after every piece but the first, so a body that drips ends in time.
        most_bytes: Largest decoded body.

    Raises:
        UntrustedAnswerError: The body is larger than ``most_bytes``.
        AzureUnavailableError: The body did not end in time. The request was sent, so this is no ``DeadlineError``.
    """
    pieces, size = [], 0
    while piece := response.raw.read1(_READ_BYTES, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > most_bytes:
            said = f"the answer is larger than {most_bytes:,} bytes"
            raise UntrustedAnswerError(api, said, status=response.status_code)
        if len(pieces) > 1 and deadline.seconds_left() <= 0:
            raise AzureUnavailableError(api, "the answer did not end in time")
    return HttpAnswer(status_code=response.status_code, headers=response.headers, body=b"".join(pieces))


def error_of(api: str, answer: HttpAnswer) -> AzureError:
    """The named error for an answer that is not 2xx. Only this function chooses the error.

    A body may be JSON ``{"error": {...}}`` (ARM), ``{"Error": {...}}`` (retail prices), plain text (429 of placement
    scores) or HTML (gateways).
    """
    status, text = answer.status_code, _ID.sub("<id>", printable(answer.text).strip())
    code, message = _code_and_message(answer)
    message = _ID.sub("<id>", message)
    said = f"HTTP {status}" + (f" {code}" if code else "") + (f": {message[:300]}" if message else "")
    if status == 429:
        return AzureThrottledError(
            api, said, retry_after_seconds=_retry_after_seconds(answer, text), code=code, text=text
        )
    # Some gateways report transient failures under other statuses; the code shows it.
    if status in _UNAVAILABLE or "BadGatewayConnection" in text:
        return AzureUnavailableError(api, said, status=status, code=code, text=text)
    return AzureRefusedError(api, said, status=status, code=code, text=text)


def json_of(api: str, answer: HttpAnswer) -> dict[str, object]:
    """The JSON object in a 2xx answer. Raises UntrustedAnswerError for any other content."""
    body = _json(answer)
    if body is None:
        raise UntrustedAnswerError(api, "the answer is not JSON, or too much of it", status=answer.status_code)
    if not isinstance(body, dict):
        raise UntrustedAnswerError(api, "the answer is not a JSON object", status=answer.status_code)
    return body


def _json(answer: HttpAnswer) -> object:
    """The parsed body; None if it is no JSON, or holds too many values for our memory.

    The parser bounds nesting, and refuses NaN and half characters.
    """
    body = answer.body.removeprefix(b"\xef\xbb\xbf")
    if len(body) > SMALL_BYTES and body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _code_and_message(answer: HttpAnswer) -> tuple[str | None, str]:
    body = _json(answer)
    if body is None:
        return None, printable(answer.text).strip()
    error = body.get("error") or body.get("Error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return None, ""
    code, message = error.get("code") or error.get("Code"), error.get("message") or error.get("Message")
    said = printable(str(message or "")[:_TEXT_LIMIT]).strip()
    return printable(str(code)).strip()[:_LONGEST_CODE] if code else None, said


def _retry_after_seconds(answer: HttpAnswer, text: str) -> float | None:
    """Seconds to wait: from ``Retry-After`` (seconds or date), the retail header, or the body's text."""
    headers = (answer.headers.get(name) for name in ("Retry-After", "x-ms-ratelimit-retailPrices-retry-after"))
    asked = next((found for value in headers if value is not None and (found := _seconds_of(value)) is not None), None)
    if asked is None and (said := _WAIT_IN_TEXT.search(text)):
        asked = float(said.group(1))
    return None if asked is None else min(asked, LONGEST_WAIT_SECONDS)


def _seconds_of(value: str) -> float | None:
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None
