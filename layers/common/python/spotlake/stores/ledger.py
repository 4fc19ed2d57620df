"""The quota ledger: the calls that were reserved for each route (subscription, routing location).

The control table has one item per route: ``Key`` "quota#<location>", ``Sort`` subscription id. A sender first reserves
several calls, by one conditional write per subscription. If two writers meet, the item's version shows it, and the
later one reads again. If a process dies after reserving, its calls count until their window is over. Some quota is then
lost, but never exceeded.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from spotlake.errors import StoreError
from spotlake.scores.quota import QuotaRules, RouteUse, choose_subscriptions
from spotlake.stores.aws_clients import code_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

# In each lost round another writer got calls, so this is enough for all our collectors at once.
_ROUNDS = 30
_READERS = 8
_UNUSED = RouteUse()


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """Calls that may be sent through one route within ``QuotaRules.usable_seconds``."""

    location: str
    subscription: str
    calls: int
    reserved_at: datetime


class QuotaLedger(Protocol):
    """Reserves calls for routes."""

    def reserve(
        self, location: str, wanted: int, *, now_at: datetime, subscriptions: Sequence[str], rules: QuotaRules
    ) -> list[Reservation]:
        """Reserve up to ``wanted`` calls through ``location``, over as few subscriptions as possible.

        Returns:
            Reservations; fewer calls than wanted, or none, when the quota is short.

        Raises:
            StoreError: The ledger cannot be read or written. No call may then be sent.
        """
        ...

    def give_back(self, reservation: Reservation, calls: int, *, rules: QuotaRules) -> None:
        """Free ``calls`` of a reservation that were certainly never sent."""
        ...

    def rest(self, location: str, subscription: str, *, until_at: datetime, rules: QuotaRules) -> None:
        """Let a route rest until then, because Azure refused it."""
        ...

    def free(
        self, locations: Iterable[str], *, now_at: datetime, subscriptions: Sequence[str], rules: QuotaRules
    ) -> dict[str, int]:
        """Number of calls that could be reserved now through each location, over all subscriptions (for planning)."""
        ...


class _VersionedLedger(ABC):
    """The rules, over any store that can replace an item on condition that it has not changed."""

    @abstractmethod
    def _read(self, location: str) -> dict[str, RouteUse]:
        """What each subscription has used at a location."""

    @abstractmethod
    def _replace(self, location: str, subscription: str, use: RouteUse, rules: QuotaRules) -> bool:
        """Write ``use`` if the stored version is the preceding one; return False otherwise."""

    def reserve(
        self, location: str, wanted: int, *, now_at: datetime, subscriptions: Sequence[str], rules: QuotaRules
    ) -> list[Reservation]:
        """See ``QuotaLedger``."""
        got: list[Reservation] = []
        for _ in range(_ROUNDS):
            missing = wanted - sum(one.calls for one in got)
            if missing <= 0:
                break
            uses = self._read(location)
            free = {name: uses.get(name, _UNUSED).free(now_at, rules) for name in subscriptions}
            chosen = choose_subscriptions(free, missing)
            if not chosen:
                break
            for name, calls in chosen:
                use = uses.get(name, _UNUSED).reserve(now_at, calls, rules)
                if self._replace(location, name, use, rules):
                    got.append(Reservation(location=location, subscription=name, calls=calls, reserved_at=now_at))
        return got

    def give_back(self, reservation: Reservation, calls: int, *, rules: QuotaRules) -> None:
        """See ``QuotaLedger``. Gives up after some lost rounds, because giving back is optional."""
        for _ in range(_ROUNDS):
            use = self._read(reservation.location).get(reservation.subscription, _UNUSED)
            after = use.give_back(reservation.reserved_at, calls)
            if after.entries == use.entries or self._replace(
                reservation.location, reservation.subscription, after, rules
            ):
                return

    def rest(self, location: str, subscription: str, *, until_at: datetime, rules: QuotaRules) -> None:
        """See ``QuotaLedger``."""
        for _ in range(_ROUNDS):
            use = self._read(location).get(subscription, _UNUSED)
            if use.rest_until >= int(until_at.timestamp()):
                return
            if self._replace(location, subscription, use.rest(until_at), rules):
                return
        raise StoreError(f"quota of {location}: others wrote to it {_ROUNDS} times in a row")

    def free(
        self, locations: Iterable[str], *, now_at: datetime, subscriptions: Sequence[str], rules: QuotaRules
    ) -> dict[str, int]:
        """See ``QuotaLedger``."""
        asked = list(locations)
        with ThreadPoolExecutor(_READERS) as readers:  # their waits cost more than they do
            all_uses = list(readers.map(self._read, asked))
        return {
            location: sum(uses.get(name, _UNUSED).free(now_at, rules) for name in subscriptions)
            for location, uses in zip(asked, all_uses, strict=True)
        }


class DynamoDbLedger(_VersionedLedger):
    """The ledger in the control table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Bind a boto3 DynamoDB client to the control table."""
        self._client = client
        self._table = table

    def _read(self, location: str) -> dict[str, RouteUse]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": "Key"},
            ExpressionAttributeValues={":key": {"S": f"quota#{location}"}},
            ConsistentRead=True,
        )
        try:
            return {item["Sort"]["S"]: _use_of(item) for page in pages for item in page["Items"]}
        except (ClientError, BotoCoreError) as error:
            raise self._failure("read", location, error) from error

    def _replace(self, location: str, subscription: str, use: RouteUse, rules: QuotaRules) -> bool:
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"Key": {"S": f"quota#{location}"}, "Sort": {"S": subscription}},
                UpdateExpression="SET Used = :used, RestUntil = :rest, Version = :version, ExpiresAt = :expires",
                # A missing item counts as version 0, because TTL removes only items that no longer count.
                ConditionExpression="attribute_not_exists(Version) OR Version = :before",
                ExpressionAttributeValues={
                    ":used": {"L": [{"M": {"At": _number(at), "Calls": _number(n)}} for at, n in use.entries]},
                    ":rest": _number(use.rest_until),
                    ":version": _number(use.version),
                    ":before": _number(use.version - 1),
                    ":expires": _number(use.expires_at(rules)),
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise self._failure("write", location, error) from error
        except BotoCoreError as error:
            raise self._failure("write", location, error) from error
        return True

    def _failure(self, verb: str, location: str, error: Exception) -> StoreError:
        return StoreError(f"cannot {verb} the quota of {location} in table {self._table}: {code_of(error)}")


def _number(value: int) -> AttributeValueTypeDef:
    return {"N": str(value)}


def _use_of(item: Mapping[str, AttributeValueTypeDef]) -> RouteUse:
    return RouteUse(
        entries=tuple((int(entry["M"]["At"]["N"]), int(entry["M"]["Calls"]["N"])) for entry in item["Used"]["L"]),
        rest_until=int(item["RestUntil"]["N"]),
        version=int(item["Version"]["N"]),
    )


class MemoryLedger(_VersionedLedger):
    """The twin in memory, safe for threads (tests, benchmarks).

    Attributes:
        writes: Number of writes, including refused ones, because DynamoDB charges for both.
    """

    def __init__(self) -> None:
        """Start with no call used."""
        self.uses: dict[str, dict[str, RouteUse]] = {}
        self.writes = 0
        self._lock = threading.Lock()

    def _read(self, location: str) -> dict[str, RouteUse]:
        with self._lock:
            return dict(self.uses.get(location, {}))

    def _replace(self, location: str, subscription: str, use: RouteUse, rules: QuotaRules) -> bool:
        del rules
        with self._lock:
            self.writes += 1
            there = self.uses.setdefault(location, {})
            if there.get(subscription, _UNUSED).version != use.version - 1:
                return False
            there[subscription] = use
            return True
