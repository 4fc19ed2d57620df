"""Notify: reports a failed or recovered run once. A failing notifier never fails a run."""

from __future__ import annotations

from spotlake import wiring
from spotlake.events import NotifyEvent, NotifyResult
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.notify.notify import notify


@observed("notify")
def lambda_handler(event: NotifyEvent, context: LambdaContext) -> NotifyResult:
    """Report the failed step, its error and its cause; all are None when the run succeeded. Returns what was sent."""
    del context
    return notify(event, wiring.services().notify_deps())
