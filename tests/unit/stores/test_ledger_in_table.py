"""The quota ledger in the control table: its requests, lost rounds, and failures that stop the calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake.errors import StoreError
from spotlake.scores.quota import LocationUse, QuotaRules, RouteUse
from spotlake.stores.ledger import DynamoDbLedger, MemoryLedger, Reservation
from tests.support.errors import says
from tests.support.stubs import Stubbed, unreachable

NOW_AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
NOW = 1_765_792_800  # date -u -d 2025-12-15T10:00:00Z +%s
RULES = QuotaRules.of(quota_calls=10, window_minutes=62)
CONFLICT = "ConditionalCheckFailedException"
LATER_AT, LATER = NOW_AT + timedelta(seconds=90), NOW + 90


def query(location: str, **start: Any) -> dict[str, Any]:
    return {
        "TableName": "control",
        "KeyConditionExpression": "#key = :key",
        "ExpressionAttributeNames": {"#key": "Key"},
        "ExpressionAttributeValues": {":key": {"S": f"quota#{location}"}},
        "ConsistentRead": True,
        **start,
    }


A, B = "20d780cd", "1b23d164"  # printf sub-a | sha256sum | cut -c 1-8


def older(subscription: str, *entries: tuple[int, int], rest_until: int = 0) -> dict[str, Any]:
    """An item of a route, as versions before 2026-11-26 wrote it."""
    used = [{"M": {"At": {"N": str(at)}, "Calls": {"N": str(calls)}}} for at, calls in entries]
    return {
        "Key": {"S": "quota#eastus"}, "Sort": {"S": subscription}, "Used": {"L": used},
        "RestUntil": {"N": str(rest_until)}, "Version": {"N": "3"}, "ExpiresAt": {"N": "1"},
    }  # fmt: skip


def used(entries: dict[int, dict[str, int]]) -> dict[str, Any]:
    calls = {at: {name: {"N": str(number)} for name, number in one.items()} for at, one in entries.items()}
    return {"M": {str(at): {"M": one} for at, one in calls.items()}}


def rested(rests: dict[str, int]) -> dict[str, Any]:
    return {"M": {name: {"N": str(until)} for name, until in rests.items()}}


def item(entries: dict[int, dict[str, int]], rests: dict[str, int] | None = None, version: int = 1) -> dict[str, Any]:
    return {
        "Key": {"S": "quota#eastus"}, "Sort": {"S": "routes"}, "BySecond": used(entries), "Rests": rested(rests or {}),
        "Version": {"N": str(version)}, "ExpiresAt": {"N": "1"},
    }  # fmt: skip


def update(
    entries: dict[int, dict[str, int]], rests: dict[str, int] | None = None, *, version: int, expires_at: int
) -> dict[str, Any]:
    return {
        "TableName": "control",
        "Key": {"Key": {"S": "quota#eastus"}, "Sort": {"S": "routes"}},
        "UpdateExpression": "SET BySecond = :calls, Rests = :rests, Version = :version, ExpiresAt = :expires, "
        "Used = :none, RestUntil = :never",
        "ConditionExpression": "attribute_not_exists(Version) OR Version = :before",
        "ExpressionAttributeValues": {
            ":calls": used(entries),
            ":rests": rested(rests or {}),
            ":version": {"N": str(version)},
            ":before": {"N": str(version - 1)},
            ":expires": {"N": str(expires_at)},
            ":none": {"L": []},
            ":never": {"N": "0"},
        },
    }


AFTER_WINDOW = NOW + 62 * 60 + 1  # when no call of NOW counts any longer


def reserve(ledger: Any, wanted: int, *subscriptions: str) -> list[tuple[str, int]]:
    found = ledger.reserve("eastus", wanted, now_at=NOW_AT, subscriptions=subscriptions, rules=RULES)
    assert all((one.location, one.reserved_at) == ("eastus", NOW_AT) for one in found)
    return [(one.subscription, one.calls) for one in found]


def test_a_block_of_two_routes_is_one_read_of_all_pages_and_one_write_of_a_version() -> None:
    gone = NOW - 62 * 60
    table = Stubbed("dynamodb").answers(
        "query",
        query("eastus"),
        {
            "Items": [item({gone: {A: 9}, NOW - 60: {A: 7, B: 3}}, {A: NOW - 5}, version=7)],
            "LastEvaluatedKey": {"Key": {"S": "k"}, "Sort": {"S": "s"}},
        },
    )
    table.answers("query", query("eastus", ExclusiveStartKey={"Key": {"S": "k"}, "Sort": {"S": "s"}}), {"Items": []})
    written = update({NOW - 60: {A: 7, B: 3}, NOW: {A: 2, B: 7}}, {A: NOW - 5}, version=8, expires_at=AFTER_WINDOW)
    with table.answers("update_item", written, {}):
        found = reserve(DynamoDbLedger(table.client, "control"), 9, "sub-a", "sub-b")
    assert sorted(found) == [("sub-a", 2), ("sub-b", 7)]


def test_calls_that_stand_in_an_item_of_the_older_form_count_and_stay_there() -> None:
    items = [older("sub-a", (NOW - 60, 8)), item({NOW - 30: {A: 1}}), older("sub-b", rest_until=LATER)]
    table = Stubbed("dynamodb").answers("query", query("eastus"), {"Items": items})
    table.answers("update_item", update({NOW - 30: {A: 1}, NOW: {A: 1}}, version=2, expires_at=AFTER_WINDOW), {})
    with table:
        assert reserve(DynamoDbLedger(table.client, "control"), 9, "sub-a", "sub-b") == [("sub-a", 1)]


def test_an_item_that_is_not_there_is_begun_and_who_is_overtaken_reads_again() -> None:
    table = Stubbed("dynamodb").answers("query", query("eastus"), {"Items": []})
    table.refuses("update_item", update({NOW: {A: 9}}, version=1, expires_at=AFTER_WINDOW), CONFLICT)
    table.answers("query", query("eastus"), {"Items": [item({NOW - 1: {A: 8}})]})
    table.answers("update_item", update({NOW - 1: {A: 8}, NOW: {A: 2}}, version=2, expires_at=AFTER_WINDOW), {})
    with table:
        assert reserve(DynamoDbLedger(table.client, "control"), 9, "sub-a") == [("sub-a", 2)]


def test_unsent_calls_are_given_back_once_and_a_rest_is_only_made_longer() -> None:
    reservation = Reservation(location="eastus", subscription="sub-a", calls=5, reserved_at=NOW_AT)
    table = Stubbed("dynamodb").answers("query", query("eastus"), {"Items": [item({NOW: {A: 5, B: 1}}, version=3)]})
    table.answers("update_item", update({NOW: {A: 3, B: 1}}, version=4, expires_at=AFTER_WINDOW), {})
    table.answers("query", query("eastus"), {"Items": [item({NOW: {B: 5}})]})  # gone: nothing to give back
    with table:
        ledger = DynamoDbLedger(table.client, "control")
        ledger.give_back(reservation, 2, rules=RULES)
        ledger.give_back(reservation, 2, rules=RULES)
    table = Stubbed("dynamodb")
    for until in (LATER, LATER + 1):
        table.answers("query", query("eastus"), {"Items": [item({}, {A: until}, version=3)]})
    table.answers("query", query("eastus"), {"Items": [older("sub-a", rest_until=LATER)]})
    table.answers("query", query("eastus"), {"Items": [item({}, {A: LATER - 1}, version=3)]})
    table.answers("update_item", update({}, {A: LATER}, version=4, expires_at=LATER + 1), {})
    table.answers("query", query("eastus"), {"Items": []})
    table.answers("update_item", update({}, {A: LATER}, version=1, expires_at=LATER + 1), {})
    with table:
        for _ in range(5):
            DynamoDbLedger(table.client, "control").rest("eastus", "sub-a", until_at=LATER_AT, rules=RULES)


class Overtaken(MemoryLedger):
    """Another writer is quicker each time, up to a round."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds, self.reads = rounds, 0
        self.uses = {"eastus": LocationUse(routes={A: RouteUse(entries=((NOW, 5),))}, version=1)}

    def _read(self, location: str) -> LocationUse:
        self.reads += 1
        return super()._read(location)

    def _replace(self, location: str, use: LocationUse, rules: QuotaRules) -> bool:
        self.rounds -= 1
        return self.rounds < 0 and super()._replace(location, use, rules)


@pytest.mark.parametrize(("lost", "wins"), [(0, True), (29, True), (30, False)])
def test_thirty_lost_rounds_are_the_most(lost: int, wins: bool) -> None:
    ledger = Overtaken(lost)
    assert reserve(ledger, 2, "sub-a") == ([("sub-a", 2)] if wins else [])
    assert ledger.reads == min(lost + 1, 30)
    ledger = Overtaken(lost)
    ledger.give_back(Reservation(location="eastus", subscription="sub-a", calls=5, reserved_at=NOW_AT), 5, rules=RULES)
    assert (ledger.reads, ledger.uses["eastus"].routes[A].entries) == (min(lost + 1, 30), () if wins else ((NOW, 5),))
    ledger = Overtaken(lost)
    if wins:
        ledger.rest("eastus", "sub-a", until_at=LATER_AT, rules=RULES)
    else:
        with says(StoreError, "quota of eastus: others wrote to it 30 times in a row"):
            ledger.rest("eastus", "sub-a", until_at=LATER_AT, rules=RULES)
    assert (ledger.reads, ledger.uses["eastus"].routes[A].rest_until) == (min(lost + 1, 30), LATER if wins else 0)


def test_who_gets_less_than_it_wants_or_wants_nothing_asks_no_further() -> None:
    ledger = Overtaken(0)
    assert reserve(ledger, 50, "sub-a") == [("sub-a", 5)]
    assert (ledger.reads, ledger.writes) == (1, 1)
    assert reserve(ledger, 0, "sub-a") == reserve(ledger, 3, "sub-a") == []
    assert (ledger.reads, ledger.writes) == (3, 1)


def test_what_is_free_is_told_by_location_over_the_subscriptions_that_are_named() -> None:
    ledger = MemoryLedger()
    ledger.uses = {
        "eastus": LocationUse(routes={A: RouteUse(entries=((NOW, 4),)), "other": RouteUse(entries=((NOW, 1),))}),
        "westus": LocationUse(routes={B: RouteUse(rest_until=LATER)}),
    }
    found = ledger.free(iter(["westus", "eastus", "new"]), now_at=NOW_AT, subscriptions=("sub-a", "sub-b"), rules=RULES)
    assert found == {"westus": 10, "eastus": 16, "new": 20}


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ResourceNotFoundException", "-"])
def test_a_ledger_that_fails_stops_the_calls(code: str) -> None:
    said = f"the quota of eastus in table control: {code if code != '-' else 'EndpointConnectionError'}"
    if code == "-":
        with unreachable("dynamodb") as client:
            with says(StoreError, f"cannot read {said}"):
                reserve(DynamoDbLedger(client, "control"), 1, "sub-a")
            with says(StoreError, f"cannot write {said}"):
                DynamoDbLedger(client, "control")._replace("eastus", LocationUse(), RULES)
        return
    with Stubbed("dynamodb").refuses("query", query("eastus"), code) as table, says(StoreError, f"cannot read {said}"):
        reserve(DynamoDbLedger(table.client, "control"), 1, "sub-a")
    table = Stubbed("dynamodb").answers("query", query("eastus"), {"Items": []})
    table.refuses("update_item", update({NOW: {A: 1}}, version=1, expires_at=AFTER_WINDOW), code)
    with table, says(StoreError, f"cannot write {said}"):
        reserve(DynamoDbLedger(table.client, "control"), 1, "sub-a")


def test_the_twin_refuses_an_older_version_counts_each_write_and_is_touched_under_its_lock_alone() -> None:
    ledger = MemoryLedger()

    class Watched(dict[str, LocationUse]):
        def get(self, *args: Any) -> Any:
            assert ledger._lock.locked()
            return super().get(*args)

        def __setitem__(self, *args: Any) -> None:
            assert ledger._lock.locked()
            super().__setitem__(*args)

    ledger.uses = Watched()
    first, second = LocationUse(version=1), LocationUse(version=2)
    tried = [ledger._replace("eastus", use, RULES) for use in (second, first, first, second)]
    assert (tried, ledger.writes) == ([False, True, False, True], 4)
    assert (ledger._read("eastus"), ledger._read("westus")) == (second, LocationUse())


def test_a_version_before_2026_11_26_reads_the_item_as_a_route_of_nobody() -> None:
    table = Stubbed("dynamodb").answers("query", query("eastus"), {"Items": []})
    table.answers("update_item", update({NOW: {A: 9}}, version=1, expires_at=AFTER_WINDOW), {})
    with table:
        reserve(DynamoDbLedger(table.client, "control"), 9, "sub-a")
    # How that version read each item of the location (git show 713241c, stores/ledger.py: _use_of).
    values = update({NOW: {A: 9}}, version=1, expires_at=AFTER_WINDOW)["ExpressionAttributeValues"]
    names = {"Used": ":none", "RestUntil": ":never", "Version": ":version"}
    written = {name: values[value] for name, value in names.items()}
    calls = [(int(one["M"]["At"]["N"]), int(one["M"]["Calls"]["N"])) for one in written["Used"]["L"]]
    assert (calls, int(written["RestUntil"]["N"]), int(written["Version"]["N"])) == ([], 0, 1)
