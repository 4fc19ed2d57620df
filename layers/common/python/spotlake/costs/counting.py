"""Counts the requests of this process to S3 and DynamoDB, in the classes that AWS bills, by botocore's own events.

An attempt that botocore repeats is counted again, because AWS bills it again.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from botocore.hooks import BaseEventHooks


class Requests(TypedDict):
    """Requests by the class that AWS bills: S3 counts a listing among the puts.

    Batches of statements are left out: they are billed by their items, which the merge's write units count.
    """

    s3_puts: int
    s3_gets: int
    dynamodb_writes: int
    dynamodb_reads: int


# Operation -> the field of ``Requests`` that counts it; None: it is free, or billed otherwise (S3 and DynamoDB
# pricing, 2026-11).
_BILLED: Final[dict[str, dict[str, str | None]]] = {
    "s3": {
        "GetObject": "s3_gets",
        "HeadObject": "s3_gets",
        "HeadBucket": "s3_gets",
        "DeleteObject": None,
        "DeleteObjects": None,
    },
    "dynamodb": {
        "GetItem": "dynamodb_reads",
        "Query": "dynamodb_reads",
        "Scan": "dynamodb_reads",
        "PutItem": "dynamodb_writes",
        "UpdateItem": "dynamodb_writes",
        "DeleteItem": "dynamodb_writes",
        "BatchExecuteStatement": None,
    },
}
_UNKNOWN: Final = {"s3": "s3_puts"}  # S3's other operations cost a put at most
_counted = Counter[str]()
_lock = threading.Lock()


def billed_as(service: str, operation: str) -> str | None:
    """The field of ``Requests`` that counts an operation ("s3", "GetObject"); None: it is free, or billed otherwise."""
    return _BILLED.get(service, {}).get(operation, _UNKNOWN.get(service))


def count_requests(events: BaseEventHooks) -> None:
    """Count what all clients of a session send from now on, by the session's events."""
    events.register("before-send", _count)


def counted() -> Requests:
    """What this process has sent so far."""
    with _lock:
        return {
            "s3_puts": _counted["s3_puts"],
            "s3_gets": _counted["s3_gets"],
            "dynamodb_writes": _counted["dynamodb_writes"],
            "dynamodb_reads": _counted["dynamodb_reads"],
        }


def added(one: Requests, other: Requests, sign: int = 1) -> Requests:
    """The sum of two counts; with ``sign`` -1 the difference."""
    return {
        "s3_puts": one["s3_puts"] + sign * other["s3_puts"],
        "s3_gets": one["s3_gets"] + sign * other["s3_gets"],
        "dynamodb_writes": one["dynamodb_writes"] + sign * other["dynamodb_writes"],
        "dynamodb_reads": one["dynamodb_reads"] + sign * other["dynamodb_reads"],
    }


def _count(event_name: str, **rest: object) -> None:
    del rest
    _, service, operation = event_name.split(".")  # before-send.s3.GetObject
    field = billed_as(service, operation)
    if field is not None:
        with _lock:
            _counted[field] += 1
