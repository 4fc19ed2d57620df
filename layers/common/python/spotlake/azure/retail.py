"""Reads all rows of one region from the retail prices API, page after page.

``GET https://prices.azure.com/api/retail/prices`` (Microsoft Learn, "Azure Retail Prices overview";
limits as observed in public code, 2026-10): 1,000 rows a page, at most 20 comparisons in a filter, a budget of requests
per client address, which two headers report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from spotlake.azure.answers import json_of
from spotlake.azure.http import HttpClient
from spotlake.errors import UntrustedAnswerError

API = "retail prices"
PATH = "/api/retail/prices"
PAGE = 1000
MOST_PAGES = 60  # pages of one region; the largest has 16 (15,483 rows of all types on 2026-09-08)
SIZES_A_REQUEST = 15  # a filter holds at most 20 comparisons; 4 are taken
_WINDOW_SECONDS = 60.0  # of the budget, when no header reports it (observed)
_LEFT_HEADER = "x-ms-ratelimit-remaining-retailPrices-requests"
_WAIT_HEADER = "x-ms-ratelimit-retailPrices-retry-after"
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LINUX_VM = "serviceName eq 'Virtual Machines' and priceType eq 'Consumption'"


def price_filter(region: str, *, ondemand: bool) -> str:
    """The filter for the server, as narrow as its grammar allows (it has no ``not``, so no "not Windows").

    >>> price_filter("koreacentral", ondemand=False)[-66:]
    "and armRegionName eq 'koreacentral' and contains(meterName,'Spot')"
    """
    narrowed = f"{_LINUX_VM} and armRegionName eq '{region}'"
    return narrowed if ondemand else f"{narrowed} and contains(meterName,'Spot')"


def narrow_filter(region: str, instance_types: Sequence[str], *, ondemand: bool) -> str:
    """A filter for a few sizes that a listing lacks.

    Args:
        region: ARM code.
        instance_types: At most ``SIZES_A_REQUEST``; ValueError for more.
        ondemand: As for ``price_filter``.

    >>> narrow_filter("koreacentral", ["Standard_D2s_v5", "Standard_D4s_v5"], ondemand=False)[-72:]
    "and (armSkuName eq 'Standard_D2s_v5' or armSkuName eq 'Standard_D4s_v5')"
    """
    if len(instance_types) > SIZES_A_REQUEST:
        raise ValueError(f"{len(instance_types)} sizes; at most {SIZES_A_REQUEST}")
    wanted = " or ".join(f"armSkuName eq '{name.replace(chr(39), chr(39) * 2)}'" for name in instance_types)
    return f"{price_filter(region, ondemand=ondemand)} and ({wanted})"


type RetailItem = Mapping[str, object]  # a row of the list as served: any field may be missing, or of an odd type


def number_of(value: object) -> float:
    """A field's number, which may be quoted. Raises TypeError for anything else, OverflowError beyond a float."""
    if type(value) is float:
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise TypeError(f"{value!r} is no number")
    return float(cast("int | float | str", value))


@dataclass
class PricePages:
    """Reads all rows of one filter, in order.

    Attributes:
        client: For this API.
        base_url: ``https://prices.azure.com``. A link to another host is not followed.
        filter_text: Result of ``price_filter`` or ``narrow_filter``.
        may_be_empty: Whether an answer without rows is believed, as for a narrow filter.
        pages, rows_read: Numbers read so far.
    """

    client: HttpClient
    base_url: str
    filter_text: str
    may_be_empty: bool = False
    pages: int = 0
    rows_read: int = 0
    _links: set[str] = field(default_factory=set)
    _seen_pages: set[str] = field(default_factory=set)

    def rows(self) -> Iterator[RetailItem]:
        """Every row.

        Raises:
            UntrustedAnswerError: A page is not JSON, is empty before the end, repeats itself, or the links go in
                circles or to another host. Rows that were read before must not be used.
            AzureError: As the HTTP client raises it.
        """
        params: dict[str, str] | None = {"$filter": self.filter_text, "currencyCode": "'USD'"}
        after_full_page = False
        while params is not None:
            response = self.client.send("GET", self.base_url + PATH, params=params)
            body = json_of(API, response)
            self.pages += 1
            items = body.get("Items")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise UntrustedAnswerError(API, f"page {self.pages} has no Items")
            link = str(body.get("NextPageLink") or "")
            if (after_full_page or (self.may_be_empty and self.pages == 1)) and not items and not link:
                return
            self._check(items, link)
            self.rows_read += len(items)
            yield from items
            after_full_page = len(items) >= PAGE
            if link or not after_full_page:
                params = self._next_params(link)
            else:
                # In March 2023 links were missing although there were more pages. The page after the last one is empty.
                params = {**params, "$skip": str(self.pages * PAGE)}
            if params is not None:
                self._keep_to_budget(response.headers)

    def _check(self, items: list[RetailItem], link: str) -> None:
        if not items:
            raise UntrustedAnswerError(API, f"page {self.pages} is empty")
        # A repeated page begins with the same row. A boundary row repeats the last row of a page, not the first.
        ends = repr((sorted(items[0].items()), len(items), sorted(items[-1].items())))
        if ends in self._seen_pages:
            raise UntrustedAnswerError(API, f"page {self.pages} repeats an earlier one")
        self._seen_pages.add(ends)
        if (link and link in self._links) or self.pages > MOST_PAGES:
            raise UntrustedAnswerError(API, f"the links go in circles after {self.pages} pages")
        self._links.add(link)

    def _next_params(self, link: str) -> dict[str, str] | None:
        """Query of the next page. The host stays the same, whatever the link says."""
        if not link:
            return None
        parts = urlsplit(link)
        if parts.hostname != urlsplit(self.base_url).hostname or parts.path != PATH:
            raise UntrustedAnswerError(API, "the next page's link leads to another place")
        return dict(parse_qsl(parts.query))

    def _keep_to_budget(self, headers: Mapping[str, str]) -> None:
        """Wait for a new window when the budget of this address is used up, to avoid a refusal."""
        if headers.get(_LEFT_HEADER) == "0":
            asked = headers.get(_WAIT_HEADER, "")
            wait = float(asked) if asked.isdecimal() else _WINDOW_SECONDS
            self.client.deadline.check(f"{API}: budget of this address", needs_seconds=wait + 1.0)
            self.client.counts.add(waited_seconds=wait)
            self.client.sleep(wait)
