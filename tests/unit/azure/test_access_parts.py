"""What the access to Azure hands to each of its parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from spotlake import azure_access, keys
from spotlake.azure.http import HttpClient
from spotlake.azure_access import AzureAccess
from spotlake.clock import Deadline
from spotlake.errors import AzureUnavailableError, ConfigurationError, StoreError
from spotlake.scores.geography import Locations
from spotlake.scores.zones import subscription_digest
from spotlake.settings import Settings
from spotlake.state.locations import LOCATIONS
from spotlake.stores.aws_clients import BOTO
from spotlake.stores.objects import MemoryObjects
from tests.support.errors import says
from tests.unit.azure.test_access import NOW_AT, SUB_A, SUB_B, AuthTable, access, run

FRESH = Locations(fetched_at=NOW_AT, routing=("eastus",), zones={subscription_digest(SUB_A): {}})


class Signing:
    """Stands for the token source, and keeps what it was made with."""

    is_refused = False

    def __init__(self, credentials: Any, **options: Any) -> None:
        self.credentials, self.options = credentials, options


class Asked(list[tuple[tuple[Any, ...], dict[str, Any]]]):
    """The calls of ``fetch_locations``."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    calls = Asked()

    def fetch(*given: Any, **named: Any) -> Locations:
        calls.append((given, named))
        return FRESH

    monkeypatch.setattr(azure_access, "fetch_locations", fetch)
    monkeypatch.setattr(azure_access, "TokenSource", Signing)
    return calls


def azure_of(**settings: Any) -> tuple[AzureAccess, AuthTable]:
    table = AuthTable()
    session: Any = table
    return AzureAccess(session, Settings(**settings)), table


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, {"authority_url": None, "ca_file": None}),
        ({"azure_authority_url": "https://127.0.0.1:7", "azure_ca_file": "/ca.pem"},
         {"authority_url": "https://127.0.0.1:7", "ca_file": "/ca.pem"}),
    ],
)  # fmt: skip
def test_the_token_source_gets_credentials_endpoint_and_assertion(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], options: dict[str, Any]
) -> None:
    signed: list[tuple[Any, ...]] = []
    monkeypatch.setattr(azure_access, "TokenSource", Signing)

    def sign(*given: Any) -> str:
        signed.append(given)
        return "statement"

    monkeypatch.setattr(azure_access, "signed_assertion", sign)
    azure, table = azure_of(**settings)
    source: Any = azure.tokens(run(1))
    assertion = source.options.pop("assertion")
    assert (source.credentials, source.options) == (azure.credentials(run(1)), options)
    assert (assertion(), signed) == ("statement", [(table, Settings(**settings), BOTO)])


def test_credentials_are_read_through_the_session_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[Any, ...]] = []

    def read(*what: Any) -> Any:
        given.append(what)
        raise ConfigurationError("no")

    monkeypatch.setattr(azure_access, "read_credentials", read)
    azure, table = azure_of(auth_item="mine")
    with pytest.raises(ConfigurationError):
        azure.credentials(run(1))
    assert given == [(table, Settings(auth_item="mine"), BOTO)]


def test_locations_are_asked_with_everything_that_they_need(asked: Asked) -> None:
    objects, notes = MemoryObjects(), list[str]()
    azure, table = azure_of(azure_management_url="https://127.0.0.1:7")
    table.subscriptions = f"{SUB_A},{SUB_B}"
    found = azure.locations(run(1), objects, NOW_AT, Deadline.after(110), notes.append)
    assert (found, LOCATIONS.read(objects), notes) == (FRESH, FRESH, [])
    (((client, url), named),) = asked
    assert isinstance(client, HttpClient)
    assert (client.api, client.policy.most_bytes, client.policy.attempts) == ("locations", 2 * 1024 * 1024, 4)
    adapter: Any = client.session.get_adapter("https://a.example")
    assert adapter.poolmanager.connection_pool_kw["maxsize"] == 8
    assert url == "https://127.0.0.1:7"
    assert named == {
        "tokens": azure.tokens(run(1)), "subscriptions": (SUB_A, SUB_B), "now_at": NOW_AT, "previous": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("age", "subscriptions", "is_asked"),
    [
        (timedelta(hours=23), SUB_A, False),
        (timedelta(hours=24), SUB_A, True),
        (timedelta(hours=1), f"{SUB_A},{SUB_B}", True),
    ],
    ids=["of today", "a day old", "another subscription"],
)
def test_known_locations_are_asked_again_when_they_are_a_day_old_or_lack_a_subscription(
    asked: Asked, age: timedelta, subscriptions: str, *, is_asked: bool
) -> None:
    objects = MemoryObjects()
    LOCATIONS.write(objects, FRESH)
    azure, table = azure_of()
    table.subscriptions = subscriptions
    azure.locations(run(1), objects, NOW_AT + age, Deadline.after(110), print)
    assert [named["previous"] for _, named in asked] == ([FRESH] if is_asked else [])


@pytest.mark.parametrize(("left", "least", "most"), [(110.0, 7.0, 8.0), (3.0, 2.0, 3.0)])
def test_a_refresh_gets_eight_seconds_or_what_is_left(asked: Asked, left: float, least: float, most: float) -> None:
    objects = MemoryObjects()
    LOCATIONS.write(objects, FRESH)
    azure, _ = azure_of()
    azure.locations(run(1), objects, NOW_AT + timedelta(days=2), Deadline(lambda: left), print)
    (client, _), _ = asked[0]
    assert least < client.deadline.seconds_left() <= most


class Unwritable(MemoryObjects):
    def put(self, key: str, body: bytes, **options: Any) -> str:
        raise StoreError(f"{key}: SlowDown")


@pytest.mark.usefixtures("asked")
def test_locations_that_cannot_be_kept_are_used_and_noted() -> None:
    notes: list[str] = []
    azure, _ = azure_of()
    assert azure.locations(run(1), Unwritable(), NOW_AT, Deadline.after(110), notes.append) == FRESH
    assert notes == [f"{keys.LOCATIONS}: SlowDown; not kept"]


@pytest.mark.usefixtures("asked")
def test_damaged_locations_are_asked_anew_and_noted() -> None:
    objects, notes = MemoryObjects(), list[str]()
    objects.put(keys.LOCATIONS, b"damaged")
    azure, _ = azure_of()
    assert azure.locations(run(1), objects, NOW_AT, Deadline.after(110), notes.append) == FRESH
    assert [note.startswith(keys.LOCATIONS) and note.endswith("; started empty") for note in notes] == [True]


def test_a_refresh_that_fails_says_the_whole_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: Any, **__: Any) -> Locations:
        raise AzureUnavailableError("locations", "HTTP 500")

    monkeypatch.setattr(azure_access, "fetch_locations", fetch)
    objects, notes = MemoryObjects(), list[str]()
    LOCATIONS.write(objects, FRESH)
    azure = access(AuthTable())
    later = NOW_AT + timedelta(days=2)
    assert azure.locations(run(1), objects, later, Deadline.after(110), notes.append) == FRESH
    assert notes == ["locations of 2026-11-23T10:00:00Z are used: locations: HTTP 500"]
    assert LOCATIONS.read(objects) == FRESH


def test_nothing_is_noted_before_anything_was_read() -> None:
    azure = access(AuthTable())
    assert (azure.kept_note, azure.notes(NOW_AT), azure.days_left(NOW_AT)) == ("", [], None)


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (30, []),
        (29, ["the sign-in to Azure ends in 29 days (secret)"]),
        (0, ["the sign-in to Azure ends in 0 days (secret)"]),
        (-1, ["the sign-in to Azure has ended (secret)"]),
    ],
)
def test_the_end_of_the_sign_in_is_said_in_its_last_days(days: int, told: list[str]) -> None:
    azure, _ = azure_of(secret_expires_at="2027-01-01", secret_expiry_alarm_days=30)
    azure.credentials(run(1))
    end_at = NOW_AT.replace(year=2027, month=1, day=1, hour=0)
    assert azure.notes(end_at - timedelta(days=days)) == told


def test_old_credentials_are_noted_before_their_end() -> None:
    azure, table = azure_of(secret_expires_at="2026-12-01")
    azure.credentials(run(1))
    table.code = "Throttled"
    azure.credentials(run(2))
    said = "cannot read item 'login_auth_az_true' of table 'AzureAuth' (region us-east-1): Throttled"
    assert azure.notes(NOW_AT) == [
        f"{said}; the credentials of an earlier run are used", "the sign-in to Azure ends in 7 days (secret)"
    ]  # fmt: skip
    with says(ConfigurationError, said):
        access(table).credentials(run(2))


def test_credentials_of_an_earlier_run_count_for_the_whole_run() -> None:
    azure, table = azure_of()
    source = azure.tokens(run(1))
    table.code = "Throttled"
    assert azure.tokens(run(2)) is source
    asked = table.asked
    azure.credentials(run(2))
    assert table.asked == asked
