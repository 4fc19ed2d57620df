"""Turns at an API whose quota all collectors share. Turns spread the queries over time.

Resource Graph takes 15 queries in 5 seconds of one user (Microsoft Learn, "Guidance for throttled requests in
Azure Resource Graph", read 2026-11), and the collectors of all regions begin at the same moment. One item of the
control table (``Key`` "turn#<api>") holds the time of the next free turn. Taking a turn is one write.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from spotlake.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

RESOURCE_GRAPH = "resource-graph"
# At most 13 turns in any 5 seconds. This leaves room for queries that take up to 0.8 s longer than others to arrive.
SPACING_SECONDS = 0.4
_FARTHEST_SECONDS = 300.0  # a turn further away than all our collectors could move it: a wrong clock wrote it
_KEPT_SECONDS = 86_400
_ROUNDS = 20
_BUSY = "#at > :now AND #at <= :farthest"
_FREE = "attribute_not_exists(#at) OR #at <= :now OR #at > :farthest"


class Turns(Protocol):
    """Turns at one API."""

    def take(self, now: float) -> float:
        """Take the next turn.

        Args:
            now: Epoch seconds of the wall clock (quota windows are real time, whatever slot is collected).

        Returns:
            Seconds to wait for the turn.

        Raises:
            StoreError: The control table cannot be written.
        """
        ...


class DynamoDbTurns:
    """Turns in the control table."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        api: str = RESOURCE_GRAPH,
        *,
        spacing_seconds: float = SPACING_SECONDS,
    ) -> None:
        """Bind a DynamoDB client to the control table."""
        self._client, self._table, self._spacing_seconds = client, table, spacing_seconds
        self._key: Any = {"Key": {"S": f"turn#{api}"}, "Sort": {"S": api}}

    def take(self, now: float) -> float:
        """See ``Turns``."""
        for _ in range(_ROUNDS):
            # Queue behind the waiting collectors; if nobody waits, take the present moment on that condition.
            before = self._write("SET #at = #at + :spacing, ExpiresAt = :expires", _BUSY, now)
            if before is not None:
                return before - now
            if self._write("SET #at = :next, ExpiresAt = :expires", _FREE, now) is not None:
                return 0.0
        raise StoreError(f"table {self._table}: no turn after {_ROUNDS} rounds")

    def _write(self, update: str, condition: str, now: float) -> float | None:
        """The time of the free turn before this write; None when the condition does not hold."""
        values = {
            ":now": now,
            ":farthest": now + _FARTHEST_SECONDS,
            ":expires": int(now) + _KEPT_SECONDS,
            (":spacing" if ":spacing" in update else ":next"): (
                self._spacing_seconds if ":spacing" in update else now + self._spacing_seconds
            ),
        }
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#at": "FreeAt"},
                ExpressionAttributeValues={name: {"N": repr(value)} for name, value in values.items()},
                ReturnValues="ALL_OLD",
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                return None
            raise StoreError(f"cannot take a turn in table {self._table}: {code}") from error
        except BotoCoreError as error:
            raise StoreError(f"cannot take a turn in table {self._table}: {type(error).__name__}") from error
        old = answer.get("Attributes", {}).get("FreeAt")
        return float(old["N"]) if old else now


class MemoryTurns:
    """The twin in memory, safe to share between threads."""

    def __init__(self, *, spacing_seconds: float = SPACING_SECONDS) -> None:
        """Start with a free turn."""
        self._spacing_seconds, self._free_at = spacing_seconds, 0.0
        self._lock = threading.Lock()

    def take(self, now: float) -> float:
        """See ``Turns``."""
        with self._lock:
            waits = now < self._free_at <= now + _FARTHEST_SECONDS
            turn = self._free_at if waits else now
            self._free_at = turn + self._spacing_seconds
            return turn - now
