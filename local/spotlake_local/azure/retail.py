"""The retail prices API: parameters, refusals, pages, and the budget of a client address.

Facts: Microsoft Learn, "Azure Retail Prices overview", and live captures in public repositories (2026-10).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import orjson

from spotlake_local.azure.answers import RefusalError
from spotlake_local.azure.kept_lists import KeptLists
from spotlake_local.azure.odata import Filter, FilterError, parse_filter
from spotlake_local.azure.retail_rows import PriceList, Row, with_new_kind, with_savings_plan, with_second_meters
from spotlake_local.azure.world import World, chance

PATH = "/api/retail/prices"
PAGE = 1000
LONGEST_URL = 2048
CASE_SENSITIVE_VERSION = "2023-01-01-preview"
VERSIONS = ("", "2021-10-01-preview", CASE_SENSITIVE_VERSION)
# The list's currencies (Learn) and what a dollar is in them here: round numbers, not the rates of any day.
CURRENCIES = {
    "USD": 1.0, "AUD": 1.5, "BRL": 5.0, "CAD": 1.4, "CHF": 0.9, "CNY": 7.0, "DKK": 7.0, "EUR": 0.9, "GBP": 0.8,
    "INR": 85.0, "JPY": 150.0, "KRW": 1400.0, "NOK": 11.0, "NZD": 1.7, "RUB": 90.0, "SEK": 10.0, "TWD": 32.0,
}  # fmt: skip
_CACHED_LISTS = 24
_LEFT_HEADER = "x-ms-ratelimit-remaining-retailPrices-requests"
_BAD_FILTER = "Invalid OData parameters supplied"


_UNLIMITED = 9  # quota left in a first answer


@dataclass
class Holes:
    """Rows that the list leaves out in silence, as in August 2026: neighbours in the order of their meters.

    Attributes:
        rows: Region -> how many.
        narrow: Whether requests for single sizes miss them too.
    """

    rows: dict[str, int] = field(default_factory=dict)
    narrow: bool = False

    def left(self, region: str, rows: list[Row], filter_text: str) -> list[Row]:
        """The rows that are served."""
        width = self.rows.get(region, 0)
        if not width or ("armSkuName" in filter_text and not self.narrow):
            return rows
        first = int(chance("hole", region) * max(len(rows) - width, 1))
        return rows[:first] + rows[first + width :]


@dataclass
class Novelties:
    """What the list has besides, by region.

    Attributes:
        kinds: Words that stand where a spot meter says "Spot" ("Spot Plus").
        second_meters: How many sizes have a second Linux spot meter, of another price.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    second_meters: dict[str, int] = field(default_factory=dict)

    def added(self, region: str, rows: list[Row]) -> list[Row]:
        """The rows that are served."""
        if region in self.kinds:
            rows = with_new_kind(rows, self.kinds[region])
        return with_second_meters(rows, self.second_meters[region]) if region in self.second_meters else rows

    def of(self, region: str) -> tuple[object, ...]:
        """What tells one list of a region from another."""
        return self.kinds.get(region), self.second_meters.get(region)


@dataclass
class Budget:
    """Requests per window of one client address; 0 requests = no limit.

    Observed are about 10 in 60 s, by others 5 in 1 s. Every client here has the one address 127.0.0.1.
    """

    requests: int = 0
    window_seconds: float = 60.0
    headers: bool = True
    retry_after: bool = False
    times: list[datetime] = field(default_factory=list)

    def spend(self, now_at: datetime) -> dict[str, str]:
        """Count a request; the headers of its answer. Raises RefusalError: 429 with an empty body."""
        if not self.requests:
            return {_LEFT_HEADER: str(_UNLIMITED)} if self.headers else {}
        self.times[:] = [at for at in self.times if (now_at - at).total_seconds() < self.window_seconds]
        refused = len(self.times) >= self.requests
        if not refused:
            self.times.append(now_at)
        headers = {_LEFT_HEADER: str(self.requests - len(self.times))}
        wait = str(max(1, int(self.window_seconds)))
        if refused:
            headers["x-ms-ratelimit-retailPrices-retry-after"] = wait
        headers = headers if self.headers else {}
        if refused:
            headers |= {"Retry-After": wait} if self.retry_after else {}
            raise RefusalError(429, "budget", "", headers=headers)
        return headers


@dataclass(frozen=True)
class Query:
    """A checked query string."""

    filter_text: str
    filter: Filter
    version: str
    currency: str
    primary_only: bool
    skip: int
    top: int | None = None

    @property
    def money(self) -> str:
        """The currency of the answer."""
        return self.currency.strip("'").upper() or "USD"

    def next_link(self, origin: str) -> str:
        """The next page's address, with an explicit port and the filter percent-encoded."""
        kept = (("api-version", self.version), ("currencyCode", self.currency))
        extra = "".join(f"&{name}={quote(value)}" for name, value in kept if value)
        primary = "&meterRegion=%27primary%27" if self.primary_only else ""
        top = "" if self.top is None else f"&$top={self.top - PAGE}"
        return f"{origin}{PATH}?$filter={quote(self.filter_text)}{extra}{primary}&$skip={self.skip + PAGE}{top}"


def parse_query(params: Mapping[str, str], url: str) -> Query:
    """Check a query string. Raises RefusalError with the API's own body."""
    if len(url) > LONGEST_URL:
        raise RefusalError(404, "long URL", "")
    text, version = params.get("$filter", ""), params.get("api-version", "")
    if version not in VERSIONS:
        raise bad_request("Unsupported API version")
    if "/any(" in text:
        raise bad_request("Invalid parameters supplied")
    currency, skip = params.get("currencyCode", ""), params.get("$skip", "0")
    if currency and currency.strip("'").upper() not in CURRENCIES:
        raise bad_request("Invalid parameters supplied")
    try:
        parsed = parse_filter(text, case_sensitive=version == CASE_SENSITIVE_VERSION)
    except FilterError:
        raise bad_request(_BAD_FILTER) from None
    top = params.get("$top")
    if not skip.isdecimal() or not (top is None or (top.isdecimal() and int(top))):
        raise bad_request(_BAD_FILTER)
    primary = params.get("meterRegion", "").strip("'") == "primary"
    return Query(text, parsed, version, currency, primary, int(skip), None if top is None else int(top))


def bad_request(message: str) -> RefusalError:
    """A 400 in this API's own spelling, which is not ARM's."""
    return RefusalError(400, message, {"Error": {"Code": "BadRequest", "Message": message}})


class RetailPrices:
    """Pages of the price list, made when asked for and kept as bytes."""

    def __init__(self, world: World) -> None:
        """Nothing is made yet."""
        self.prices = PriceList(world)
        self.budget = Budget()
        self.holes = Holes()
        self.novelties = Novelties()
        self._lists: OrderedDict[tuple[object, ...], list[bytes]] = OrderedDict()
        self._lengths: dict[tuple[object, ...], int] = {}
        self._seed = world.seed
        self._kept: KeptLists | None = None

    def keep_in(self, folder: Path) -> None:
        """Keep the lists of the newest day in a folder, where another start finds them."""
        self._kept = KeptLists(folder, seed=self._seed)

    def page(self, query: Query, origin: str, now_at: datetime, *, empty: bool = False) -> bytes:
        """One page as JSON: up to 1,000 rows; past the end an empty one.

        Args:
            query: From ``parse_query``.
            origin: ``http://127.0.0.1:port``, for the link.
            now_at: Prices of this day.
            empty: Without rows, as if nothing matched (a fault).
        """
        rows, more = ([], False) if empty else self._rows(query, now_at)
        if query.top is not None:  # as OData has it; whether the real list heeds it is not established
            rows, more = rows[: query.top], more and query.top > PAGE
        link = query.next_link(origin) if more else None
        return b"".join(
            (
                b'{"BillingCurrency":"%b","CustomerEntityId":"Default",' % query.money.encode(),
                b'"CustomerEntityType":"Retail","Items":[',
                b",".join(rows),
                b'],"NextPageLink":',
                orjson.dumps(link),
                b',"Count":%d}' % len(rows),
            )
        )

    def _rows(self, query: Query, now_at: datetime) -> tuple[list[bytes], bool]:
        """The rows of a page, and whether there are more.

        Each page but the first begins with the last row of the page before: row i of what is served is row
        i - i // PAGE of the list.
        """
        served = range(query.skip, query.skip + PAGE)
        wanted = [number - number // PAGE for number in served]
        first, after = wanted[0], wanted[-1] + 1
        found = self._slice(query, first, after + 1, now_at)
        next_page_begins_with = query.skip + PAGE - (query.skip + PAGE) // PAGE
        more = len(found) > next_page_begins_with - first
        return [found[number - first] for number in wanted if number - first < len(found)], more

    def _slice(self, query: Query, first: int, after: int, now_at: datetime) -> list[bytes]:
        """Rows first to after of all that match; regions come one after the other."""
        region = query.filter.region
        regions = self.prices.regions() if region is None else [region.lower()]
        rows: list[bytes] = []
        start = 0
        for code in regions:
            hole = (self.holes.rows.get(code, 0), self.holes.narrow, self.novelties.of(code))
            key = (query.filter_text, query.version, query.money, query.primary_only, now_at.date(), code, hole)
            if key in self._lengths and start + self._lengths[key] <= first:
                start += self._lengths[key]
                continue
            matching = self._matching(key, query, code, now_at)
            rows.extend(matching[max(first - start, 0) : max(after - start, 0)])
            start += len(matching)
            if start >= after:
                break
        return rows

    def _matching(self, key: tuple[object, ...], query: Query, region: str, now_at: datetime) -> list[bytes]:
        if key in self._lists:
            self._lists.move_to_end(key)
            return self._lists[key]
        matching = self._kept.find(key, now_at.date()) if self._kept else None
        if matching is None:
            matching = [orjson.dumps(self._shown(row, query)) for row in self._tested(query, region, now_at)]
            if self._kept:
                self._kept.keep(key, now_at.date(), matching)
        self._lists[key], self._lengths[key] = matching, len(matching)
        if len(self._lists) > _CACHED_LISTS:
            self._lists.popitem(last=False)
        return matching

    def _tested(self, query: Query, region: str, now_at: datetime) -> list[Row]:
        # Of the day, not of the minute: the pages of one reading fit together.
        day_at = now_at.replace(hour=0, minute=0, second=0, microsecond=0)
        listed = self.novelties.added(region, self.prices.rows(region, day_at))
        listed = self.holes.left(region, listed, query.filter_text)
        rows = [row for row in listed if query.filter.test(row)]
        return [row for row in rows if row["isPrimaryMeterRegion"]] if query.primary_only else rows

    def _shown(self, row: Row, query: Query) -> Row:
        if query.money != "USD":
            price = round(row["retailPrice"] * CURRENCIES[query.money], 6)
            row = {**row, "currencyCode": query.money, "retailPrice": price, "unitPrice": price}
        return with_savings_plan(row) if query.version == CASE_SENSITIVE_VERSION else row
