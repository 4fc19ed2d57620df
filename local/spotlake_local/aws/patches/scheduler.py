"""EventBridge Scheduler: the context attributes in a target's input."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from ministack.services import eventbridge

from spotlake_local.aws.patches import need


def install() -> None:
    """Without it ``<aws.scheduler.scheduled-time>`` arrives as that very text."""
    invoke = need(eventbridge, "_invoke_target", "scheduler attributes")

    def invoke_with_attributes(target: dict[str, Any], event: dict[str, Any], rule: Any, view: Any = None) -> Any:
        if event.get("Source") == "aws.scheduler" and target.get("Input"):
            target = {**target, "Input": _filled(target["Input"], rule)}
        return invoke(target, event, rule, view)

    eventbridge._invoke_target = invoke_with_attributes


def _filled(text: str, schedule: Any) -> str:
    scheduled_at = datetime.now(UTC).replace(second=0, microsecond=0)
    attributes = {
        "scheduled-time": scheduled_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "schedule-arn": str(schedule.get("Arn", "")) if isinstance(schedule, dict) else "",
        "execution-id": str(uuid.uuid4()),
        "attempt-number": "1",
    }
    for name, value in attributes.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text
