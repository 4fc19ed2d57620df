"""Reads spot tables of Azure Resource Graph, one region at a time: eviction rates, or another query.

``POST https://management.azure.com/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01``
(Microsoft Learn, Resource Graph: paging, throttling; read 2026-11). Queries have tenant scope, because the table is
empty for a list of subscriptions (grafana/grafana#103702).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from spotlake.azure.answers import HttpAnswer, json_of
from spotlake.azure.http import HttpClient
from spotlake.azure.signed import Tokens
from spotlake.errors import AzureRefusedError, UntrustedAnswerError

API = "resource graph"
API_VERSION = "2024-04-01"
PATH = "/providers/Microsoft.ResourceGraph/resources"
PAGE = 1000
MOST_PAGES = 20  # a region has at most about 1,700 sizes
# Percent of machines evicted per hour -> SpotLake's interruption frequency (high = rarely evicted).
BANDS: Mapping[str, float] = {"0-5": 3.0, "5-10": 2.5, "10-15": 2.0, "15-20": 1.5, "20+": 1.0}
_BAND_NOISE = str.maketrans({" ": None, "%": None, "\u2013": "-", "\u2212": "-"})
_RESETS_AFTER = re.compile(r"(\d{1,4}):(\d{1,4}):(\d{1,4})", re.ASCII)


def band_of(text: object) -> str:
    """A band as stored: plain hyphens, no blanks, no percent signs; "" when there is no band.

    >>> band_of("0 - 5 %"), band_of(None)
    ('0-5', '')
    """
    return str("" if text is None else text).translate(_BAND_NOISE)


def eviction_query(region: str) -> str:
    """The query: every column as text, because paging needs it, and ordered by a unique key.

    The region is an ARM code that has been checked: nothing else can be in the text.
    """
    if not region.isalnum():
        raise ValueError(f"{region!r} is not an ARM code")
    return (
        "spotresources | where type =~ 'microsoft.compute/skuspotevictionrate/location'"
        f" | where location =~ '{region}'"
        " | project skuName=tostring(sku.name), location, evictionRate=tostring(properties.evictionRate)"
        " | where isnotempty(skuName) and isnotempty(location) and isnotempty(evictionRate)"
        " | order by skuName asc, location asc"
    )


type GraphRow = dict[str, object]  # column -> value; every query here asks for text


@dataclass
class GraphPages:
    """Reads the rows of one query about a region, page after page.

    Attributes:
        client: For this API.
        management_url: ``https://management.azure.com``.
        tokens: Sign-in.
        query: Region -> query. The columns are text, and the order is by a unique key.
        turn: Takes a turn among all collectors, and returns the seconds to wait for it (``stores/turns.py``).
        pages: Number of pages read so far.
        doubled: Number of rows that repeat an earlier row word for word.
        total: Number of rows that the first page announced; None before the first page, or when the page did not say.
    """

    client: HttpClient
    management_url: str
    tokens: Tokens
    turn: Callable[[], float]
    query: Callable[[str], str] = eviction_query
    pages: int = 0
    doubled: int = 0
    total: int | None = None
    _sent_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    _rest_seconds: float = field(default=0.0, repr=False)

    def rows(self, region: str) -> Iterator[GraphRow]:
        """Yield every row once; a row of eviction rates is ``{"skuName", "location", "evictionRate"}``.

        The caller compares the number of rows with ``total``: a repeated row may stand in the place of a missing one.

        Raises:
            UntrustedAnswerError: A page is truncated or unreadable, or the tokens go in circles.
            AzureError: As the HTTP client raises it.
        """
        token, tokens = "", set[str]()
        seen: set[tuple[str, ...]] = set()
        while True:
            body = self._page(region, token)
            data = body.get("data")
            if not _is_rows(data) or str(body.get("resultTruncated")).lower() == "true":
                raise UntrustedAnswerError(API, f"{region}: page {self.pages} is truncated or has no rows")
            announced = body.get("totalRecords")
            self.total = announced if self.total is None and type(announced) is int else self.total
            for row in data:
                words = tuple(f"{name}={str(row[name]).lower()}" for name in sorted(row))
                if words in seen:
                    self.doubled += 1
                    continue
                seen.add(words)
                yield row
            token = str(body.get("$skipToken") or "")
            if not token or not data:
                break
            if token in tokens or self.pages >= MOST_PAGES:
                raise UntrustedAnswerError(API, f"{region}: the page tokens go in circles")
            tokens.add(token)

    def _page(self, region: str, token: str) -> dict[str, object]:
        options: dict[str, object] = {"resultFormat": "objectArray", "$top": PAGE}
        if token:
            options["$skipToken"] = token
        body = {"query": self.query(region), "options": options}
        self.tokens.headers()  # before the turn: signing in takes longer than turns are apart
        try:
            response = self._send(body)
        except AzureRefusedError as error:
            if error.status != 401:
                raise
            # A token can end early; a second refusal is permanent.
            self.tokens.renew(self._sent_headers)
            response = self._send(body)
        self.pages += 1
        self._rest_seconds = self._rest_of(response.headers)
        return json_of(API, response)

    def _send(self, body: Mapping[str, object]) -> HttpAnswer:
        rest_seconds, self._rest_seconds = self._rest_seconds, 0.0
        if rest_seconds:
            self._wait(rest_seconds)
        self._wait(self.turn())
        url, params = f"{self.management_url}{PATH}", {"api-version": API_VERSION}
        return self.client.send("POST", url, params=params, json=body, headers=self._headers)

    def _headers(self) -> Mapping[str, str]:
        self._sent_headers = self.tokens.headers()
        return self._sent_headers

    def _rest_of(self, headers: Mapping[str, str]) -> float:
        """Seconds until the next query may go out: the rest of the window when the user's queries are used up.

        After the last page nobody waits: rows that were read are not lost to a deadline.
        """
        if headers.get("x-ms-user-quota-remaining") != "0":
            return 0.0
        found = _RESETS_AFTER.search(headers.get("x-ms-user-quota-resets-after", ""))
        hours, minutes, seconds = (int(part) for part in found.groups()) if found else (0, 0, 5)
        return hours * 3600 + minutes * 60 + seconds + self.client.jitter()

    def _wait(self, wait: float) -> None:
        self.client.deadline.check(f"{API}: quota", needs_seconds=wait + 1.0)
        self.client.counts.add(waited_seconds=wait)
        self.client.sleep(wait)


def _is_rows(data: object) -> TypeGuard[list[GraphRow]]:
    return isinstance(data, list) and all(isinstance(row, dict) for row in data)
