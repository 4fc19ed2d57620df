"""The page in a real browser: clicked through, measured, and judged by axe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from spotlake.reporting.facts import gather
from spotlake.reporting.page import LIBRARIES, render
from spotlake_local.workspace import ROOT
from tests.functional.merge.conftest import World

AXE = ROOT / "node_modules/axe-core/axe.min.js"
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1180, "height": 900}
VENDORED = {
    "d3.min.js": "d3/dist/d3.min.js",
    "d3.LICENSE": "d3/LICENSE",
    "plot.min.js": "@observablehq/plot/dist/plot.umd.min.js",
    "plot.LICENSE": "@observablehq/plot/LICENSE",
    **{f"{name}.LICENSE": f"{name}/LICENSE" for bundled in LIBRARIES.values() for name in bundled},
}
SECTIONS = ["status", "coverage", "scores", "prices", "changes", "ages", "tasks", "memory", "faults"]


@dataclass
class Opened:
    """A page, and what the browser said of it."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def one_run(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("one") / "report.html"
    path.write_bytes(render([gather(world.objects, world.run(1).slot_at)]))
    return path


@pytest.fixture(scope="module")
def two_runs(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("two") / "report.html"
    path.write_bytes(render([gather(world.objects, world.run(number).slot_at) for number in (0, 1)]))
    return path


@pytest.fixture
def opening(browser: Browser) -> Iterator[Any]:
    contexts = []

    def opened(path: Path, **options: Any) -> Opened:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **options})
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.said.append(f"{message.type}: {message.text}"))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("request", lambda request: found.asked.append(request.url))
        found.page.goto(path.as_uri())
        return found

    yield opened
    for context in contexts:
        context.close()


def click_through(page: Page) -> None:
    """Every link of the navigation, every table, every button."""
    for link in page.locator("nav a").all():
        link.click()
    for summary in page.locator("summary").all():
        summary.click()
    for count in range(page.locator("button").count()):
        page.locator("button").nth(count).click()


def test_everything_can_be_clicked_and_nothing_is_asked_or_said(opening: Any, two_runs: Path) -> None:
    opened = opening(two_runs)
    click_through(opened.page)
    assert opened.page.evaluate("document.documentElement.lang") == "ko"
    click_through(opened.page)
    assert opened.said == []
    assert [url.split("#")[0] for url in set(opened.asked)] == [two_runs.as_uri()]


def test_the_browser_itself_refuses_any_request(opening: Any, one_run: Path) -> None:
    opened = opening(one_run)
    refused = opened.page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')")
    assert refused == "refused"
    assert any("Content Security Policy" in one for one in opened.said)


def test_a_script_that_got_into_the_page_does_not_run(opening: Any, one_run: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.html"
    odd.write_text(one_run.read_text().replace("<main ", "<script>document.title = 'theirs'</script><main ", 1))
    page = opening(odd)
    assert page.page.title() != "theirs"


def test_all_sections_are_there_and_say_that_data_is_simulated(opening: Any, one_run: Path) -> None:
    page = opening(one_run).page
    assert page.locator("main > section").evaluate_all("found => found.map(one => one.id)") == SECTIONS
    assert "synthetic" in page.locator("#simulated").inner_text()
    assert page.locator("#faults").inner_text().count("eviction rates") == 1
    assert "20251215T1000Z" in page.locator("#changes").inner_text()
    assert page.locator(".chips .failed").count() == 1


def test_each_chart_is_named_and_has_a_table_with_rows(opening: Any, two_runs: Path) -> None:
    page = opening(two_runs).page
    page.locator(".runs button").first.click()  # the full run, with its memory curve
    assert page.locator("#curve-table").count() == 1
    for figure in page.locator("figure").all():
        assert figure.get_attribute("aria-label")
        table = figure.locator("xpath=following-sibling::details")
        table.locator("summary").press("Enter")
        assert table.locator("tbody tr").count() > 0
        assert figure.locator("svg :is(rect, path, line, circle)").count() > 0


def test_runs_side_by_side(opening: Any, two_runs: Path) -> None:
    page = opening(two_runs).page
    head = page.locator("#comparison thead th").all_inner_texts()
    assert head[1:3] == ["20251215T1000Z (incremental)", "20251215T1010Z (incremental)"]
    chosen = page.locator(".runs button[aria-pressed=true]")
    assert chosen.inner_text() == "20251215T1010Z"
    page.locator(".runs button").first.click()
    assert chosen.inner_text() == "20251215T1000Z"
    assert page.evaluate("document.activeElement.textContent") == "20251215T1000Z"
    assert "no earlier run" in page.locator("#changes").inner_text()


@pytest.mark.parametrize(("locale", "language", "title"), [("ko-KR", "ko", "상태"), ("de-DE", "en", "Status")])
def test_the_language_follows_the_browser_and_can_be_switched(
    opening: Any, one_run: Path, locale: str, language: str, title: str
) -> None:
    page = opening(one_run, locale=locale).page
    assert page.evaluate("document.documentElement.lang") == language
    assert page.locator("#status-title").inner_text() == title
    page.locator("#language").click()
    assert page.locator("#status-title").inner_text() == {"상태": "Status", "Status": "상태"}[title]


def test_colours_follow_the_device_and_can_be_chosen(opening: Any, one_run: Path) -> None:
    page = opening(one_run, color_scheme="dark").page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.locator("#theme").click()
    light = page.evaluate(ground)
    assert dark != light
    page.locator("#theme").click()
    assert page.evaluate(ground) == dark


def test_a_phone_shows_it_without_scrolling_sideways(opening: Any, two_runs: Path) -> None:
    page = opening(two_runs, viewport=PHONE, locale="ko-KR").page
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_text_of_a_chart_leaves_its_section(opening: Any, two_runs: Path, viewport: dict[str, int]) -> None:
    page = opening(two_runs, viewport=viewport).page
    outside = page.locator("figure svg text").evaluate_all(
        """texts => texts.filter(one => {
            const [text, section] = [one.getBoundingClientRect(), one.closest("figure").getBoundingClientRect()];
            return text.width && (text.left < section.left - 8 || text.right > section.right + 8);
        }).map(one => one.textContent)"""
    )
    assert outside == []
    prices = page.locator("div:has(> details#prices-by-region-table) svg text").all_text_contents()
    assert "$0.0200" in prices  # so narrow a range holds no power of ten: its ends are named


@pytest.mark.parametrize(
    ("scheme", "locale", "viewport"),
    [("light", "en-GB", DESKTOP), ("dark", "ko-KR", PHONE)],
    ids=["light-desktop", "dark-phone"],
)
def test_axe_finds_nothing(opening: Any, two_runs: Path, scheme: str, locale: str, viewport: dict[str, int]) -> None:
    page = opening(two_runs, color_scheme=scheme, locale=locale, viewport=viewport).page
    page.locator(".runs button").first.click()
    for summary in page.locator("summary").all():
        summary.click()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then((result) => result.violations)")
    assert [(one["id"], one["impact"], [node["target"] for node in one["nodes"]][:3]) for one in found] == []


@pytest.mark.parametrize("copy", VENDORED)
def test_the_libraries_are_those_that_package_json_pins(copy: str) -> None:
    vendored = ROOT / "layers/common/python/spotlake/reporting/vendor" / copy
    assert vendored.read_bytes() == (ROOT / "node_modules" / VENDORED[copy]).read_bytes(), "`make charts` copies them"
