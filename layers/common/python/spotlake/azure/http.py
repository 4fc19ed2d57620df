"""The one HTTP client for Azure: time-outs, retries, ``Retry-After``, a deadline, named errors.

This client alone owns HTTP failures: no layer above sends a request again for the same reason. The state machine
retries failures of Lambda only.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import urllib3

from spotlake.azure.answers import MOST_BYTES, HttpAnswer, error_of, read_answer
from spotlake.clock import Deadline
from spotlake.errors import AzureError, AzureRefusedError, AzureThrottledError, AzureUnavailableError

_LOG = logging.getLogger(__name__)


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
        most_bytes: Largest decoded answer that is read.
    """

    attempts: int = 4
    backoff_seconds: float = 0.5
    longest_wait_seconds: float = 70.0
    retry_throttled: bool = True
    unasked_wait_seconds: float | None = None
    timeout_seconds: tuple[float, float] = (5.0, 50.0)
    most_bytes: int = MOST_BYTES


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
    ) -> HttpAnswer:
        """The whole 2xx answer. A redirect is an answer like any other status: it is not followed.

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
            UntrustedAnswerError: The answer is larger than any that Azure sends.
            DeadlineError: Too little time is left for the first send.
        """
        for attempt in range(1, self.policy.attempts + 1):
            self.deadline.check(f"{self.api}: request", needs_seconds=1.0)
            failure = self._send_once(method, url, params, json, headers)
            if isinstance(failure, HttpAnswer):
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
    ) -> HttpAnswer | AzureError:
        self.counts.add(requests=1)
        connect, read = self.policy.timeout_seconds
        timeout = (connect, max(1.0, min(read, self.deadline.seconds_left())))
        began = time.monotonic()
        try:
            with self.session.request(
                method,
                url,
                params=params,
                json=json,
                headers=headers() if headers else None,
                timeout=timeout,
                stream=True,
                allow_redirects=False,
            ) as response:
                answer = read_answer(self.api, response, self.deadline, most_bytes=self.policy.most_bytes)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # The text of a requests error may hold the URL; its class says enough.
            _LOG.debug("%s: no answer (%s)", self.api, type(error).__name__)
            return AzureUnavailableError(self.api, f"no answer ({type(error).__name__})")
        _LOG.debug(
            "%s: %d after %.3f s (%s)",
            self.api,
            answer.status_code,
            time.monotonic() - began,
            answer.headers.get("x-ms-correlation-request-id", "no correlation id"),
        )
        if answer.ok:
            return answer
        failure = error_of(self.api, answer)
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
        if wait > self.policy.longest_wait_seconds or wait + 1.0 >= self.deadline.seconds_left():
            return None
        return wait


class _Session(requests.Session):
    """A session that never looks where a redirect leads, and so does not read the body of one without a limit."""

    def get_redirect_target(self, _: requests.Response) -> None:
        """No redirect has a target."""
        return


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep the request's own token: without this, an entry of a .netrc file would replace it."""
    return request


def new_session(*, connections: int = 10, ca_file: str = "") -> requests.Session:
    """Make a session with one kept connection per thread.

    Args:
        connections: Number of connections to keep open to one host.
        ca_file: Certificate file of another authority (the simulator's); empty: the public ones alone.
    """
    session = _Session()
    session.auth = _as_it_is
    session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=connections))
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=connections))
    if ca_file:
        session.verify = ca_file
    return session
