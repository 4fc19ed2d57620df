"""Resource Graph for spot resources: scope, paging, throttling, odd answers.

Facts: Microsoft Learn, "Azure Resource Graph" (guidance for throttled requests, paging), read 2026-11; the 429 and
400 bodies as seen in public code.
"""

from __future__ import annotations

import base64
import uuid
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from spotlake.models import to_iso
from spotlake_local.azure.answers import RefusalError
from spotlake_local.azure.facets import facets_of
from spotlake_local.azure.kusto import Query, QueryError, Row, parse_query
from spotlake_local.azure.world import World, chance

PAGE = 1000
API_VERSIONS = ("2021-03-01", "2022-10-01", "2024-04-01")
EVICTION_TYPE = "microsoft.compute/skuspotevictionrate/location"
PRICE_TYPE = "microsoft.compute/skuspotpricehistory/ostype/location"
_TABLES = ("spotresources", "resources", "resourcecontainers")
_MONTHS_OF_PRICES = 3  # the documented 90 days
_WINDOWS_FACTOR = 1.6  # as in the price list
_CACHED_QUERIES = 16


@dataclass
class Throttle:
    """Limit of queries per user in a window.

    Attributes:
        queries: Number of queries.
        window_seconds: Length of the window.
    """

    queries: int = 15
    window_seconds: float = 5.0
    times: deque[datetime] = field(default_factory=deque)

    def take(self, now_at: datetime) -> tuple[bool, dict[str, str]]:
        """Count a query. Returns whether it is allowed, and the headers of every reply."""
        while self.times and abs((now_at - self.times[0]).total_seconds()) >= self.window_seconds:
            self.times.popleft()
        allowed = len(self.times) < self.queries
        if allowed:
            self.times.append(now_at)
        oldest = self.times[0] if self.times else now_at
        over = int(max(self.window_seconds - (now_at - oldest).total_seconds(), 0.0)) + 1
        headers = {
            "x-ms-user-quota-remaining": str(self.queries - len(self.times)),
            "x-ms-user-quota-resets-after": f"00:00:{over:02d}",
        }
        if not allowed:
            headers |= {"Retry-After": str(over), "x-ms-ratelimit-remaining-tenant-resource-requests": "0"}
        return allowed, headers


class ResourceGraph:
    """Answers queries about eviction rates and spot prices of the world.

    Attributes:
        wrong_price_share: Share of pairs whose price is a sixth of the price list's (seen in 2021, azure-docs#72349).
    """

    def __init__(self, world: World) -> None:
        """Start with the documented limit of 15 queries in 5 seconds."""
        self.world = world
        self.wrong_price_share = 0.0
        self.throttle = Throttle()
        self._cached: OrderedDict[tuple[str, int, float], tuple[Query, list[dict[str, Any]]]] = OrderedDict()

    def answer(self, body: Any, now_at: datetime, headers: dict[str, str]) -> dict[str, Any]:
        """The JSON of a page. Raises RefusalError (400) for an invalid query or invalid options."""
        try:
            text, options = _text_and_options(body)
            query, rows = self._found(text, now_at)
            top = _whole(options.get("$top", PAGE), 1, PAGE)
            token = options.get("$skipToken") or ""
            start = _start_of(token) if token else _whole(options.get("$skip", 0), 0, 10**9)
            in_table = _is_table(options.get("resultFormat", "objectArray"))
        except QueryError as error:
            raise _bad_query(error, now_at, headers) from None
        # The table has tenant scope, so a query that names subscriptions finds no row (observed 2025).
        if body.get("subscriptions") or body.get("managementGroups"):
            rows = []
        facets = facets_of(body.get("facets"), rows)
        if not query.is_ordered and start:
            # Without an order the pages of one query do not fit together.
            rows = rows[3:] + rows[:3]
        return _page(query, rows, start=start, top=top, in_table=in_table) | {"facets": facets}

    def locations_of(self, body: Any) -> frozenset[str]:
        """Locations that a query names, for fault rules; none for an invalid query."""
        try:
            return parse_query(str(body["query"])).locations or frozenset()
        except (QueryError, TypeError, KeyError):
            return frozenset()

    def _found(self, text: str, now_at: datetime) -> tuple[Query, list[dict[str, Any]]]:
        key = text, now_at.toordinal(), self.wrong_price_share  # bands change by the week, prices by the day
        if key not in self._cached:
            query = parse_query(text)
            if query.table not in _TABLES:
                raise QueryError(0, query.table)
            rows = self._rows(query, now_at)
            if not query.is_ordered:
                # In no order that anybody could count on: neither by region nor by size.
                rows.sort(key=lambda row: chance("order", text, repr(row)))
            self._cached[key] = query, rows
            if len(self._cached) > _CACHED_QUERIES:
                self._cached.popitem(last=False)
        return self._cached[key]

    def _rows(self, query: Query, now_at: datetime) -> list[dict[str, Any]]:
        # The other tables exist and are empty for the principal's subscriptions.
        rows = self._source_rows(query, now_at) if query.table == "spotresources" else iter(())
        return query.answer(rows)

    def _source_rows(self, query: Query, now_at: datetime) -> Iterator[Row]:
        for region in self.world.ondemand:
            if query.locations is not None and region not in query.locations:
                continue
            for size in self.world.spot_sizes(region):
                if query.sizes is not None and size.lower() not in query.sizes:
                    continue
                if query.types is None or EVICTION_TYPE in query.types:
                    yield from self._rates(region, size, now_at)
                if query.types is None or PRICE_TYPE in query.types:
                    yield from self._prices(region, size, now_at)

    def _rates(self, region: str, size: str, now_at: datetime) -> Iterator[Row]:
        band = self.world.eviction_band(region, size, now_at)
        if band is not None or self.world.is_band_empty(region, size):
            yield _row(EVICTION_TYPE, region, size, {"evictionRate": band or ""})

    def _prices(self, region: str, size: str, now_at: datetime) -> Iterator[Row]:
        """One row per operating system: present and past prices, newest first."""
        prices: list[tuple[datetime, float]] = []
        at = now_at
        for _ in range(_MONTHS_OF_PRICES):
            price, began_at = self.world.spot_price(region, size, at), self.world.price_began_at(region, size, at)
            if price is not None:
                prices.append((began_at, price))
            at = began_at - timedelta(days=10)
        factor = 1 / 6 if chance("wrong price", region, size) < self.wrong_price_share else 1.0
        for system, times in (("linux", factor), ("windows", factor * _WINDOWS_FACTOR)):
            history = [
                {"priceUSD": round(price * times, 6), "effectiveDate": to_iso(began_at)} for began_at, price in prices
            ]
            if history:
                row = _row(PRICE_TYPE, region, size, {"osType": system, "spotPrices": history})
                yield {**row, "kind": system}


def _row(kind: str, region: str, size: str, properties: dict[str, Any]) -> dict[str, Any]:
    name = size.lower()  # the tables' sizes are in lower case
    place = f"{name}/{region}"
    return {
        "id": f"/providers/{kind.rpartition('/')[0]}/{place}",
        "type": kind,
        "name": place,
        "kind": "",
        "location": region,
        "tenantId": "",
        "subscriptionId": "",
        "sku": {"name": name},
        "properties": {"skuName": name, **properties},
    }


def _page(query: Query, rows: list[dict[str, Any]], *, start: int, top: int, in_table: bool) -> dict[str, Any]:
    page = rows[start : start + top]
    more = start + top < len(rows)
    data: Any = page
    if in_table:
        columns = [{"name": one.name, "type": "string" if one.is_scalar else "object"} for one in query.columns]
        data = {"columns": columns, "rows": [list(row.values()) for row in page]}
    answer = {
        "totalRecords": len(rows),
        "count": len(page),
        "data": data,
        "facets": [],
        "resultTruncated": "true" if more and not query.has_pages else "false",
    }
    if more and query.has_pages:
        answer["$skipToken"] = base64.b64encode(orjson.dumps({"$id": "1", "start": start + top})).decode()
    return answer


def throttled(now_at: datetime, headers: dict[str, str]) -> RefusalError:
    """The refusal with status 429."""
    detail = {
        "code": "RateLimiting",
        "message": "Client application has been throttled and should not attempt to repeat the request until an "
        "amount of time has elapsed. Please see https://aka.ms/resourcegraph-throttling for help.",
    }
    return RefusalError(429, "RateLimiting", _error("RateLimiting", [detail], now_at), headers=headers)


def _bad_query(error: QueryError, now_at: datetime, headers: dict[str, str]) -> RefusalError:
    invalid = {
        "code": "InvalidQuery",
        "message": "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix "
        "the error before retrying.",
    }
    place = {"line": 1, "characterPositionInLine": error.position, "token": error.token or "<EOF>"}
    failure = {"code": "ParserFailure", "message": "Query parsing failed.", **place, "expectedToken": ""}
    return RefusalError(400, "InvalidQuery", _error("BadRequest", [invalid, failure], now_at), headers=headers)


def _error(code: str, details: list[dict[str, Any]], now_at: datetime) -> dict[str, Any]:
    asked = f"timestamp = {now_at:%Y-%m-%dT%H:%M:%S.%f}0Z, correlationId = {uuid.uuid4()}."
    message = f"Please provide below info when asking for support: {asked}"
    return {"error": {"code": code, "message": message, "details": details}}


def _text_and_options(body: object) -> tuple[str, dict[str, Any]]:
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        raise QueryError
    options = body.get("options") or {}
    if not isinstance(options, dict):
        raise QueryError(0, "options")
    return body["query"], options


def _whole(value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise QueryError(0, str(value))
    return value


def _is_table(result_format: object) -> bool:
    if result_format not in ("objectArray", "table"):
        raise QueryError(0, str(result_format))
    return result_format == "table"


def _start_of(token: str) -> int:
    try:
        return int(orjson.loads(base64.b64decode(token))["start"])
    except (ValueError, KeyError, TypeError) as error:
        raise QueryError(0, "$skipToken") from error
