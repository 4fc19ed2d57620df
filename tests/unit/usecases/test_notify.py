from __future__ import annotations

from typing import Any

import pytest

from spotlake.errors import StoreError
from spotlake.events import NotifyEvent
from spotlake.stores.claims import MemoryClaims
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.notify.notify import NotifyDeps, notify, one_line_cause

FAILURE: NotifyEvent = {
    "execution_id": "arn:execution:1",
    "state": "Merge",
    "error": "StoreError",
    "cause": '{"errorType":"StoreError","errorMessage":"cannot write\\n s3://b/k"}',
    "run": {"run_id": "20251215T1000Z"},
}
RECOVERY: NotifyEvent = {**FAILURE, "execution_id": "arn:execution:3", "state": None, "error": None, "cause": None}


class Inbox:
    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.objects = MemoryObjects()

    def deps(self, **changes: Any) -> NotifyDeps:
        fields: dict[str, Any] = {
            "objects": self.objects,
            "claims": MemoryClaims(),
            "publish": lambda subject, text: self.messages.append((subject, text)),
            "webhook_url": None,
            "console_url": lambda arn: f"https://console/{arn}",
        }
        return NotifyDeps(**{**fields, **changes})


def test_a_failure_is_told_once_and_so_is_the_recovery() -> None:
    inbox = Inbox()
    events: tuple[NotifyEvent, ...] = (FAILURE, {**FAILURE, "execution_id": "arn:execution:2"}, RECOVERY, RECOVERY)
    statuses = [notify(event, inbox.deps())["status"] for event in events]
    assert statuses == ["sent", "known", "sent", "known"]
    assert [subject for subject, _ in inbox.messages] == [
        "SpotLake Azure: 20251215T1000Z failed (StoreError)",
        "SpotLake Azure: 20251215T1000Z is well again",
    ]


def test_the_message_holds_state_reason_in_one_line_and_a_link() -> None:
    inbox = Inbox()
    notify(FAILURE, inbox.deps())
    assert inbox.messages[0][1].splitlines() == [
        "State: Merge",
        "Reason: cannot write s3://b/k",
        "Execution: https://console/arn:execution:1",
    ]


def test_a_failing_sender_never_fails_the_run() -> None:
    def broken(subject: str, text: str) -> None:
        raise StoreError("topic is gone")

    outcome = notify(FAILURE, Inbox().deps(publish=broken))
    assert outcome["status"] == "failed"
    assert outcome["problems"] == ["StoreError: topic is gone"]


def test_the_webhook_s_secret_path_is_in_no_problem() -> None:
    outcome = notify(FAILURE, Inbox().deps(webhook_url=lambda: "http://127.0.0.1:9/services/T0/B0/SECRET"))
    assert outcome["status"] == "failed"
    assert "SECRET" not in str(outcome)


@pytest.mark.parametrize(
    ("cause", "line"),
    [
        ('{"errorMessage": "a\\nb"}', "a b"),
        ('{"StatusReason": "Host EC2 terminated"}', "Host EC2 terminated"),
        ("plain", "plain"),
        (None, "no cause given"),
        ("[1]", "[1]"),
    ],
)
def test_the_cause_in_one_line(cause: object, line: str) -> None:
    assert one_line_cause(cause) == line


def test_a_full_run_that_fails_every_hour_is_reported_once_however_well_the_slots_go() -> None:
    inbox = Inbox()
    full: NotifyEvent = {**FAILURE, "run": {"run_id": "20251215T1000Z", "mode": "full"}}
    slot: NotifyEvent = {**RECOVERY, "run": {"run_id": "20251215T1010Z", "mode": "incremental"}}
    statuses = [notify(event, inbox.deps())["status"] for event in (full, slot, full, slot, full)]
    assert statuses == ["sent", "known", "known", "known", "known"]
