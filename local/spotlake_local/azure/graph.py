"""Resource Graph as far as spot resources go: a small query language, paging, throttling."""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from spotlake_local.azure.world import World

PAGE = 1000
EVICTION_TYPE = "microsoft.compute/skuspotevictionrate/location"
_COLUMN = r"[A-Za-z_][\w.]*"
_EQUALS = re.compile(rf"({_COLUMN})\s*(==|=~)\s*'([^']*)'")
_IN = re.compile(rf"({_COLUMN})\s+(in~|in)\s*\(([^)]*)\)")
_NOT_EMPTY = re.compile(rf"isnotempty\(({_COLUMN})\)")
_PROJECTED = re.compile(rf"(?:(\w+)\s*=\s*)?(?:tostring\(({_COLUMN})\)|({_COLUMN}))")

type Row = dict[str, Any]


class QueryError(Exception):
    """The query cannot be understood: a 400."""


@dataclass
class Throttle:
    """Queries in a window, per user.

    Attributes:
        queries: How many.
        window_seconds: In so long.
    """

    queries: int = 15
    window_seconds: float = 5.0
    times: deque[datetime] = field(default_factory=deque)

    def take(self, now_at: datetime) -> tuple[bool, int, float]:
        """Count a query: whether it is let through, how many are left, seconds until the window is over."""
        while self.times and abs((now_at - self.times[0]).total_seconds()) >= self.window_seconds:
            self.times.popleft()
        allowed = len(self.times) < self.queries
        if allowed:
            self.times.append(now_at)
        over = self.window_seconds - (now_at - self.times[0]).total_seconds()
        return allowed, self.queries - len(self.times), max(over, 0.0)


@dataclass(frozen=True)
class Query:
    """A parsed query: tests on source rows, output columns, order."""

    tests: tuple[Callable[[Row], bool], ...]
    columns: tuple[tuple[str, str, bool], ...]  # name, source, whether it is text
    order: tuple[str, ...]
    locations: frozenset[str] | None


def parse_query(text: str) -> Query:
    """Parse a query on ``spotresources``. Raises QueryError for anything it does not know."""
    table, *stages = [stage.strip() for stage in text.split("|")]
    if table.lower() != "spotresources":
        raise QueryError
    tests: list[Callable[[Row], bool]] = []
    columns: tuple[tuple[str, str, bool], ...] = ()
    order: tuple[str, ...] = ()
    locations: frozenset[str] | None = None
    for stage in stages:
        verb, _, rest = stage.partition(" ")
        if verb == "where":
            for condition in re.split(r"\s+and\s+", rest):
                test, named = _condition(condition.strip(), {name: source for name, source, _ in columns})
                tests.append(test)
                locations = named or locations
        elif verb == "project":
            columns = _columns(rest)
        elif verb == "order" and rest.startswith("by "):
            order = tuple(re.sub(r"\s+asc$", "", part.strip()) for part in rest[3:].split(","))
        else:
            raise QueryError
    if not columns or not set(order) <= {name for name, _, _ in columns}:
        raise QueryError
    return Query(tuple(tests), columns, order, locations)


def _columns(text: str) -> tuple[tuple[str, str, bool], ...]:
    columns = []
    for part in text.split(","):
        found = _PROJECTED.fullmatch(part.strip())
        if found is None:
            raise QueryError
        name, wrapped, plain = found.groups()
        source = wrapped or plain
        columns.append((name or source, source, bool(wrapped) or source in ("location", "type", "id", "name")))
    return tuple(columns)


def _condition(text: str, aliases: dict[str, str]) -> tuple[Callable[[Row], bool], frozenset[str] | None]:
    """A test on a source row, and the locations it names."""
    if found := _NOT_EMPTY.fullmatch(text):
        source = aliases.get(found[1], found[1])
        return (lambda row: bool(row.get(source))), None
    if found := _EQUALS.fullmatch(text):
        column, operator, value = aliases.get(found[1], found[1]), found[2], found[3]
        values = [value]
    elif found := _IN.fullmatch(text):
        column, operator = aliases.get(found[1], found[1]), found[2]
        values = [part.strip().strip("'") for part in found[3].split(",")]
    else:
        raise QueryError
    folded = operator in ("=~", "in~")
    wanted = frozenset(value.lower() if folded else value for value in values)
    named = wanted if column == "location" else None
    return (lambda row: (str(row.get(column, "")).lower() if folded else row.get(column)) in wanted), named


class ResourceGraph:
    """Answers queries over the eviction rates of the world."""

    def __init__(self, world: World) -> None:
        """With the documented limit of 15 queries in 5 seconds."""
        self.world = world
        self.throttle = Throttle()

    def answer(self, body: dict[str, Any], now_at: datetime) -> dict[str, Any]:
        """The JSON of a page. Raises QueryError."""
        query = parse_query(str(body.get("query", "")))
        options = body.get("options") or {}
        # A scoped query finds nothing: the table lives at tenant scope.
        scoped = bool(body.get("subscriptions") or body.get("managementGroups"))
        rows = [] if scoped else self._rows(query, now_at)
        dynamic = all(not text for _, _, text in query.columns)
        top = min(int(options.get("$top", PAGE)), PAGE)
        start = _start_of(options.get("$skipToken") or "")
        page = rows[start : start + top]
        more = start + top < len(rows)
        answer = {
            "totalRecords": len(rows),
            "count": len(page),
            "data": page,
            "facets": [],
            "resultTruncated": "true" if more and dynamic else "false",
        }
        if more and not dynamic:
            answer["$skipToken"] = base64.b64encode(orjson.dumps({"start": start + top})).decode()
        return answer

    def _rows(self, query: Query, now_at: datetime) -> list[Row]:
        names = [(name, source) for name, source, _ in query.columns]
        found = [
            {name: row.get(source) for name, source in names}
            for row in self._source_rows(query.locations, now_at)
            if all(test(row) for test in query.tests)
        ]
        if query.order:
            return sorted(found, key=lambda row: tuple(str(row[name]) for name in query.order))
        # Without an order the pages of one query need not fit together.
        return found[now_at.microsecond % 7 :] + found[: now_at.microsecond % 7]

    def _source_rows(self, locations: frozenset[str] | None, now_at: datetime) -> Iterator[Row]:
        for region in self.world.ondemand:
            if locations is not None and region not in locations:
                continue
            for size in self.world.spot_sizes(region):
                band = self.world.eviction_band(region, size, now_at)
                if band is not None:
                    name = size.lower()
                    yield {
                        "type": EVICTION_TYPE,
                        "location": region,
                        "sku.name": name,
                        "properties.skuName": name,
                        "properties.evictionRate": band,
                    }


def _start_of(token: str) -> int:
    if not token:
        return 0
    try:
        return int(orjson.loads(base64.b64decode(token))["start"])
    except (ValueError, KeyError, TypeError) as error:
        raise QueryError from error


def bad_query(now_at: datetime) -> dict[str, Any]:
    """The body of a 400."""
    return _error("BadRequest", "InvalidQuery", "Query is invalid. Please refer to the documentation for the Azure "
                  "Resource Graph service and fix the error before retrying.", now_at)  # fmt: skip


def throttled(now_at: datetime) -> dict[str, Any]:
    """The body of a 429."""
    return _error("RateLimiting", "RateLimiting", "Client application has been throttled and should not attempt to "
                  "repeat the request until an amount of time has elapsed. Please see "
                  "https://aka.ms/resourcegraph-throttling for help.", now_at)  # fmt: skip


def _error(code: str, detail: str, message: str, now_at: datetime) -> dict[str, Any]:
    asked = "Please provide below info when asking for support: timestamp = "
    return {
        "error": {
            "code": code,
            "message": f"{asked}{now_at.isoformat()}, correlationId = 00000000-0000-0000-0000-000000000000.",
            "details": [{"code": detail, "message": message}],
        }
    }
