"""Notify: tells of a failed or recovered run, once; a failing notifier never fails a run."""

from __future__ import annotations

from typing import Any

from spotlake import wiring
from spotlake.telemetry import LambdaContext, observed
from spotlake.usecases.notify.notify import notify


@observed("notify")
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"execution_id", "state", "error", "cause", "run"}`` to ``{"status", "problems"}``."""
    del context
    return notify(event, wiring.services().notify_deps())
