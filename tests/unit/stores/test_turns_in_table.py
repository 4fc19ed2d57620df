"""Turns in the control table: one write each, in DynamoDB's own form, and the far end of the queue."""

from __future__ import annotations

from typing import Any

import pytest

from spotlake.errors import StoreError
from spotlake.stores.turns import DynamoDbTurns, MemoryTurns
from tests.support.errors import says
from tests.support.stubs import Stubbed, unreachable

NOW = 1_700_000_000.5
CONFLICT = "ConditionalCheckFailedException"


def asked(update: str, condition: str, *, api: str = "resource-graph", **values: str) -> dict[str, Any]:
    """One update that answers with the item before it. A clock's farthest turn is 300 s off; items stay for a day."""
    common = {":now": "1700000000.5", ":farthest": "1700000300.5", ":expires": "1700086400"}
    return {
        "TableName": "control",
        "Key": {"Key": {"S": f"turn#{api}"}, "Sort": {"S": api}},
        "UpdateExpression": update,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {"#at": "FreeAt"},
        "ExpressionAttributeValues": {name: {"N": text} for name, text in {**common, **values}.items()},
        "ReturnValues": "ALL_OLD",
    }


def queue(**changes: Any) -> dict[str, Any]:
    spacing = changes.pop("spacing", "0.4")
    update, condition = "SET #at = #at + :spacing, ExpiresAt = :expires", "#at > :now AND #at <= :farthest"
    return asked(update, condition, **{":spacing": spacing}, **changes)


def begin(**changes: Any) -> dict[str, Any]:
    following = changes.pop("following", "1700000000.9")
    condition = "attribute_not_exists(#at) OR #at <= :now OR #at > :farthest"
    return asked("SET #at = :next, ExpiresAt = :expires", condition, **{":next": following}, **changes)


def test_who_queues_waits_for_the_turn_that_was_free_before() -> None:
    old = {"Attributes": {"FreeAt": {"N": "1700000001.75"}}}
    with Stubbed("dynamodb").answers("update_item", queue(), old) as table:
        assert DynamoDbTurns(table.client, "control").take(NOW) == 1.25


@pytest.mark.parametrize(
    "before", [{}, {"Attributes": {}}, {"Attributes": {"FreeAt": {"N": "1600000000.25"}}}], ids=["new", "bare", "old"]
)
def test_who_meets_nobody_goes_at_once(before: dict[str, Any]) -> None:
    table = Stubbed("dynamodb").refuses("update_item", queue(), CONFLICT).answers("update_item", begin(), before)
    with table:
        assert DynamoDbTurns(table.client, "control").take(NOW) == 0.0


def test_each_api_has_a_queue_and_a_spacing_of_its_own() -> None:
    table = Stubbed("dynamodb").refuses("update_item", queue(api="other", spacing="2.0"), CONFLICT)
    with table.answers("update_item", begin(api="other", following="1700000002.5"), {}):
        assert DynamoDbTurns(table.client, "control", "other", spacing_seconds=2.0).take(NOW) == 0.0


def test_who_is_overtaken_twenty_times_gives_up() -> None:
    def crowd(rounds: int) -> Stubbed:
        table = Stubbed("dynamodb")
        for _ in range(rounds):
            table.refuses("update_item", queue(), CONFLICT).refuses("update_item", begin(), CONFLICT)
        return table

    old = {"Attributes": {"FreeAt": {"N": "1700000001.5"}}}
    with crowd(19).answers("update_item", queue(), old) as table:
        assert DynamoDbTurns(table.client, "control").take(NOW) == 1.0
    with crowd(20) as table, says(StoreError, "table control: no turn after 20 rounds"):
        DynamoDbTurns(table.client, "control").take(NOW)


@pytest.mark.parametrize("code", ["ThrottlingException", "ResourceNotFoundException", "ValidationException"])
def test_a_table_that_refuses_gives_no_turn(code: str) -> None:
    said = f"cannot take a turn in table control: {code}"
    with Stubbed("dynamodb").refuses("update_item", queue(), code) as table, says(StoreError, said):
        DynamoDbTurns(table.client, "control").take(NOW)


def test_a_table_out_of_reach_gives_no_turn() -> None:
    with (
        unreachable("dynamodb") as client,
        says(StoreError, "cannot take a turn in table control: EndpointConnectionError"),
    ):
        DynamoDbTurns(client, "control").take(NOW)


@pytest.mark.parametrize(
    ("free_at", "waits", "next_free_at"),
    [
        (999.0, 0.0, 1_000.5),
        (1_000.0, 0.0, 1_000.5),  # free in this moment
        (1_000.25, 0.25, 1_000.75),
        (1_300.0, 300.0, 1_300.5),  # the farthest
        (1_300.25, 0.0, 1_000.5),  # a wrong clock wrote it
    ],
)
def test_the_twin_holds_a_turn_to_the_same_limits(free_at: float, waits: float, next_free_at: float) -> None:
    turns = MemoryTurns(spacing_seconds=0.5)
    turns._free_at = free_at
    assert (turns.take(1_000.0), turns._free_at) == (waits, next_free_at)
    assert MemoryTurns(spacing_seconds=0.5).take(0.0) == 0.0


def test_the_twin_is_touched_under_its_lock_alone() -> None:
    class Watched(MemoryTurns):
        def __getattribute__(self, name: str) -> Any:
            if name == "_free_at":
                assert self._lock.locked()
            return super().__getattribute__(name)

    assert Watched().take(1_000.0) == 0.0
