"""The quota ledger: the calls that were reserved for each route (subscription, routing location).

The control table has one item per routing location: ``Key`` "quota#<location>", ``Sort`` "routes". A sender first
reserves several calls, of all subscriptions that it needs, by one conditional write. If two writers meet, the item's
version shows it, and the later one reads again. If a process dies after reserving, its calls count until their window
is over. Some quota is then lost, but never exceeded.

An item holds what counts: some hundred calls of an hour, about 1 kB. Versions before 2026-11-26 wrote an item a route.
They read every item of a location, so after a deployment that goes back to one of them, this item must be a route of
theirs (``Used`` a list, ``RestUntil``): one of nobody, without a call. What it holds does not count for them.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from spotlake.errors import StoreError
from spotlake.scores.quota import LocationUse, QuotaRules, RouteUse, choose_subscriptions
from spotlake.scores.zones import subscription_digest
from spotlake.stores.aws_errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

# In each lost round another writer got calls, so this is enough for all our collectors at once.
_ROUNDS = 30
_READERS = 8
_ROUTES = "routes"  # the item's sort key; those of older items are ids of subscriptions


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
    def _read(self, location: str) -> LocationUse:
        """What the routes through a location have used."""

    @abstractmethod
    def _replace(self, location: str, use: LocationUse, rules: QuotaRules) -> bool:
        """Write ``use`` if the stored version is the preceding one; return False otherwise."""

    def reserve(
        self, location: str, wanted: int, *, now_at: datetime, subscriptions: Sequence[str], rules: QuotaRules
    ) -> list[Reservation]:
        """See ``QuotaLedger``."""
        for _ in range(_ROUNDS):
            before = self._read(location)
            free = {name: before.route(subscription_digest(name)).free(now_at, rules) for name in subscriptions}
            chosen = choose_subscriptions(free, wanted)
            if not chosen:
                break
            after = before.reserve({subscription_digest(name): calls for name, calls in chosen}, now_at, rules)
            if self._replace(location, after, rules):
                return [
                    Reservation(location=location, subscription=name, calls=calls, reserved_at=now_at)
                    for name, calls in chosen
                ]
        return []

    def give_back(self, reservation: Reservation, calls: int, *, rules: QuotaRules) -> None:
        """See ``QuotaLedger``. Gives up after some lost rounds, because giving back is optional."""
        digest = subscription_digest(reservation.subscription)
        for _ in range(_ROUNDS):
            before = self._read(reservation.location)
            use = before.routes.get(digest, RouteUse())
            after = use.give_back(reservation.reserved_at, calls)
            if after == use or self._replace(reservation.location, before.change(digest, after), rules):
                return

    def rest(self, location: str, subscription: str, *, until_at: datetime, rules: QuotaRules) -> None:
        """See ``QuotaLedger``."""
        digest = subscription_digest(subscription)
        for _ in range(_ROUNDS):
            before = self._read(location)
            if before.route(digest).rest_until >= int(until_at.timestamp()):
                return
            use = before.routes.get(digest, RouteUse()).rest(until_at)
            if self._replace(location, before.change(digest, use), rules):
                return
        raise StoreError(f"quota of {location}: others wrote to it {_ROUNDS} times in a row")

    def free(
        self, locations: Iterable[str], *, now_at: datetime, subscriptions: Sequence[str], rules: QuotaRules
    ) -> dict[str, int]:
        """See ``QuotaLedger``."""
        asked = list(locations)
        digests = [subscription_digest(name) for name in subscriptions]
        with ThreadPoolExecutor(_READERS) as readers:  # their waits cost more than they do
            all_uses = list(readers.map(self._read, asked))
        return {
            location: sum(use.route(digest).free(now_at, rules) for digest in digests)
            for location, use in zip(asked, all_uses, strict=True)
        }


class DynamoDbLedger(_VersionedLedger):
    """The ledger in the control table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Bind a DynamoDB client to the control table."""
        self._client = client
        self._table = table

    def _read(self, location: str) -> LocationUse:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": "Key"},
            ExpressionAttributeValues={":key": {"S": f"quota#{location}"}},
            ConsistentRead=True,
        )
        try:
            items = {item["Sort"]["S"]: item for page in pages for item in page["Items"]}
        except (ClientError, BotoCoreError) as error:
            raise self._failure("read", location, error) from error
        item = items.pop(_ROUTES, None)
        older = {subscription_digest(name): _older_use(one) for name, one in items.items()}
        if item is None:
            return LocationUse(older=older)
        return LocationUse(routes=_routes_of(item), version=int(item["Version"]["N"]), older=older)

    def _replace(self, location: str, use: LocationUse, rules: QuotaRules) -> bool:
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"Key": {"S": f"quota#{location}"}, "Sort": {"S": _ROUTES}},
                UpdateExpression="SET BySecond = :calls, Rests = :rests, Version = :version, ExpiresAt = :expires, "
                "Used = :none, RestUntil = :never",
                # A missing item counts as version 0, because TTL removes only items that no longer count.
                ConditionExpression="attribute_not_exists(Version) OR Version = :before",
                ExpressionAttributeValues={
                    ":calls": _by_second(use),
                    ":rests": {
                        "M": {name: _number(one.rest_until) for name, one in use.routes.items() if one.rest_until}
                    },
                    ":version": _number(use.version),
                    ":before": _number(use.version - 1),
                    ":expires": _number(use.expires_at(rules)),
                    ":none": {"L": []},
                    ":never": _number(0),
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


def _by_second(use: LocationUse) -> AttributeValueTypeDef:
    """Second -> digest -> calls: each second once, because every kilobyte of an item costs each write a unit."""
    found: defaultdict[int, dict[str, AttributeValueTypeDef]] = defaultdict(dict)
    for digest, route in use.routes.items():
        for at, calls in route.entries:
            found[at][digest] = _number(calls)
    return {"M": {str(at): {"M": calls} for at, calls in sorted(found.items())}}


def _routes_of(item: Mapping[str, AttributeValueTypeDef]) -> dict[str, RouteUse]:
    entries: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for at, calls in item["BySecond"]["M"].items():
        for digest, number in calls["M"].items():
            entries[digest].append((int(at), int(number["N"])))
    rests = {digest: int(number["N"]) for digest, number in item["Rests"]["M"].items()}
    return {
        digest: RouteUse(entries=tuple(sorted(entries[digest])), rest_until=rests.get(digest, 0))
        for digest in {*entries, *rests}
    }


def _older_use(item: Mapping[str, AttributeValueTypeDef]) -> RouteUse:
    return RouteUse(
        entries=tuple((int(entry["M"]["At"]["N"]), int(entry["M"]["Calls"]["N"])) for entry in item["Used"]["L"]),
        rest_until=int(item["RestUntil"]["N"]),
    )


class MemoryLedger(_VersionedLedger):
    """The twin in memory, safe for threads (tests, benchmarks).

    Attributes:
        writes: Number of writes, including refused ones, because DynamoDB charges for both.
    """

    def __init__(self) -> None:
        """Start with no call used."""
        self.uses: dict[str, LocationUse] = {}
        self.writes = 0
        self._lock = threading.Lock()

    def _read(self, location: str) -> LocationUse:
        with self._lock:
            return self.uses.get(location, LocationUse())

    def _replace(self, location: str, use: LocationUse, rules: QuotaRules) -> bool:
        del rules
        with self._lock:
            self.writes += 1
            if self.uses.get(location, LocationUse()).version != use.version - 1:
                return False
            self.uses[location] = use
            return True
