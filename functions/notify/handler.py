"""Notify: reports a failed or recovered run, once; a failing notifier never fails a run."""

from __future__ import annotations

from spotlake import wiring
from spotlake.events import NotifyEvent, NotifyResult
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.notify.notify import notify


@observed("notify")
def lambda_handler(event: NotifyEvent, context: LambdaContext) -> NotifyResult:
    """The step that failed, with error and cause (all None when the run ended well), to what was sent."""
    del context
    return notify(event, wiring.services().notify_deps())
