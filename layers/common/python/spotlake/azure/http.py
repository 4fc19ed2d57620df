"""The one HTTP client for Azure: time-outs, retries, ``Retry-After``, a deadline, named errors.

This client alone owns HTTP failures: no layer above sends a request again for the same reason. The state machine
retries failures of Lambda only.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from spotlake.clock import Deadline
from spotlake.errors import (
    AzureError,
    AzureRefusedError,
    AzureThrottledError,
    AzureUnavailableError,
    UntrustedAnswerError,
)

_LOG = logging.getLogger(__name__)
_UNAVAILABLE = frozenset({408, 500, 502, 503, 504})
_TEXT_LIMIT = 2_000
# Azure's texts name clients, objects and subscriptions; reports and logs must not.
_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_WAIT_IN_TEXT = re.compile(r"(?:after|in) '?(\d+)'? seconds", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often a request is sent, and how long to wait in between.

    Attributes:
        attempts: Number of sends, including the first one.
        backoff_seconds: Upper limit of the first random wait; the limit doubles each time (full jitter).
        longest_wait_seconds: Longest wait. A 429 that asks for more is raised at once.
        retry_throttled: Whether to wait after a 429 (prices, Resource Graph) or to raise it at once (placement scores,
            whose quota the ledger keeps).
        unasked_wait_seconds: Wait after a 429 that names no time; None: wait as after any failure.
        timeout_seconds: Connect and read time-out of one request.
    """

    attempts: int = 4
    backoff_seconds: float = 0.5
    longest_wait_seconds: float = 70.0
    retry_throttled: bool = True
    unasked_wait_seconds: float | None = None
    timeout_seconds: tuple[float, float] = (5.0, 50.0)


@dataclass
class HttpCounts:
    """Counts of one collector's requests, for its report. Safe to share between threads."""

    requests: int = 0
    retries: int = 0
    throttles: int = 0
    waited_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, *, requests: int = 0, retries: int = 0, throttles: int = 0, waited_seconds: float = 0.0) -> None:
        """Add to the counts."""
        with self._lock:
            self.requests += requests
            self.retries += retries
            self.throttles += throttles
            self.waited_seconds += waited_seconds

    def to_dict(self) -> dict[str, int]:
        """Whole numbers for ``CollectorReport.counts``."""
        return {"requests": self.requests, "retries": self.retries, "throttles": self.throttles}


@dataclass
class HttpClient:
    """Sends JSON requests to one Azure API.

    Attributes:
        api: The API's name in errors ("retail prices").
        session: requests session; tests pass one with their own adapters.
        policy: Retries and time-outs.
        deadline: A wait or request that cannot end before this deadline is not begun.
        counts: Updated with every request. Clients that report together share them.
        sleep: Waits; tests pass their own.
    """

    api: str
    session: requests.Session
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    deadline: Deadline = field(default_factory=lambda: Deadline.after(840.0))
    counts: HttpCounts = field(default_factory=HttpCounts)
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        headers: Callable[[], Mapping[str, str]] | None = None,
        may_retry: Callable[[], bool] | None = None,
    ) -> requests.Response:
        """The response of a 2xx answer.

        Args:
            method: "GET" or "POST".
            url: Absolute.
            params: Query parameters.
            json: Request body.
            headers: Called before every send, so that a retry has a valid token too.
            may_retry: Called before every send except the first; False ends the attempts. Placement scores reserve
                quota for each retry.

        Raises:
            AzureThrottledError: 429 (see ``RetryPolicy.retry_throttled``).
            AzureUnavailableError: 408, 5xx, time-out or connection error after all attempts.
            AzureRefusedError: Any other status that is not 2xx.
            DeadlineError: Too little time is left for the first send.
        """
        for attempt in range(1, self.policy.attempts + 1):
            self.deadline.check(f"{self.api}: request", needs_seconds=1.0)
            failure = self._send_once(method, url, params, json, headers)
            if isinstance(failure, requests.Response):
                return failure
            wait = self._wait_before_next(failure, attempt)
            if wait is None:
                raise failure
            self.sleep(wait)
            self.counts.add(waited_seconds=wait)
            if may_retry is not None and not may_retry():
                raise failure
            self.counts.add(retries=1)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _send_once(
        self, method: str, url: str, params: Any, json: Any, headers: Callable[[], Mapping[str, str]] | None
    ) -> requests.Response | AzureError:
        self.counts.add(requests=1)
        connect, read = self.policy.timeout_seconds
        timeout = (connect, max(1.0, min(read, self.deadline.seconds_left())))
        try:
            response = self.session.request(
                method, url, params=params, json=json, headers=headers() if headers else None, timeout=timeout
            )
        except requests.RequestException as error:
            # The text of a requests error may hold the URL; its class says enough.
            _LOG.debug("%s: no answer (%s)", self.api, type(error).__name__)
            return AzureUnavailableError(self.api, f"no answer ({type(error).__name__})")
        _LOG.debug(
            "%s: %d after %.3f s (%s)",
            self.api,
            response.status_code,
            response.elapsed.total_seconds(),
            response.headers.get("x-ms-correlation-request-id", "no correlation id"),
        )
        if response.ok:
            return response
        failure = error_of(self.api, response)
        if isinstance(failure, AzureThrottledError):
            self.counts.add(throttles=1)
        return failure

    def _wait_before_next(self, failure: AzureError, attempt: int) -> float | None:
        """Seconds to wait before the next attempt, or None when there is none."""
        if attempt == self.policy.attempts or isinstance(failure, AzureRefusedError):
            return None
        asked = None
        if isinstance(failure, AzureThrottledError):
            if not self.policy.retry_throttled:
                return None
            asked = failure.retry_after_seconds
            asked = self.policy.unasked_wait_seconds if asked is None else asked
        wait = asked if asked is not None else self.policy.backoff_seconds * 2 ** (attempt - 1) * self.jitter()
        if wait > self.policy.longest_wait_seconds or wait + 1.0 > self.deadline.seconds_left():
            return None
        return wait


def new_session(*, connections: int = 10, ca_file: str = "") -> requests.Session:
    """Make a session with one kept connection per thread.

    Args:
        connections: Number of connections to keep open to one host.
        ca_file: Certificate file of another authority (the simulator's); empty: the public ones alone.
    """
    session = requests.Session()
    session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=connections))
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=connections))
    if ca_file:
        session.verify = ca_file
    return session


def error_of(api: str, response: requests.Response) -> AzureError:
    """The named error for an answer that is not 2xx. Only this function chooses the error.

    A body may be JSON ``{"error": {...}}`` (ARM), ``{"Error": {...}}`` (retail prices), plain text (429 of placement
    scores) or HTML (gateways).
    """
    status, text = response.status_code, _ID.sub("<id>", response.text[:_TEXT_LIMIT])
    code, message = _code_and_message(response)
    message = _ID.sub("<id>", message)
    said = f"HTTP {status}" + (f" {code}" if code else "") + (f": {message[:300]}" if message else "")
    if status == 429:
        return AzureThrottledError(
            api, said, retry_after_seconds=_retry_after_seconds(response, text), code=code, text=text
        )
    # Some gateways report transient failures under other statuses; the code shows it.
    if status in _UNAVAILABLE or "BadGatewayConnection" in text:
        return AzureUnavailableError(api, said, status=status, code=code, text=text)
    return AzureRefusedError(api, said, status=status, code=code, text=text)


def json_of(api: str, response: requests.Response) -> dict[str, object]:
    """The JSON object in a 2xx answer. Raises UntrustedAnswerError for any other content."""
    try:
        body = response.json()
    except ValueError as error:
        raise UntrustedAnswerError(api, "the answer is not JSON", status=response.status_code) from error
    if not isinstance(body, dict):
        raise UntrustedAnswerError(api, "the answer is not a JSON object", status=response.status_code)
    return body


def _code_and_message(response: requests.Response) -> tuple[str | None, str]:
    try:
        body = response.json()
    except ValueError:
        return None, response.text[:300].strip()
    error = body.get("error") or body.get("Error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return None, ""
    return error.get("code") or error.get("Code"), error.get("message") or error.get("Message") or ""


def _retry_after_seconds(response: requests.Response, text: str) -> float | None:
    """Seconds to wait: from ``Retry-After`` (seconds or date), the retail header, or the body's text."""
    for name in ("Retry-After", "x-ms-ratelimit-retailPrices-retry-after"):
        value = response.headers.get(name)
        if value is None:
            continue
        if value.isdigit():
            return float(value)
        try:
            return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
        except (TypeError, ValueError):
            continue
    said = _WAIT_IN_TEXT.search(text)
    return float(said.group(1)) if said else None
