"""The page of a run that failed, or could ask nothing, looks like that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from spotlake.reporting.facts import gather
from spotlake.reporting.page import render
from tests.functional.merge.conftest import FIRST, World
from tests.report.runs import NOTHING_ASKED, NOTHING_CAME, SENTENCE, failed_run, starved_run, stored_first_schema

type Shown = Callable[..., Page]


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Shown:
    def show(world: World, locale: str = "en-GB") -> Page:
        path = tmp_path / "report.html"
        path.write_bytes(render([gather(world.objects, FIRST)]))
        page = browser.new_page(locale=locale)
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        assert said == []
        return page

    return show


def card(page: Page, section: str, label: str) -> tuple[str, str | None]:
    """Text and colour of a card."""
    found = page.locator(f"#{section} .cards > div", has=page.locator("dt", has_text=label)).first
    return found.locator("dd").inner_text(), found.get_attribute("class")


@pytest.mark.parametrize("locale", ["en-GB", "ko-KR"])
def test_a_failed_run_says_so_first_with_its_one_sentence(shown: Shown, locale: str) -> None:
    page = shown(failed_run()[0], locale)
    assert SENTENCE in page.locator("#failed").inner_text()
    assert page.locator("#live").count() == 1
    assert page.locator(".good").count() == 0
    assert SENTENCE in page.locator("#faults").inner_text()


def test_a_failed_run_s_zeros_are_not_green(shown: Shown) -> None:
    page = shown(failed_run()[0])
    assert card(page, "status", "Status") == ("failed", "poor")
    assert card(page, "status", "Regions complete") == ("0 of 0", "poor")
    assert card(page, "ages", "placement scores") == ("not asked", "poor")
    assert "null" not in page.locator("main").inner_text()
    assert page.locator("#held-table").count() == 0  # no bars of nothing


def test_a_starved_run_says_that_nothing_was_asked(shown: Shown) -> None:
    page = shown(starved_run()[0])
    assert "319 calls wait" in page.locator("#starved").inner_text()
    assert card(page, "status", "Status") == ("no score asked", "poor")
    assert card(page, "status", "Oldest score that waits") == ("some were never asked", "poor")
    assert card(page, "ages", "placement scores") == ("not asked", "poor")
    assert card(page, "ages", "prices") == ("all that was asked came", "good")
    assert "quota" in card(page, "coverage", "placement scores")[0]
    assert "None:" not in page.locator("#faults").inner_text()
    assert "No desired count has been asked" in page.locator("#scores").inner_text()


def test_the_curve_has_only_counts_that_were_asked(shown: Shown) -> None:
    world = World()
    world.merge(world.collected(0, scores={"1": 3, "2": 1}))
    page = shown(world)
    page.locator("#thresholds-table summary").click()
    rows = page.locator("#thresholds-table tbody tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [["1", "50.0 %", "50.0 %", "2"]]
    assert "drawn: 1. Of others nothing is known" in page.locator("#scores").inner_text()


@pytest.mark.parametrize(
    ("changes", "status"), [({}, "complete"), (NOTHING_CAME, "failed"), (NOTHING_ASKED, "no score asked")]
)
def test_manifests_of_the_first_schema_are_read_and_judged(
    shown: Shown, changes: dict[str, object], status: str
) -> None:
    page = shown(stored_first_schema(**changes))
    assert card(page, "status", "Status")[0] == status
    assert (page.locator("#failed, #starved").count() == 0) == (status == "complete")
