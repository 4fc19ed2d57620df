"""Claims: one execution at a time holds a lane, and each claim has its own number.

The number (the fence) names the attempt that is made under the claim. The fence is unique in a deployment and only
grows, even if the control table was lost meanwhile, because it is at least the clock's milliseconds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from spotlake.errors import RunInProgressError, StoreError
from spotlake.stores.aws_errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

COLLECTION = "collection"  # a run of everything, one at a time
FULL_RUN = "full_run"  # the Batch job; it never delays a collection
_KEY = "claim"
_COUNTER = "fence"
_KEPT = timedelta(days=30)
_ROUNDS = 16


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The holder of a lane: the execution's ARN ("" for nobody), its run, the end of the lease, and the fence."""

    owner: str
    run_id: str
    lease_until_epoch: int
    fence: int


def own_lane(owner: str) -> str:
    """The lane of an execution that collects a part named by hand. Such a lane keeps no other execution out.

    >>> own_lane("arn:execution")
    'part#arn:execution'
    """
    return f"part#{owner}"


class Claims(ABC):
    """The claims of a deployment: the rules, over a store that each twin implements."""

    def acquire(
        self,
        lane: str,
        *,
        owner: str,
        run_id: str,
        now_at: datetime,
        lease: timedelta,
        is_running: Callable[[str], bool],
    ) -> int:
        """Take a lane, and return the fence of the claim.

        A lane is free when nobody holds it, when its lease is over, or when its owner no longer runs (because a person
        stopped it, for example). The same owner gets the same fence again, so a repeated Plan is harmless.

        Args:
            lane: ``COLLECTION``, ``FULL_RUN`` or an ``own_lane``.
            owner: The execution's ARN.
            run_id: The run that the owner collects, for the message to executions that are turned away.
            now_at: Present time of the wall clock.
            lease: How long the claim lasts at most; longer than any execution.
            is_running: Whether an execution (ARN) still runs.

        Raises:
            RunInProgressError: Another execution holds the lane; the text names its run.
            StoreError: The control table cannot be read or written.
        """
        now = int(now_at.timestamp())
        held = self._read(lane)
        if held and held.owner == owner:
            return held.fence
        if held and held.owner and held.lease_until_epoch > now and is_running(held.owner):
            raise RunInProgressError(f"run {held.run_id} is being collected by {held.owner}")
        fence = self._next_fence(int(now_at.timestamp() * 1000))
        until = now + int(lease.total_seconds())
        claim = Claim(owner=owner, run_id=run_id, lease_until_epoch=until, fence=fence)
        if self._write(lane, claim, expected=held):
            return fence
        # The first write may have succeeded although its answer was lost. Then the repeated write met our own claim.
        after = self._read(lane)
        if after is not None and after.owner == owner:
            return after.fence
        raise RunInProgressError("another execution claimed the collection in this moment")

    def holder(self, lane: str, *, now_at: datetime, is_running: Callable[[str], bool]) -> str | None:
        """The ARN of the execution that holds a lane now, or None."""
        held = self._read(lane)
        if held is None or not held.owner or held.lease_until_epoch <= int(now_at.timestamp()):
            return None
        return held.owner if is_running(held.owner) else None

    def is_held_by(self, lane: str, owner: str) -> bool:
        """Whether an execution took a lane and has not given it back: it is planning again."""
        held = self._read(lane)
        return held is not None and held.owner == owner

    def release(self, *, owner: str) -> bool:
        """Give back the lane of an execution. Returns False, and changes nothing, when the execution holds no lane."""
        released = False
        for lane in (COLLECTION, FULL_RUN):
            held = self._read(lane)
            if held is not None and held.owner == owner:
                released |= self._write(lane, replace(held, owner="", lease_until_epoch=0), expected=held)
        return released

    @abstractmethod
    def _read(self, lane: str) -> Claim | None: ...

    @abstractmethod
    def _write(self, lane: str, claim: Claim, *, expected: Claim | None) -> bool:
        """Write the claim if the lane has not changed since it was read."""

    @abstractmethod
    def _next_fence(self, floor: int) -> int:
        """Return a number above every earlier one, and at least ``floor``."""


class DynamoDbClaims(Claims):
    """Claims in the control table: ``Key`` "claim", ``Sort`` the lane; the counter's ``Sort`` is "fence"."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Bind a DynamoDB client to the control table."""
        self._client = client
        self._table = table

    def _read(self, lane: str) -> Claim | None:
        item = self._item(lane)
        if item is None:
            return None
        return Claim(
            owner=item["Owner"]["S"],
            run_id=item["RunId"]["S"],
            lease_until_epoch=int(item["LeaseUntil"]["N"]),
            fence=int(item["Fence"]["N"]),
        )

    def _write(self, lane: str, claim: Claim, *, expected: Claim | None) -> bool:
        # A free lane is kept as long as a held one; the item's times say when it may be deleted.
        last = max(claim.lease_until_epoch, expected.lease_until_epoch if expected else 0)
        return self._put(
            lane,
            {
                "Owner": {"S": claim.owner},
                "RunId": {"S": claim.run_id},
                "LeaseUntil": {"N": str(claim.lease_until_epoch)},
                "ExpiresAt": {"N": str(last + int(_KEPT.total_seconds()))},
            },
            fence=claim.fence,
            expected=(expected.fence, expected.owner) if expected else None,
        )

    def _next_fence(self, floor: int) -> int:
        for _ in range(_ROUNDS):
            item = self._item(_COUNTER)
            before = int(item["Fence"]["N"]) if item else None
            fence = max(floor, (before or 0) + 1)
            if self._put(
                _COUNTER, {"Owner": {"S": ""}}, fence=fence, expected=None if before is None else (before, "")
            ):
                return fence
        raise StoreError(f"table {self._table}: others took the next claim's number {_ROUNDS} times in a row")

    def _item(self, sort: str) -> Mapping[str, AttributeValueTypeDef] | None:
        try:
            found = self._client.get_item(
                TableName=self._table, Key={"Key": {"S": _KEY}, "Sort": {"S": sort}}, ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreError(f"cannot read the claim in table {self._table}: {code_of(error)}") from error
        return found.get("Item")

    def _put(
        self, sort: str, attributes: dict[str, dict[str, str]], *, fence: int, expected: tuple[int, str] | None
    ) -> bool:
        """Write an item if its fence and owner have not changed since they were read."""
        condition: dict[str, object] = {"ConditionExpression": "attribute_not_exists(Fence)"}
        if expected is not None:
            condition = {
                "ConditionExpression": "Fence = :fence AND #owner = :owner",
                "ExpressionAttributeNames": {"#owner": "Owner"},
                "ExpressionAttributeValues": {":fence": {"N": str(expected[0])}, ":owner": {"S": expected[1]}},
            }
        item = {"Key": {"S": _KEY}, "Sort": {"S": sort}, "Fence": {"N": str(fence)}, **attributes}
        try:
            self._client.put_item(TableName=self._table, Item=item, **condition)  # type: ignore[arg-type]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise StoreError(f"cannot write the claim in table {self._table}: {code_of(error)}") from error
        except BotoCoreError as error:
            raise StoreError(f"cannot write the claim in table {self._table}: {code_of(error)}") from error
        return True


class MemoryClaims(Claims):
    """The twin in memory."""

    def __init__(self) -> None:
        """Start without any claim."""
        self.lanes: dict[str, Claim] = {}
        self._fence = 0

    def _read(self, lane: str) -> Claim | None:
        return self.lanes.get(lane)

    def _write(self, lane: str, claim: Claim, *, expected: Claim | None) -> bool:
        if self.lanes.get(lane) != expected:
            return False
        self.lanes[lane] = claim
        return True

    def _next_fence(self, floor: int) -> int:
        self._fence = max(floor, self._fence + 1)
        return self._fence
