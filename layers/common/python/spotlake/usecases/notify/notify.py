"""Reports failures and recoveries, each once: by SNS and, if a webhook is set, by Slack. Never fails a run.

A failure counts as reported only after a message was sent. A lasting failure is reported again after a day.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import requests

from spotlake.clock import Clock
from spotlake.errors import SpotlakeError
from spotlake.events import NamedRun, NotifyEvent, NotifyResult
from spotlake.models import Mode
from spotlake.names import printable
from spotlake.state.health import is_news, note_reported
from spotlake.stores.claims import Claims
from spotlake.stores.objects import ObjectStore

_SLACK_TIMEOUT_SECONDS = 5.0
_CAUSE_LIMIT = 300
_NUMBERS = re.compile(r"\b[0-9a-f]{8,}(?:-[0-9a-f]+)*\b|\d[\dT:.Z-]*")


@dataclass(frozen=True, kw_only=True)
class NotifyDeps:
    """Dependencies of Notify. A sender that is not set up is None."""

    objects: ObjectStore
    claims: Claims
    wall: Clock
    publish: Callable[[str, str], None] | None
    webhook_url: Callable[[], str] | None
    console_url: Callable[[str], str]


def notify(event: NotifyEvent, deps: NotifyDeps) -> NotifyResult:
    """Report a failed or recovered run once, and release the claim of a failed run.

    Args:
        event: ``{"execution_id", "state", "error", "cause", "run"}``; ``error`` None means that the run succeeded.
        deps: Dependencies.

    Returns:
        ``{"status": "sent" | "known" | "failed", "problems": [class names]}``. Every error of this function is in
        ``problems`` only, because a notifier must not fail the run that it reports.
    """
    problems: list[str] = []
    _attempt(problems, lambda: deps.claims.release(owner=event["execution_id"]))
    kind, failure, now_at = _kind(event), _failure(event), deps.wall.now()
    news = [True]  # when the memory fails, telling twice is better than not at all
    _attempt(problems, lambda: news.append(is_news(deps.objects, kind, failure, now_at)))
    if not news[-1]:
        return NotifyResult(status="known", problems=problems)
    subject, text = _words(event, deps.console_url)
    senders: list[Callable[[], None]] = []
    if deps.publish:
        publish = deps.publish
        senders.append(lambda: publish(subject, text))
    if deps.webhook_url:
        webhook_url = deps.webhook_url
        senders.append(lambda: _post_to_slack(webhook_url(), f"*{subject}*\n{text}"))
    delivered = [_attempt(problems, sender) for sender in senders]
    if any(delivered) or not senders:
        _attempt(problems, lambda: note_reported(deps.objects, kind, failure, now_at))
    return NotifyResult(status="sent" if all(delivered) else "failed", problems=problems)


def _kind(event: NotifyEvent) -> str:
    return (event["run"] or {}).get("mode") or Mode.INCREMENTAL.value


def _failure(event: NotifyEvent) -> str | None:
    """Text that distinguishes a failure: state, error, and cause without numbers and ids, which differ each time.

    >>> _failure({"execution_id": "", "state": "Merge", "error": "StoreError", "cause": "batch 17 of b", "run": None})
    'Merge StoreError batch # of b'
    """
    if event["error"] is None:
        return None
    return f"{event['state']} {event['error']} {_NUMBERS.sub('#', one_line_cause(event['cause']))}"


def _words(event: NotifyEvent, console_url: Callable[[str], str]) -> tuple[str, str]:
    run_id = (event["run"] or NamedRun()).get("run_id", "no run")
    if event["error"] is None:
        return f"SpotLake Azure: {run_id} is well again", console_url(event["execution_id"])
    cause = one_line_cause(event["cause"])
    subject = f"SpotLake Azure: {run_id} failed ({event['error']})"
    text = f"State: {event['state']}\nReason: {cause}\nExecution: {console_url(event['execution_id'])}"
    return subject[:100], text  # SNS refuses longer subjects


def one_line_cause(cause: object) -> str:
    """The reason in a state machine's Cause: a Lambda's errorMessage, a job's statusReason, or the text itself.

    >>> one_line_cause('{"errorType": "SignInError", "errorMessage": "Azure refused the sign-in"}')
    'Azure refused the sign-in'
    """
    text = str(cause or "no cause given")
    try:
        parsed = orjson.loads(text)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        text = str(parsed.get("errorMessage") or parsed.get("StatusReason") or parsed.get("statusReason") or text)
    return " ".join(printable(text[: 10 * _CAUSE_LIMIT]).split())[:_CAUSE_LIMIT]


def _post_to_slack(url: str, text: str) -> None:
    # Of words of others Slack would make links and calls to everybody (Slack API, "Formatting text", read 2026-11).
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # The URL is a secret, and errors of requests would print it. So only a status leaves this function.
    try:
        status = requests.post(
            url, json={"text": plain}, timeout=_SLACK_TIMEOUT_SECONDS, allow_redirects=False
        ).status_code
    except requests.RequestException as error:
        raise SpotlakeError(f"Slack: {type(error).__name__}") from None
    if status >= 300:
        raise SpotlakeError(f"Slack: HTTP {status}")


def _attempt(problems: list[str], action: Callable[[], Any]) -> bool:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - see notify: nothing may leave
        problems.append(f"{type(error).__name__}: {error}"[:_CAUSE_LIMIT])
        return False
    return True
