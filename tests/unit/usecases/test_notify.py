from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from spotlake import keys
from spotlake.clock import ManualClock
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
        self.clock = ManualClock(datetime(2025, 12, 15, 10, 0, tzinfo=UTC))

    def deps(self, **changes: Any) -> NotifyDeps:
        fields: dict[str, Any] = {
            "objects": self.objects,
            "claims": MemoryClaims(),
            "wall": self.clock,
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


def test_a_failure_that_nobody_heard_of_is_told_by_the_next_run() -> None:
    inbox = Inbox()

    def refused(subject: str, text: str) -> None:
        raise StoreError("AuthorizationError")

    assert notify(FAILURE, inbox.deps(publish=refused))["status"] == "failed"
    assert notify(FAILURE, inbox.deps())["status"] == "sent"
    assert notify(RECOVERY, inbox.deps(publish=refused))["status"] == "failed"
    assert notify(RECOVERY, inbox.deps())["status"] == "sent"
    assert len(inbox.messages) == 2


def test_another_failure_of_the_same_class_is_told_too() -> None:
    inbox = Inbox()
    other: NotifyEvent = {**FAILURE, "cause": '{"errorMessage": "table azure-test: AccessDenied"}'}
    elsewhere: NotifyEvent = {**FAILURE, "state": "Plan"}
    numbered = [{**FAILURE, "cause": f"slot 2025-12-15T10:{number}0:00Z, batch {number}"} for number in range(3)]
    statuses = [notify(event, inbox.deps())["status"] for event in (FAILURE, other, elsewhere, FAILURE, *numbered)]  # type: ignore[arg-type]
    assert statuses == ["sent", "sent", "sent", "known", "sent", "known", "known"]


def test_a_failure_that_lasts_is_told_again_after_a_day() -> None:
    inbox = Inbox()
    for _ in range(3 * 144):
        notify(FAILURE, inbox.deps())
        inbox.clock.advance(minutes=10)
    assert len(inbox.messages) == 3


def test_what_is_remembered_is_bounded() -> None:
    inbox = Inbox()
    for number in range(100):
        notify({**FAILURE, "error": f"Error{chr(97 + number % 26)}{chr(97 + number // 26)}"}, inbox.deps())
    stored = inbox.objects.get(keys.HEALTH)
    assert stored is not None
    assert len(stored.body) < 4000


@pytest.mark.parametrize(
    "before",
    [
        b'{"schema":1,"error":"StoreError","execution_id":"arn"}',
        b'{"schema":2,"kinds":{"incremental":{"error":"StoreError","execution_id":"arn"},"full":{"error":null,"execution_id":"b"}}}',
    ],
)
def test_a_document_of_a_past_schema_knows_that_a_recovery_is_news(before: bytes) -> None:
    inbox = Inbox()
    inbox.objects.put(keys.HEALTH, before)
    assert [notify(RECOVERY, inbox.deps())["status"] for _ in range(2)] == ["sent", "known"]


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
        ('{"statusReason": "Essential container in task exited"}', "Essential container in task exited"),
        ('{"errorMessage": "", "other": 1}', '{"errorMessage": "", "other": 1}'),
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


def test_words_of_others_call_nobody_in_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def post(url: str, **kwargs: Any) -> requests.Response:
        sent.append((url, kwargs))
        response = requests.Response()
        response.status_code = 200
        return response

    monkeypatch.setattr(requests, "post", post)
    cause = '{"errorMessage": "<!channel> <https://evil.example|renew the secret> &\\u001b]52;c;Y2F0\\u0007"}'
    assert notify({**FAILURE, "cause": cause}, Inbox().deps(webhook_url=lambda: "https://hooks"))["status"] == "sent"
    ((_, kwargs),) = sent
    assert "&lt;!channel&gt; &lt;https://evil.example|renew the secret&gt; &amp;" in kwargs["json"]["text"]
    assert "<" not in kwargs["json"]["text"]
    assert "\x1b" not in kwargs["json"]["text"]
    assert kwargs["allow_redirects"] is False
    assert kwargs["timeout"] == 5.0


def test_a_webhook_that_leads_elsewhere_was_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = requests.Response()
    moved.status_code = 302
    monkeypatch.setattr(requests, "post", lambda *_, **__: moved)
    outcome = notify(FAILURE, Inbox().deps(webhook_url=lambda: "https://hooks", publish=None))
    assert outcome["status"] == "failed"


def test_a_claim_that_cannot_be_given_back_is_a_problem_and_the_message_goes_out() -> None:
    class Broken(MemoryClaims):
        def release(self, *, owner: str) -> bool:
            raise StoreError(f"claim of {owner}")

    inbox, problem = Inbox(), "StoreError: claim of arn:execution:1"
    assert notify(FAILURE, inbox.deps(claims=Broken())) == {"status": "sent", "problems": [problem]}
    assert notify(FAILURE, inbox.deps(claims=Broken())) == {"status": "known", "problems": [problem]}


def test_a_memory_that_fails_makes_a_message_rather_twice_than_never() -> None:
    class Broken(MemoryObjects):
        def get(self, key: str) -> Any:
            raise StoreError("down")

    inbox = Inbox()
    for _ in range(2):
        assert notify(FAILURE, inbox.deps(objects=Broken())) == {"status": "sent", "problems": ["StoreError: down"] * 2}
    assert len(inbox.messages) == 2


def test_where_nobody_is_to_be_told_a_failure_counts_as_told() -> None:
    inbox = Inbox()
    nobody: dict[str, Any] = {"publish": None}
    assert notify(FAILURE, inbox.deps(**nobody)) == {"status": "sent", "problems": []}
    assert notify(FAILURE, inbox.deps()) == {"status": "known", "problems": []}


def test_a_message_of_a_run_without_a_name_and_of_a_long_error() -> None:
    inbox = Inbox()
    notify({**FAILURE, "run": None, "error": "E" * 200}, inbox.deps())
    ((subject, text),) = inbox.messages
    assert subject == f"SpotLake Azure: no run failed ({'E' * 200})"[:100]
    assert text == "State: Merge\nReason: cannot write s3://b/k\nExecution: https://console/arn:execution:1"
    notify({**RECOVERY, "run": {}}, inbox.deps())
    assert inbox.messages[1] == ("SpotLake Azure: no run is well again", "https://console/arn:execution:3")
    assert len(one_line_cause("x" * 301)) == 300


@pytest.mark.parametrize(("status", "outcome"), [(200, "sent"), (299, "sent"), (300, "failed"), (500, "failed")])
def test_slack_took_a_message_if_it_says_so(monkeypatch: pytest.MonkeyPatch, status: int, outcome: str) -> None:
    answer = requests.Response()
    answer.status_code = status
    monkeypatch.setattr(requests, "post", lambda *_, **__: answer)
    found = notify(FAILURE, Inbox().deps(webhook_url=lambda: "https://hooks", publish=None))
    problems = [] if outcome == "sent" else [f"SpotlakeError: Slack: HTTP {status}"]
    assert found == {"status": outcome, "problems": problems}
