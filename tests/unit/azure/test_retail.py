"""The retail price list's pages: requests in the documented form, the budget of the address, pages not believed."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from spotlake.azure.http import HttpClient, RetryPolicy
from spotlake.azure.retail import PricePages, narrow_filter, number_of, price_filter
from spotlake.clock import Deadline
from spotlake.errors import DeadlineError, UntrustedAnswerError
from tests.support.errors import says
from tests.support.scripted import answered, scripted_session

BASE = "https://prices.azure.com"
LINK = f"{BASE}:443/api/retail/prices"  # as the API writes its links (captured 2026)


class Site:
    """Pages over a script, which note their waits."""

    def __init__(self, *answers: Any, seconds_left: float = 600.0, **options: Any) -> None:
        session, self.script = scripted_session(*answers)
        self.waited: list[float] = []
        self.client = HttpClient(
            "retail prices", session, RetryPolicy(attempts=1), Deadline(lambda: seconds_left), sleep=self.waited.append
        )
        self.pages = PricePages(self.client, BASE, "the filter", **options)

    def rows(self) -> list[Any]:
        return [row["id"] for row in self.pages.rows()]

    def asked(self) -> list[dict[str, str]]:
        addresses = [urlsplit(str(request.url)) for request, _ in self.script.sent]
        assert {(one.scheme, one.netloc, one.path) for one in addresses} == {
            ("https", "prices.azure.com", "/api/retail/prices")
        }
        return [dict(parse_qsl(one.query)) for one in addresses]


def page(*ids: Any, link: Any = None, **headers: str) -> Any:
    return answered({"Items": [{"id": one} for one in ids], "NextPageLink": link}, **headers)


def full(page_number: int, **more: Any) -> Any:
    return page(*(f"{page_number}.{number}" for number in range(1000)), **more)


FIRST = {"$filter": "the filter", "currencyCode": "'USD'"}


def test_pages_follow_their_links_to_the_end() -> None:
    site = Site(page(1, 2, link=f"{LINK}?$filter=x%20y&$skip=2"), page(2, 3, link=f"{LINK}?$skip=4"), page(4))
    assert site.rows() == [1, 2, 2, 3, 4]
    assert site.asked() == [FIRST, {"$filter": "x y", "$skip": "2"}, {"$skip": "4"}]
    assert {request.method for request, _ in site.script.sent} == {"GET"}
    assert (site.pages.pages, site.pages.rows_read, site.waited) == (3, 5, [])


def test_a_full_page_without_a_link_is_followed_all_the_same() -> None:
    site = Site(full(1), full(2), page())
    assert len(site.rows()) == 2000
    assert site.asked() == [FIRST, {**FIRST, "$skip": "1000"}, {**FIRST, "$skip": "2000"}]
    assert (site.pages.pages, site.pages.rows_read) == (3, 2000)
    assert len(Site(full(1), page("last")).rows()) == 1001
    almost = Site(page(*range(999)))
    assert (len(almost.rows()), len(almost.asked())) == (999, 1)


@pytest.mark.parametrize(
    ("answers", "options", "said"),
    [
        ([page()], {}, "page 1 is empty"),
        ([page(1, link=f"{LINK}?$skip=1"), page()], {}, "page 2 is empty"),
        ([page(1, link=f"{LINK}?$skip=1"), page()], {"may_be_empty": True}, "page 2 is empty"),
        ([page(link=f"{LINK}?$skip=1")], {"may_be_empty": True}, "page 1 is empty"),
        ([full(1), page(link=f"{LINK}?$skip=1")], {}, "page 2 is empty"),
        ([answered({"Items": None})], {}, "page 1 has no Items"),
        ([answered({"Items": {"a": 1}})], {}, "page 1 has no Items"),
        ([answered({"Items": [{"a": 1}, 7]})], {}, "page 1 has no Items"),
        ([page(1, link=f"{LINK}?a=1"), page(1, link=f"{LINK}?a=2")], {}, "page 2 repeats an earlier one"),
        ([page(1, link=f"{LINK}?a=1"), page(2, link=f"{LINK}?a=1")], {}, "the links go in circles after 2 pages"),
        (
            [page(1, link="https://evil.example/api/retail/prices?a=1")],
            {},
            "the next page's link leads to another place",
        ),
        ([page(1, link=f"{BASE}/api/retail/prices/more?a=1")], {}, "the next page's link leads to another place"),
    ],
)
def test_a_list_that_cannot_be_whole_is_not_believed(answers: list[Any], options: Any, said: str) -> None:
    with says(UntrustedAnswerError, f"retail prices: {said}"):
        Site(*answers, **options).rows()


def test_a_narrow_question_may_have_no_row() -> None:
    site = Site(page(), may_be_empty=True)
    assert (site.rows(), site.pages.pages, site.pages.rows_read) == ([], 1, 0)


def test_pages_that_begin_or_end_alike_are_not_the_same() -> None:
    site = Site(
        page(1, 2, link=f"{LINK}?a=1"), page(1, 3, link=f"{LINK}?a=2"), page(0, 3, link=f"{LINK}?a=3"), page(1, 5, 3)
    )
    assert site.rows() == [1, 2, 1, 3, 0, 3, 1, 5, 3]
    assert Site(page(1, 5, 2, link=f"{LINK}?a=1"), page(1, 2)).rows() == [1, 5, 2, 1, 2]


def test_sixty_pages_are_the_most() -> None:
    def pages(count: int) -> Site:
        return Site(*(page(n, link=f"{LINK}?a={n}") for n in range(count - 1)), page("last"))

    assert len(pages(60).rows()) == 60
    with says(UntrustedAnswerError, "retail prices: the links go in circles after 61 pages"):
        pages(61).rows()


def budget(left: str, wait: str | None = None) -> dict[str, str]:
    asked = {} if wait is None else {"x_ms_ratelimit_retailPrices_retry_after": wait}
    return {"x_ms_ratelimit_remaining_retailPrices_requests": left, **asked}


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        (budget("0", "7"), [7.0]),
        (budget("0", "0"), [0.0]),
        (budget("0"), [60.0]),
        (budget("0", "soon"), [60.0]),
        (budget("1", "7"), []),
        ({}, []),
    ],
)
def test_a_used_up_budget_is_waited_for_before_the_next_page(headers: dict[str, str], waited: list[float]) -> None:
    site = Site(page(1, link=f"{LINK}?a=1", **headers), page(2, **budget("0", "9")))
    assert site.rows() == [1, 2]
    assert (site.waited, site.client.counts.waited_seconds) == (waited, sum(waited))  # nobody waits after the last page


def test_no_wait_is_begun_that_leaves_no_second() -> None:
    pages = (page(1, link=f"{LINK}?a=1", **budget("0", "30")), page(2))
    site = Site(*pages, seconds_left=31.0)
    with says(DeadlineError, "retail prices: budget of this address: 31.0 s left, needs 31.0 s"):
        site.rows()
    assert (site.waited, site.client.counts.waited_seconds) == ([], 0.0)
    assert Site(*pages, seconds_left=31.1).rows() == [1, 2]


def test_filters_in_the_grammar_of_the_api() -> None:
    listed = "serviceName eq 'Virtual Machines' and priceType eq 'Consumption' and armRegionName eq 'eastus'"
    assert price_filter("eastus", ondemand=True) == listed
    assert price_filter("eastus", ondemand=False) == f"{listed} and contains(meterName,'Spot')"
    sizes = "(armSkuName eq 'Standard_D2s_v5' or armSkuName eq 'O''Size')"
    assert narrow_filter("eastus", ["Standard_D2s_v5", "O'Size"], ondemand=True) == f"{listed} and {sizes}"
    spot = narrow_filter("eastus", ["A"], ondemand=False)
    assert spot == f"{listed} and contains(meterName,'Spot') and (armSkuName eq 'A')"
    assert narrow_filter("eastus", ["A"] * 15, ondemand=True).count(" or ") == 14
    with says(ValueError, "16 sizes; at most 15"):
        narrow_filter("eastus", ["A"] * 16, ondemand=True)


@pytest.mark.parametrize(
    ("value", "number"),
    [(0.5, 0.5), (7, 7.0), ("0.5", 0.5), ("-2", -2.0), ("1e-05", 1e-05), ("1E5", 1e5), ("2.50", 2.5)],
)
def test_a_number_may_be_quoted(value: object, number: float) -> None:
    found = number_of(value)
    assert (found, type(found)) == (number, float)


@pytest.mark.parametrize("value", [None, True, "", "cheap", "1,5", " 1", "nan", "1_000", "0x1", [1], ".5", "5."])
def test_what_is_no_number_is_refused_with_its_value(value: object) -> None:
    with says(TypeError, f"{value!r} is no number"):
        number_of(value)


def test_a_number_beyond_all_floats_is_told_apart() -> None:
    with pytest.raises(OverflowError):
        number_of(10**400)
