"""Each path that a page of the project links to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "*/README.md", "functions/*/README.md")
    for path in ROOT.glob(pattern)
    if "node_modules" not in path.parts
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def missing(page: Path) -> list[str]:
    links = [link.split("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    return [link for link in links if link and not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_each_link_leads_to_something(page: Path) -> None:
    assert missing(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("[here](page.md) [away](gone.md#part) [web](https://example.com)")
    assert missing(tmp_path / "page.md") == ["gone.md"]


def test_ten_questions_of_a_newcomer_are_answered_by_a_path() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Where is ...?")[1]
    assert len(re.findall(r"^\| .+\? \| .*\]\(.+\) \|$", section, re.MULTILINE)) >= 10
