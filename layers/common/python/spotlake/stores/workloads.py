"""The workload table: upserts that never go back, in batches, and a twin in memory.

PartiQL batches have a condition per statement, which BatchWriteItem does not offer, and are ten times quicker than
single writes. An item's ``Version`` is the version of the merged state that the item shows. A writer with an older
version changes nothing.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from spotlake.clock import Deadline
from spotlake.errors import DeadlineError, StoreError
from spotlake.models import Item, ItemChange, Value

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_LOG = logging.getLogger(__name__)

BATCH = 25  # statements in a BatchExecuteStatement (DynamoDB API reference, 2026-11)
KEY = ("InstanceType", "Workload")
# Optional attributes of an item. An update removes those that the item no longer has.
OPTIONAL = (
    "OndemandPrice", "SpotPrice", "Savings", "PriceAt", "IF", "EvictionBand", "IFAt", "Scores", "T2", "T3",
    "PhysicalZone", "PriceConfirmedAt", "IFConfirmedAt", "RetiredAt", "ExpiresAt",
)  # fmt: skip
ALWAYS = ("UpdatedAt", "RunId", "Version")
# A change, and whether the other statement (insert or update) was tried before.
type _Waiting = tuple[ItemChange, bool]
_THROTTLED = frozenset(
    {
        "ThrottlingError",
        "ThrottlingException",
        "ProvisionedThroughputExceeded",  # of a statement
        "ProvisionedThroughputExceededException",  # of the whole request
        "RequestLimitExceeded",
    }
)
_TRY_AGAIN = _THROTTLED | {"InternalServerError", "TransactionConflict"}
# An item that DynamoDB can never hold: a key of over 2,048 bytes, a number beyond 9.99e125 (AWS, 2026-11).
_INVALID = frozenset({"ValidationError", "ValidationException"})
_MOST_INVALID = 1000  # more are no odd items: then our statements are wrong
_THERE_ALREADY = "DuplicateItem"
_OVERTAKEN = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
_THREADS = 4
_AHEAD = 8  # batches per thread that are made before they can be written
_LONGEST_WAIT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Upserted:
    """The result of an upsert.

    Attributes:
        written: Number of items that were written.
        overtaken: Number of items that already had a newer version.
        invalid: Number of items that the table can never hold. They were left out.
        write_units: Consumed write capacity units.
        throttles: Number of statements that were throttled and sent again.
        done: Number of leading changes that are finished, whatever the later ones' results.
        left: Number of other changes, for which time ran out.
    """

    written: int = 0
    overtaken: int = 0
    invalid: int = 0
    write_units: float = 0.0
    throttles: int = 0
    done: int = 0
    left: int = 0


class SizedIterable[T](Sized, Iterable[T], Protocol):
    """A sequence whose length is known before its items are made."""


class WorkloadTable(Protocol):
    """The table of merged workloads."""

    def upsert(self, changes: SizedIterable[ItemChange], *, deadline: Deadline) -> Upserted:
        """Write items whose version is newer than the stored one, in order, until time runs out.

        An item that the table can never hold is counted and left out: it is in every later difference, and would stop
        every later merge.

        Args:
            changes: Items, each with the attributes to write.
            deadline: When to leave the remaining items.

        Raises:
            StoreError: The table refused a statement, or over 1,000 items; the text names the first reason.
        """
        ...


class DynamoDbWorkloads:
    """The table in DynamoDB."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        threads: int = _THREADS,
    ) -> None:
        """Bind a DynamoDB client to the table."""
        self._client, self._table, self._sleep, self._threads = client, table, sleep, threads
        self._lock = threading.Lock()

    def upsert(self, changes: SizedIterable[ItemChange], *, deadline: Deadline) -> Upserted:
        """See ``WorkloadTable``."""
        self._written = self._overtaken = self._throttles = self._invalid = 0
        self._units = 0.0
        done = 0
        with ThreadPoolExecutor(self._threads) as pool:
            # Some batches at a time; otherwise the pool would make all items at once.
            for group in batched(batched(changes, BATCH, strict=False), self._threads * _AHEAD, strict=False):
                try:
                    for written in pool.map(lambda batch: self._write(batch, deadline), group):
                        done += written  # those before the first that ran out of time
                except DeadlineError:
                    break
        return Upserted(
            written=self._written,
            overtaken=self._overtaken,
            invalid=self._invalid,
            write_units=round(self._units, 1),
            throttles=self._throttles,
            done=done,
            left=len(changes) - done,
        )

    def _write(self, batch: Sequence[ItemChange], deadline: Deadline) -> int:
        """Send a batch until every statement is done; return the number of statements."""
        waiting: list[_Waiting] = [(change, False) for change in batch]
        attempt = 0
        while waiting:
            deadline.check("upserting workloads", needs_seconds=2.0)
            waiting, throttled = self._send(waiting)
            if throttled:
                attempt += 1
                self._sleep(min(_LONGEST_WAIT_SECONDS, 0.05 * 2**attempt) * random.random())  # noqa: S311 - jitter
        return len(batch)

    def _send(self, waiting: list[_Waiting]) -> tuple[list[_Waiting], bool]:
        """Send one request; return the statements to send again, and whether any was throttled."""
        statements = [
            _insert(self._table, one.item) if one.is_new else _update(self._table, one.item, one.only)
            for one, _ in waiting
        ]
        try:
            answer = self._client.batch_execute_statement(Statements=statements, ReturnConsumedCapacity="TOTAL")
        except ClientError as error:
            return self._after_refusal(waiting, error.response["Error"]["Code"])
        except BotoCoreError as error:
            raise StoreError(f"table {self._table}: {type(error).__name__}") from error
        units = sum(one.get("CapacityUnits", 0.0) for one in answer.get("ConsumedCapacity", []))
        responses = answer["Responses"]
        if len(responses) != len(waiting):
            raise StoreError(f"table {self._table}: {len(responses)} answers to {len(waiting)} statements")
        again: list[_Waiting] = []
        throttled = written = overtaken = 0
        for one, response in zip(waiting, responses, strict=True):
            change, is_second = one
            code = response.get("Error", {}).get("Code", "")
            if not code:
                written += 1
            elif code == _THERE_ALREADY if change.is_new else code in _OVERTAKEN:
                # Only the table knows whether an item exists: TTL may have removed it, or an interrupted merge may have
                # created it.
                if is_second:
                    overtaken += 1
                else:
                    again.append((ItemChange(change.item, is_new=not change.is_new, only=None), True))
            elif code in _TRY_AGAIN:
                throttled += 1
                again.append(one)
            elif code in _INVALID:
                self._leave_out(change, code)
            else:
                raise StoreError(f"table {self._table}: {code}")
        self._count(written=written, overtaken=overtaken, throttles=throttled, units=units)
        return again, bool(throttled)

    def _after_refusal(self, waiting: list[_Waiting], code: str) -> tuple[list[_Waiting], bool]:
        """What ``_send`` returns for a request that was refused as a whole."""
        if code in _TRY_AGAIN:
            self._count(throttles=len(waiting))
            return waiting, True
        if code not in _INVALID:
            raise StoreError(f"table {self._table}: {code}")  # the error's own text would echo the items
        if len(waiting) == 1:
            self._leave_out(waiting[0][0], code)
            return [], False
        # One item among them has made DynamoDB refuse them all.
        middle = len(waiting) // 2
        first, is_slow = self._send(waiting[:middle])
        second, is_slower = self._send(waiting[middle:])
        return first + second, is_slow or is_slower

    def _leave_out(self, change: ItemChange, code: str) -> None:
        with self._lock:
            self._invalid += 1
            number = self._invalid
        if number > _MOST_INVALID:
            raise StoreError(f"table {self._table}: {code} for more than {_MOST_INVALID} items")
        if number == 1:  # one of them says where to look
            _LOG.warning("table %s cannot hold %.200r: %s", self._table, [change.item[one] for one in KEY], code)

    def _count(self, *, throttles: int, written: int = 0, overtaken: int = 0, units: float = 0.0) -> None:
        with self._lock:
            self._written += written
            self._overtaken += overtaken
            self._throttles += throttles
            self._units += units


def _insert(table: str, item: Item) -> Any:
    names = ", ".join(f"'{name}': ?" for name in item)
    return {
        "Statement": f'INSERT INTO "{table}" VALUE {{{names}}}',
        "Parameters": [_typed(one) for one in item.values()],
    }


def _update(table: str, item: Item, only: Sequence[str] | None) -> Any:
    sets, removed = _written(item, only)
    # Names come from the settings and from this module; values are parameters.
    text = f'UPDATE "{table}"' + "".join(f' SET "{name}"=?' for name in sets)  # noqa: S608
    text += "".join(f' REMOVE "{name}"' for name in removed)
    parameters = [*sets.values(), *(item[name] for name in KEY), item["Version"]]
    text += ' WHERE "InstanceType"=? AND "Workload"=? AND "Version" < ?'
    return {"Statement": text, "Parameters": [_typed(value) for value in parameters]}


def _written(item: Item, only: Sequence[str] | None) -> tuple[dict[str, Value], list[str]]:
    """Attributes that an update sets, and names of attributes that it removes."""
    names = set(item) | set(OPTIONAL) if only is None else {*only, *ALWAYS}
    sets = {name: value for name, value in item.items() if name in names and name not in KEY}
    return sets, [name for name in OPTIONAL if name in names and name not in item]


def _typed(value: object) -> Any:
    """A DynamoDB attribute value. Only this function turns numbers into text."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | float):
        return {"N": repr(value)}
    if isinstance(value, Mapping):
        return {"M": {name: _typed(one) for name, one in value.items()}}
    raise TypeError(f"{type(value).__name__} has no place in an item")


class MemoryWorkloads:
    """The twin in memory."""

    def __init__(self) -> None:
        """Start without items."""
        self.items: dict[tuple[str, str], dict[str, Any]] = {}

    def upsert(self, changes: SizedIterable[ItemChange], *, deadline: Deadline) -> Upserted:
        """See ``WorkloadTable``."""
        written = overtaken = done = 0
        for change in changes:
            if deadline.seconds_left() <= 0:
                break
            done += 1
            item = dict(change.item)
            key = (str(item["InstanceType"]), str(item["Workload"]))
            if key in self.items and self.items[key]["Version"] >= item["Version"]:
                overtaken += 1
                continue
            if key in self.items and not change.is_new:
                sets, removed = _written(item, change.only)
                self.items[key] = {name: one for name, one in self.items[key].items() if name not in removed} | sets
            else:
                self.items[key] = item
            written += 1
        return Upserted(
            written=written,
            overtaken=overtaken,
            write_units=float(written),
            done=done,
            left=len(changes) - done,
        )
