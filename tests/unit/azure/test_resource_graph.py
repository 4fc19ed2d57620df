"""Resource Graph's pages: the request in its documented form, turns and rests before it, pages that are not believed.

Microsoft Learn, "Resources - Resources" of Azure Resource Graph and "Guidance for throttled requests", read 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from spotlake.azure.http import HttpClient, RetryPolicy
from spotlake.azure.resource_graph import BANDS, GraphPages, band_of, eviction_query
from spotlake.clock import Deadline
from spotlake.errors import AzureRefusedError, DeadlineError, UntrustedAnswerError
from tests.support.errors import says
from tests.support.scripted import Script, answered, made, scripted_session

QUERY = (
    "spotresources | where type =~ 'microsoft.compute/skuspotevictionrate/location' | where location =~ 'eastus'"
    " | project skuName=tostring(sku.name), location, evictionRate=tostring(properties.evictionRate)"
    " | where isnotempty(skuName) and isnotempty(location) and isnotempty(evictionRate)"
    " | order by skuName asc, location asc"
)


class Tokens:
    """Numbers its tokens, and notes what it is asked."""

    def __init__(self, notes: list[str]) -> None:
        self.number, self.notes = 1, notes

    def headers(self) -> dict[str, str]:
        self.notes.append("token")
        return {"Authorization": f"Bearer {self.number}"}

    def renew(self, refused: Mapping[str, str]) -> None:
        assert refused == {"Authorization": f"Bearer {self.number}"}
        self.number += 1


class Site:
    """Pages over a script; waits and turns are noted in the order in which they come."""

    def __init__(self, *answers: Any, turn_seconds: float = 0.5, seconds_left: float = 600.0, **options: Any) -> None:
        self.notes: list[str] = []
        session, self.script = scripted_session(*answers)
        self.client = HttpClient(
            "resource graph",
            session,
            RetryPolicy(attempts=1),
            Deadline(lambda: seconds_left),
            sleep=lambda seconds: self.notes.append(f"wait {seconds}"),
            jitter=lambda: 0.25,
        )
        self.turn_seconds = turn_seconds
        self.pages = GraphPages(self.client, "https://arm.example", Tokens(self.notes), self.turn, **options)

    def turn(self) -> float:
        self.notes.append("turn")
        return self.turn_seconds

    def rows(self) -> list[Any]:
        return list(self.pages.rows("eastus"))


def page(*names: str, token: Any = None, headers: Mapping[str, str] = {}, **more: Any) -> Any:
    rows = [{"skuName": name, "location": "eastus", "evictionRate": "0-5"} for name in names]
    return answered({"data": rows, **({"$skipToken": token} if token is not None else {}), **more}, **headers)


def bodies(script: Script) -> list[Any]:
    return [json.loads(request.body or b"") for request, _ in script.sent]


def test_each_page_is_one_request_in_the_documented_form_after_a_turn() -> None:
    site = Site(page("a", "b", token="t1", totalRecords=3, resultTruncated="false"), page("C", totalRecords=9))
    assert [row["skuName"] for row in site.rows()] == ["a", "b", "C"]
    for request, _ in site.script.sent:
        where = "https://arm.example/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"
        assert (request.method, request.url) == ("POST", where)
        assert request.headers["Authorization"] == "Bearer 1"
    options = {"resultFormat": "objectArray", "$top": 1000}
    assert bodies(site.script) == [
        {"query": QUERY, "options": options}, {"query": QUERY, "options": {**options, "$skipToken": "t1"}}
    ]  # fmt: skip
    # Signing in takes longer than turns are apart: it comes before the turn, and a valid token is cheap after it.
    assert site.notes == ["token", "turn", "wait 0.5", "token"] * 2
    assert (site.pages.pages, site.pages.total, site.pages.doubled) == (2, 3, 0)
    assert site.client.counts.waited_seconds == 1.0


def test_a_row_that_comes_twice_is_told_once_whatever_its_casing_and_order() -> None:
    rows = [{"a": "X", "b": "1"}, {"b": "1", "a": "x"}, {"a": "x", "b": "2"}, {"a": "x"}, {"a": "x"}]
    site = Site(answered({"data": rows, "totalRecords": 5}))
    assert site.rows() == [rows[0], rows[2], rows[3]]
    assert (site.pages.doubled, site.pages.total) == (2, 5)


@pytest.mark.parametrize("announced", [None, "7", 7.0, True])
def test_a_total_that_is_no_whole_number_is_none(announced: object) -> None:
    site = Site(page("a", token="t", totalRecords=announced), page("b", totalRecords=0))
    site.rows()
    assert site.pages.total == 0  # of the next page
    assert Site(page("a")).pages.total is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "page 1 is truncated or has no rows"),
        ({"data": {"rows": []}}, "page 1 is truncated or has no rows"),
        ({"data": [{"a": "1"}, "text"]}, "page 1 is truncated or has no rows"),
        ({"data": [{"a": "1"}], "resultTruncated": "true"}, "page 1 is truncated or has no rows"),
        ({"data": [{"a": "1"}], "resultTruncated": True}, "page 1 is truncated or has no rows"),
    ],
)
def test_a_page_that_cannot_be_whole_is_not_believed(body: dict[str, Any], said: str) -> None:
    with says(UntrustedAnswerError, f"resource graph: eastus: {said}"):
        Site(answered(body)).rows()


def test_a_token_that_comes_again_ends_the_reading_at_once() -> None:
    site = Site(page("a", token="t"), page("b", token="u"), page("c", token="t"))
    with says(UntrustedAnswerError, "resource graph: eastus: the page tokens go in circles"):
        site.rows()
    assert len(site.script.sent) == 3
    with says(UntrustedAnswerError, "resource graph: the answer is not JSON, or too much of it"):
        Site(made(200, b"<html>")).rows()


def test_pages_end_without_a_token_or_without_rows_and_twenty_are_the_most() -> None:
    assert len(Site(page("a", token=""), page("b")).rows()) == 1
    assert len(Site(page("a", token="1"), page(token="2"), page("b")).rows()) == 1
    assert len(Site(*(page(str(n), token=str(n)) for n in range(19)), page("last")).rows()) == 20
    site = Site(*(page(str(n), token=str(n)) for n in range(21)))
    with says(UntrustedAnswerError, "resource graph: eastus: the page tokens go in circles"):
        site.rows()
    assert site.pages.pages == 20


def test_a_token_that_ended_early_is_renewed_once() -> None:
    site = Site(made(401, b"{}"), page("a"))
    assert len(site.rows()) == 1
    assert [request.headers["Authorization"] for request, _ in site.script.sent] == ["Bearer 1", "Bearer 2"]
    assert bodies(site.script)[0] == bodies(site.script)[1]
    assert site.notes.count("turn") == 2
    for status, sent in ((401, 2), (403, 1)):
        site = Site(made(status, b"{}"))
        with says(AzureRefusedError, f"resource graph: HTTP {status}"):
            site.rows()
        assert len(site.script.sent) == sent


@pytest.mark.parametrize(
    ("remaining", "resets_after", "rest"),
    [
        ("0", "00:00:05", 5.25),
        ("0", "01:02:03", 3723.25),
        ("0", "soon", 5.25),
        ("0", None, 5.25),
        ("1", "00:00:05", None),
        (None, "00:00:05", None),
        ("0", "00:00:00", 0.25),
    ],
)
def test_a_used_up_quota_is_rested_for_before_the_next_page(
    remaining: str | None, resets_after: str | None, rest: float | None
) -> None:
    names = {"x_ms_user_quota_remaining": remaining, "x_ms_user_quota_resets_after": resets_after}
    headers = {name: value for name, value in names.items() if value is not None}
    site = Site(page("a", token="t", headers=headers), page("b", token="u"), page("c"), seconds_left=4000.0)
    assert len(site.rows()) == 3
    rested = [] if rest is None else [f"wait {rest}"]
    plain = ["token", "turn", "wait 0.5", "token"]
    assert site.notes == [*plain, "token", *rested, *plain[1:], *plain]  # the rest is over after one page
    assert site.client.counts.waited_seconds == 1.5 + (rest or 0.0)


def test_a_page_that_is_asked_for_twice_is_rested_for_once() -> None:
    used_up = {"x_ms_user_quota_remaining": "0", "x_ms_user_quota_resets_after": "00:00:05"}
    site = Site(page("a", token="t", headers=used_up), made(401, b"{}"), page("b"))
    assert len(site.rows()) == 2
    assert [note for note in site.notes if note.startswith("wait")] == ["wait 0.5", "wait 5.25", "wait 0.5", "wait 0.5"]


def test_nobody_rests_after_the_last_page_and_no_wait_is_begun_that_leaves_no_second() -> None:
    used_up = {"x_ms_user_quota_remaining": "0", "x_ms_user_quota_resets_after": "00:09:00"}
    assert len(Site(page("a", headers=used_up), seconds_left=100.0).rows()) == 1
    site = Site(page("a", token="t", headers=used_up), seconds_left=541.25)
    with says(DeadlineError, "resource graph: quota: 541.2 s left, needs 541.2 s"):
        site.rows()
    assert site.client.counts.waited_seconds == 0.5  # of the first turn
    site = Site(page("a"), turn_seconds=9.0, seconds_left=10.0)
    with says(DeadlineError, "resource graph: quota: 10.0 s left, needs 10.0 s"):
        site.rows()
    assert len(Site(page("a"), turn_seconds=8.9, seconds_left=10.0).rows()) == 1


def test_another_query_is_asked_as_it_is() -> None:
    site = Site(page("a"), query=lambda region: f"other of {region}")
    site.rows()
    assert bodies(site.script)[0]["query"] == "other of eastus"


def test_only_an_arm_code_is_put_into_the_query() -> None:
    assert eviction_query("eastus") == QUERY
    with says(ValueError, '"eastus\' or 1==1" is not an ARM code'):
        eviction_query("eastus' or 1==1")


@pytest.mark.parametrize(
    ("text", "band"),
    [("0-5", "0-5"), (" 5 \u2013 10 %", "5-10"), ("10\u221215", "10-15"), ("20+%", "20+"), (None, ""), (7, "7")],
)
def test_bands_in_any_spelling(text: object, band: str) -> None:
    assert band_of(text) == band


def test_the_numbers_of_the_bands() -> None:
    assert BANDS == {"0-5": 3.0, "5-10": 2.5, "10-15": 2.0, "15-20": 1.5, "20+": 1.0}
