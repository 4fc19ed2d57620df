"""A sign-in or an ARM that fails costs a few seconds and no price; a rotated secret counts at the next run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from spotlake import azure_access
from spotlake.azure.http import HttpClient
from spotlake.azure.tokens import TokenSource
from spotlake.azure_access import AzureAccess
from spotlake.clock import Deadline
from spotlake.errors import AzureUnavailableError, ConfigurationError, DeadlineError, SignInError, SpotlakeError
from spotlake.models import Mode, Run
from spotlake.scores.geography import Locations
from spotlake.settings import Settings
from spotlake.state.locations import LOCATIONS
from spotlake.stores.objects import MemoryObjects

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
GUID, SUB_A, SUB_B = (f"00000000-0000-4000-8000-00000000000{end}" for end in "0ab")
YESTERDAYS = Locations(fetched_at=NOW_AT - timedelta(days=2), routing=("eastus",), zones={})


class AuthTable:
    """A session whose only client is a table with one item, and which counts what it is asked."""

    def __init__(self) -> None:
        self.secret, self.subscriptions, self.code, self.asked = "old", SUB_A, "", 0

    def client(self, *_: Any, **__: Any) -> AuthTable:
        return self

    def get_item(self, **_: Any) -> dict[str, Any]:
        self.asked += 1
        if self.code:
            raise ClientError({"Error": {"Code": self.code}}, "GetItem")
        fields = {
            "tenant_id": GUID, "client_id": GUID, "client_secret": self.secret, "subscriptions": self.subscriptions
        }  # fmt: skip
        return {"Item": {"data": {"M": {name: {"S": value} for name, value in fields.items()}}}}


def run(attempt: int) -> Run:
    return Run(run_id="20261123T1000Z", attempt=attempt, mode=Mode.INCREMENTAL, desired_counts=(1,),
               started_at=NOW_AT, owner="arn")  # fmt: skip


def access(table: AuthTable) -> AzureAccess:
    session: Any = table
    return AzureAccess(session, Settings())


def test_a_rotated_secret_and_a_changed_list_count_at_the_next_run() -> None:
    table = AuthTable()
    azure = access(table)
    before = azure.tokens(run(1))
    assert azure.tokens(run(1)) is before
    assert table.asked == 1
    assert azure.tokens(run(2)) is before  # nothing changed: the token is kept
    table.secret, table.subscriptions = "new", f"{SUB_A},{SUB_B}"
    assert azure.credentials(run(2)).client_secret == "old"
    assert azure.credentials(run(3)).subscriptions == (SUB_A, SUB_B)
    assert azure.tokens(run(3)) is not before


def test_a_table_that_cannot_be_read_for_a_while_leaves_what_was_read() -> None:
    table = AuthTable()
    azure = access(table)
    azure.credentials(run(1))
    table.code = "ProvisionedThroughputExceededException"
    assert azure.credentials(run(2)).client_secret == "old"
    assert azure.kept_note.endswith(
        "ProvisionedThroughputExceededException; the credentials of an earlier run are used"
    )
    with pytest.raises(ConfigurationError, match="ProvisionedThroughput"):
        access(table).credentials(run(2))
    table.code = ""
    azure.credentials(run(3))
    assert azure.kept_note == ""


@pytest.mark.parametrize(
    "error",
    [DeadlineError("locations: request: -0.0 s left"), SignInError("AADSTS7000222"),
     AzureUnavailableError("locations", "500")],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
def test_a_refresh_that_fails_uses_yesterdays_locations(monkeypatch: pytest.MonkeyPatch, error: SpotlakeError) -> None:
    left: list[float] = []

    def fetch(client: HttpClient, *_: Any, **__: Any) -> Locations:
        left.append(client.deadline.seconds_left())
        raise error

    monkeypatch.setattr(azure_access, "fetch_locations", fetch)
    monkeypatch.setattr(TokenSource, "headers", lambda _: {})
    objects, notes = MemoryObjects(), list[str]()
    azure = access(AuthTable())
    with pytest.raises(type(error)):
        azure.locations(run(1), objects, NOW_AT, Deadline.after(110), notes.append)
    LOCATIONS.write(objects, YESTERDAYS)
    assert azure.locations(run(1), objects, NOW_AT, Deadline.after(110), notes.append) == YESTERDAYS
    assert left[0] > 100
    assert left[1] < 10
    assert "locations of 2026-11-21T10:00:00Z are used" in notes[0]


def test_the_end_of_the_secret_is_known_to_the_plan_and_said_when_it_is_near() -> None:
    session: Any = AuthTable()
    azure = AzureAccess(session, Settings(secret_expires_at="2026-12-20", secret_expiry_alarm_days=30))
    assert azure.days_left(NOW_AT) is None  # nothing was read
    azure.credentials(run(1))
    assert azure.days_left(NOW_AT) == 26
    assert azure.notes(NOW_AT) == ["the sign-in to Azure ends in 26 days (secret)"]
    assert azure.notes(NOW_AT - timedelta(days=10)) == []
    assert azure.notes(NOW_AT + timedelta(days=27)) == ["the sign-in to Azure has ended (secret)"]


def test_a_refusal_is_final_for_its_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    azure = access(AuthTable())
    before = azure.tokens(run(1))
    monkeypatch.setattr(TokenSource, "is_refused", True)
    assert azure.tokens(run(1)) is before
    assert azure.tokens(run(2)) is not before  # it may have been mended in Azure
