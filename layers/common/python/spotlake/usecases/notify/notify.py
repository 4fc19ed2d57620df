"""Failures and recoveries, told once: SNS and, where a webhook is set, Slack. Never fails a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import requests

from spotlake.errors import SpotlakeError
from spotlake.events import NamedRun, NotifyEvent, NotifyResult
from spotlake.models import Mode
from spotlake.state.health import note_health
from spotlake.stores.claims import Claims
from spotlake.stores.objects import ObjectStore

_SLACK_TIMEOUT_SECONDS = 5.0
_CAUSE_LIMIT = 300


@dataclass(frozen=True, kw_only=True)
class NotifyDeps:
    """Where messages go; each sender is None when it is not set up."""

    objects: ObjectStore
    claims: Claims
    publish: Callable[[str, str], None] | None
    webhook_url: Callable[[], str] | None
    console_url: Callable[[str], str]


def notify(event: NotifyEvent, deps: NotifyDeps) -> NotifyResult:
    """Tell of a failed or recovered run, once, and release the claim of a failed one.

    Args:
        event: ``{"execution_id", "state", "error", "cause", "run"}``; ``error`` None means all is well again.
        deps: Where to.

    Returns:
        ``{"status": "sent" | "known" | "failed", "problems": [class names]}``. Whatever goes wrong here is in
        ``problems`` and nowhere else: a notifier must not fail the run it reports.
    """
    problems: list[str] = []
    _attempt(problems, lambda: deps.claims.release(owner=event["execution_id"]))
    if not _changes_health(event, deps.objects, problems):
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
    return NotifyResult(status="sent" if all(delivered) else "failed", problems=problems)


def _changes_health(event: NotifyEvent, objects: ObjectStore, problems: list[str]) -> bool:
    """Remember what is reported; False when the same was reported last of this kind of run."""
    run = event["run"] or NamedRun()
    kind = run.get("mode") or Mode.INCREMENTAL.value
    before: list[str | None] = []

    def remember() -> None:
        before.append(note_health(objects, kind, error=event["error"], execution_id=event["execution_id"]))

    # When the memory fails, reporting twice is better than not at all.
    return not _attempt(problems, remember) or before[0] != event["error"]


def _words(event: NotifyEvent, console_url: Callable[[str], str]) -> tuple[str, str]:
    run_id = (event["run"] or NamedRun()).get("run_id", "no run")
    if event["error"] is None:
        return f"SpotLake Azure: {run_id} is well again", console_url(event["execution_id"])
    cause = one_line_cause(event["cause"])
    subject = f"SpotLake Azure: {run_id} failed ({event['error']})"
    text = f"State: {event['state']}\nReason: {cause}\nExecution: {console_url(event['execution_id'])}"
    return subject[:100], text  # SNS refuses longer subjects


def one_line_cause(cause: object) -> str:
    """The reason out of a state machine's Cause: a Lambda's errorMessage, a job's statusReason, or the text.

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
    return " ".join(text.split())[:_CAUSE_LIMIT]


def _post_to_slack(url: str, text: str) -> None:
    # The URL is a secret: requests' own errors would print it, so only a status leaves this function.
    try:
        status = requests.post(url, json={"text": text}, timeout=_SLACK_TIMEOUT_SECONDS).status_code
    except requests.RequestException as error:
        raise SpotlakeError(f"Slack: {type(error).__name__}") from None
    if status >= 400:
        raise SpotlakeError(f"Slack: HTTP {status}")


def _attempt(problems: list[str], action: Callable[[], Any]) -> bool:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - see notify: nothing may leave
        problems.append(f"{type(error).__name__}: {error}"[:_CAUSE_LIMIT])
        return False
    return True
