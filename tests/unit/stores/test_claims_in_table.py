"""Claims in the control table: the requests in DynamoDB's own form, the boundary of a lease, and every refusal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake.errors import RunInProgressError, StoreError
from spotlake.stores.claims import COLLECTION, FULL_RUN, Claim, Claims, DynamoDbClaims, MemoryClaims, own_lane
from tests.support.errors import says
from tests.support.stubs import Stubbed, unreachable

NOW_AT = datetime(2025, 12, 15, 10, 0, 0, 123_000, tzinfo=UTC)
NOW = 1_765_792_800  # date -u -d 2025-12-15T10:00:00Z +%s
LEASE = timedelta(minutes=20)
LEASE_ENDS, DELETED = NOW + 1_200, NOW + 1_200 + 30 * 86_400
NEVER = "attribute_not_exists(Fence)"
CONFLICT = "ConditionalCheckFailedException"


def item(sort: str, fence: int, **attributes: dict[str, str]) -> dict[str, Any]:
    return {"Key": {"S": "claim"}, "Sort": {"S": sort}, "Fence": {"N": str(fence)}, **attributes}


def lane_item(lane: str, owner: str, *, fence: int, lease_until: int = LEASE_ENDS, deleted: int = DELETED) -> Any:
    return item(
        lane,
        fence,
        Owner={"S": owner},
        RunId={"S": "20251215T1000Z"},
        LeaseUntil={"N": str(lease_until)},
        ExpiresAt={"N": str(deleted)},
    )


class Table(Stubbed):
    """The control table's script."""

    def __init__(self) -> None:
        super().__init__("dynamodb")
        self.claims = DynamoDbClaims(self.client, "control")

    def has(self, sort: str, found: dict[str, Any] | None) -> Table:
        key = {"Key": {"S": "claim"}, "Sort": {"S": sort}}
        asked = {"TableName": "control", "Key": key, "ConsistentRead": True}
        self.answers("get_item", asked, {} if found is None else {"Item": found})
        return self

    def takes(self, written: dict[str, Any], before: tuple[int, str] | None, *, refused: str = "") -> Table:
        """A write on condition that nothing was there, or that fence and owner are these."""
        asked: dict[str, Any] = {"TableName": "control", "Item": written, "ConditionExpression": NEVER}
        if before is not None:
            asked |= {
                "ConditionExpression": "Fence = :fence AND #owner = :owner",
                "ExpressionAttributeNames": {"#owner": "Owner"},
                "ExpressionAttributeValues": {":fence": {"N": str(before[0])}, ":owner": {"S": before[1]}},
            }
        if refused:
            self.refuses("put_item", asked, refused)
        else:
            self.answers("put_item", asked, {})
        return self


def take(claims: Claims, owner: str, *, is_running: Callable[[str], bool] = lambda _: True) -> int:
    return claims.acquire(
        COLLECTION, owner=owner, run_id="20251215T1000Z", now_at=NOW_AT, lease=LEASE, is_running=is_running
    )


def counter(fence: int) -> dict[str, Any]:
    return item("fence", fence, Owner={"S": ""})


FENCE = NOW * 1000 + 123  # the clock's milliseconds


def test_the_first_claim_of_all() -> None:
    table = Table().has(COLLECTION, None).has("fence", None).takes(counter(FENCE), None)
    table.takes(lane_item(COLLECTION, "arn:1", fence=FENCE), None)
    with table:
        assert take(table.claims, "arn:1") == FENCE


def test_the_next_number_is_above_the_last_though_the_clock_was_put_back() -> None:
    free = lane_item(COLLECTION, "", fence=7, lease_until=0)
    table = Table().has(COLLECTION, free).has("fence", counter(FENCE + 5)).takes(counter(FENCE + 6), (FENCE + 5, ""))
    table.takes(lane_item(COLLECTION, "arn:1", fence=FENCE + 6), (7, ""))
    with table:
        assert take(table.claims, "arn:1") == FENCE + 6


def test_a_lost_round_for_the_number_reads_again_and_the_sixteenth_is_the_last() -> None:
    def lost(rounds: int) -> Table:
        table = Table().has(COLLECTION, None)
        for number in range(rounds):
            table.has("fence", counter(FENCE + number))
            table.takes(counter(FENCE + number + 1), (FENCE + number, ""), refused=CONFLICT)
        return table

    table = lost(15).has("fence", counter(FENCE + 15)).takes(counter(FENCE + 16), (FENCE + 15, ""))
    with table.takes(lane_item(COLLECTION, "arn:1", fence=FENCE + 16), None):
        assert take(table.claims, "arn:1") == FENCE + 16
    said = "table control: others took the next claim's number 16 times in a row"
    with lost(16) as table, says(StoreError, said):
        take(table.claims, "arn:1")


@pytest.mark.parametrize(
    ("lease_until", "runs"), [(NOW, True), (NOW + 1, False), (NOW - 1, True)], ids=["ends now", "has died", "is over"]
)
def test_a_lane_is_free_when_its_lease_is_over_or_its_owner_has_died(lease_until: int, runs: bool) -> None:
    held = lane_item(COLLECTION, "arn:0", fence=7, lease_until=lease_until)
    table = Table().has(COLLECTION, held).has("fence", counter(7)).takes(counter(FENCE), (7, ""))
    table.takes(lane_item(COLLECTION, "arn:1", fence=FENCE), (7, "arn:0"))
    with table:
        assert take(table.claims, "arn:1", is_running=lambda _: runs) == FENCE


def test_a_lane_that_is_held_turns_others_away_and_is_its_owners_again() -> None:
    held = lane_item(COLLECTION, "arn:0", fence=7, lease_until=NOW + 1)
    asked: list[str] = []

    def is_running(arn: str) -> bool:
        asked.append(arn)
        return True

    said = "run 20251215T1000Z is being collected by arn:0"
    with Table().has(COLLECTION, held).has(COLLECTION, held) as table, says(RunInProgressError, said):
        assert take(table.claims, "arn:0") == 7
        take(table.claims, "arn:1", is_running=is_running)
    assert asked == ["arn:0"]


@pytest.mark.parametrize("winner", ["arn:1", "arn:2", None])
def test_a_write_that_came_second_is_ours_only_if_the_table_says_so(winner: str | None) -> None:
    table = Table().has(COLLECTION, None).has("fence", None).takes(counter(FENCE), None)
    table.takes(lane_item(COLLECTION, "arn:1", fence=FENCE), None, refused=CONFLICT)
    table.has(COLLECTION, None if winner is None else lane_item(COLLECTION, winner, fence=FENCE))
    with table:
        if winner == "arn:1":
            assert take(table.claims, "arn:1") == FENCE
        else:
            with says(RunInProgressError, "another execution claimed the collection in this moment"):
                take(table.claims, "arn:1")


@pytest.mark.parametrize(("lane", "other"), [(COLLECTION, FULL_RUN), (FULL_RUN, COLLECTION)])
@pytest.mark.parametrize("refused", ["", CONFLICT])
def test_a_lane_is_given_back_and_its_item_is_kept_as_long_as_it_would_have_been(
    lane: str, other: str, refused: str
) -> None:
    mine, theirs = lane_item(lane, "arn:1", fence=7), lane_item(other, "arn:2", fence=8)
    table, free = Table(), lane_item(lane, "", fence=7, lease_until=0)
    for name in (COLLECTION, FULL_RUN):
        table.has(name, mine if name == lane else theirs)
        if name == lane:
            table.takes(free, (7, "arn:1"), refused=refused)
    with table:
        assert table.claims.release(owner="arn:1") is (not refused)


def test_both_lanes_are_given_back_and_none_is_no_error() -> None:
    table = Table().has(COLLECTION, None).has(FULL_RUN, lane_item(FULL_RUN, "", fence=8))
    with table:
        assert table.claims.release(owner="arn:1") is False
    memory = MemoryClaims()
    memory.lanes = {lane: Claim(owner="a", run_id="r", lease_until_epoch=9, fence=1) for lane in (COLLECTION, FULL_RUN)}
    assert memory.release(owner="a") is True
    free = Claim(owner="", run_id="r", lease_until_epoch=0, fence=1)
    assert memory.lanes == {COLLECTION: free, FULL_RUN: free}


@pytest.mark.parametrize(
    ("held", "holder", "is_held"),
    [
        (None, None, False),
        (("", NOW + 9), None, False),
        (("arn:1", NOW), None, True),  # a lease that ends now is over
        (("arn:1", NOW + 1), "arn:1", True),
        (("dead", NOW + 1), None, False),
        (("", NOW + 1), None, False),
        (("arn:2", NOW + 1), "arn:2", False),
    ],
)
def test_who_holds_a_lane(held: tuple[str, int] | None, holder: str | None, is_held: bool) -> None:
    claims = MemoryClaims()
    if held:
        claims.lanes[FULL_RUN] = Claim(owner=held[0], run_id="r", lease_until_epoch=held[1], fence=1)
    assert claims.holder(FULL_RUN, now_at=NOW_AT, is_running=lambda arn: arn != "dead") == holder
    assert claims.holder(COLLECTION, now_at=NOW_AT, is_running=lambda _: True) is None
    assert claims.is_held_by(FULL_RUN, "arn:1") is is_held


def test_nobody_is_never_asked_about() -> None:
    claims = MemoryClaims()
    claims.lanes[COLLECTION] = Claim(owner="", run_id="r", lease_until_epoch=NOW + 9, fence=1)

    def nobody(arn: str) -> bool:
        raise AssertionError(f"asked about {arn!r}")

    assert claims.holder(COLLECTION, now_at=NOW_AT, is_running=nobody) is None
    assert take(claims, "arn:1", is_running=nobody) == FENCE
    assert own_lane("arn:1") == "part#arn:1"


def test_an_item_is_read_by_its_names() -> None:
    with Table().has("lane", lane_item("lane", "arn:1", fence=7)) as table:
        found = table.claims._read("lane")
    assert found == Claim(owner="arn:1", run_id="20251215T1000Z", lease_until_epoch=LEASE_ENDS, fence=7)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "-"])
def test_a_table_that_fails_is_no_free_lane(code: str) -> None:
    read, write = "cannot read the claim in table control: ", "cannot write the claim in table control: "
    if code == "-":
        with unreachable("dynamodb") as client:
            with says(StoreError, f"{read}EndpointConnectionError"):
                take(DynamoDbClaims(client, "control"), "arn:1")
            with says(StoreError, f"{write}EndpointConnectionError"):
                DynamoDbClaims(client, "control")._put("fence", {}, fence=1, expected=None)
        return
    key = {"Key": {"S": "claim"}, "Sort": {"S": COLLECTION}}
    asked = {"TableName": "control", "Key": key, "ConsistentRead": True}
    table = Table()
    with table.refuses("get_item", asked, code), says(StoreError, read + code):
        take(table.claims, "arn:1")
    table = Table().has(COLLECTION, None).has("fence", None).takes(counter(FENCE), None, refused=code)
    with table, says(StoreError, write + code):
        take(table.claims, "arn:1")


def test_the_twin_counts_as_the_table_does() -> None:
    claims = MemoryClaims()
    assert [claims._next_fence(floor) for floor in (5, 5, 3, 9)] == [5, 6, 7, 9]
    one = Claim(owner="a", run_id="r", lease_until_epoch=1, fence=1)
    assert claims._write("lane", one, expected=None)
    assert not claims._write("lane", one, expected=None)
    assert claims._read("lane") == one
