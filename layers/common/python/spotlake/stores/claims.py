"""The claim: one collection at a time, held by an execution for a lease, numbered by a growing fence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from spotlake.errors import RunInProgressError, StoreError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_KEY = {"Key": {"S": "claim"}, "Sort": {"S": "collection"}}
_KEPT = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who collects now: the owner's execution ARN, its run, until when, and the fence."""

    owner: str
    run_id: str
    lease_until: int
    fence: int


class Claims(Protocol):
    """The one claim of a deployment."""

    def acquire(
        self, *, owner: str, run_id: str, now_at: datetime, lease: timedelta, is_running: Callable[[str], bool]
    ) -> int:
        """Take the claim and return its fence.

        Free to take when nobody holds it, its lease is over, or its owner does not run any more
        (aborted by hand, say). The same owner gets the same fence again, so a retried Plan is harmless.

        Raises:
            RunInProgressError: Another execution holds it; the text names its run.
        """
        ...

    def release(self, *, owner: str) -> bool:
        """Give the claim back; False (and no change) when somebody else holds it by now."""
        ...


class DynamoDbClaims:
    """The claim in the control table (``Key`` "claim", ``Sort`` "collection")."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Bind a boto3 DynamoDB client to the control table."""
        self._client = client
        self._table = table

    def acquire(
        self, *, owner: str, run_id: str, now_at: datetime, lease: timedelta, is_running: Callable[[str], bool]
    ) -> int:
        """See ``Claims``."""
        now = int(now_at.timestamp())
        held = self._read()
        if held and held.owner == owner:
            return held.fence
        if held and held.owner and held.lease_until > now and is_running(held.owner):
            raise RunInProgressError(f"run {held.run_id} is being collected by {held.owner}")
        # A fence from the time needs no memory: it grows even after the item was removed by TTL.
        fence = max(now, held.fence + 1 if held else 0)
        taken = self._write(
            {
                "Owner": {"S": owner},
                "RunId": {"S": run_id},
                "Fence": {"N": str(fence)},
                "LeaseUntil": {"N": str(now + int(lease.total_seconds()))},
                "ExpiresAt": {"N": str(now + int(_KEPT.total_seconds()))},
            },
            expected=held,
        )
        if not taken:
            raise RunInProgressError("another execution claimed the collection in this moment")
        return fence

    def release(self, *, owner: str) -> bool:
        """See ``Claims``."""
        held = self._read()
        if held is None or held.owner != owner:
            return False
        return self._write(
            {
                "Owner": {"S": ""},
                "RunId": {"S": held.run_id},
                "Fence": {"N": str(held.fence)},
                "LeaseUntil": {"N": "0"},
                "ExpiresAt": {"N": str(held.lease_until + int(_KEPT.total_seconds()))},
            },
            expected=held,
        )

    def _read(self) -> Claim | None:
        try:
            item = self._client.get_item(TableName=self._table, Key=_KEY, ConsistentRead=True).get("Item")
        except (ClientError, BotoCoreError) as error:
            raise StoreError(f"cannot read the claim in table {self._table}: {_code(error)}") from error
        if not item:
            return None
        return Claim(
            owner=item["Owner"]["S"],
            run_id=item["RunId"]["S"],
            lease_until=int(item["LeaseUntil"]["N"]),
            fence=int(item["Fence"]["N"]),
        )

    def _write(self, attributes: dict[str, dict[str, str]], *, expected: Claim | None) -> bool:
        """Put the item if it is still as it was read."""
        condition: dict[str, object] = {"ConditionExpression": "attribute_not_exists(Fence)"}
        if expected is not None:
            condition = {
                "ConditionExpression": "Fence = :fence AND #owner = :owner",
                "ExpressionAttributeNames": {"#owner": "Owner"},
                "ExpressionAttributeValues": {":fence": {"N": str(expected.fence)}, ":owner": {"S": expected.owner}},
            }
        try:
            self._client.put_item(TableName=self._table, Item={**_KEY, **attributes}, **condition)  # type: ignore[arg-type]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise StoreError(f"cannot write the claim in table {self._table}: {_code(error)}") from error
        except BotoCoreError as error:
            raise StoreError(f"cannot write the claim in table {self._table}: {_code(error)}") from error
        return True


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


class MemoryClaims:
    """The twin in memory."""

    def __init__(self) -> None:
        """Nobody holds it."""
        self.held: Claim | None = None

    def acquire(
        self, *, owner: str, run_id: str, now_at: datetime, lease: timedelta, is_running: Callable[[str], bool]
    ) -> int:
        """See ``Claims``."""
        now = int(now_at.timestamp())
        if self.held and self.held.owner == owner:
            return self.held.fence
        if self.held and self.held.owner and self.held.lease_until > now and is_running(self.held.owner):
            raise RunInProgressError(f"run {self.held.run_id} is being collected by {self.held.owner}")
        fence = max(now, self.held.fence + 1 if self.held else 0)
        until = now + int(lease.total_seconds())
        self.held = Claim(owner=owner, run_id=run_id, lease_until=until, fence=fence)
        return fence

    def release(self, *, owner: str) -> bool:
        """See ``Claims``."""
        if self.held is None or self.held.owner != owner:
            return False
        self.held = Claim(owner="", run_id=self.held.run_id, lease_until=0, fence=self.held.fence)
        return True
