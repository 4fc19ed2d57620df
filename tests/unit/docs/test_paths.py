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


# What looks like a path and is none of the checkout: keys of buckets, local state, what is built, other hosts.
ELSEWHERE = re.compile(
    r"^(?:rawdata|runs|state|work|history|locks|latest|\.local|\.tools|\.venv|build|cdk\.out|node_modules|spotlake-test"
    r"|latest_data|query-selector|checkpoints|application|text|N|SpotLake)(?:/|$)|\.\.\."
)
QUOTED = re.compile(r"`([\w.-]+(?:/[\w.-]*)+|[\w-]+\.(?:py|md|asl\.json|toml))`")
BASES = (
    ROOT,
    ROOT / "layers/common/python",
    ROOT / "layers/common/python/spotlake",
    ROOT / "local/spotlake_local",
    ROOT / "cdk",
)


def missing_in_backticks(page: Path) -> list[str]:
    """Paths in backticks that lead nowhere, from the checkout, the page's folder, or the library."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = [path for path in QUOTED.findall(text) if not ELSEWHERE.search(path)]
    return [path for path in found if not any((base / path).exists() for base in (*BASES, page.parent))]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_each_path_in_backticks_exists(page: Path) -> None:
    assert missing_in_backticks(page) == []


def test_a_path_in_backticks_that_is_gone_is_found(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("`merge/fold.py` `merge/gone.py` `gone.py` `runs/azure/` `a/b=c`")
    assert missing_in_backticks(tmp_path / "page.md") == ["merge/gone.py", "gone.py"]


def test_both_readmes_have_the_same_form() -> None:
    """Sections, table rows, links and pictures: what one language has, the other has."""
    forms = []
    for name in ("README.md", "README_kr.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        forms.append(
            [len(re.findall(form, text, re.MULTILINE)) for form in (r"^#+ ", r"^\| ", r"\]\(", r"^```", r"^\d\. ")]
        )
    assert forms[0] == forms[1]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_each_link_leads_to_something(page: Path) -> None:
    assert missing(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("[here](page.md) [away](gone.md#part) [web](https://example.com)")
    assert missing(tmp_path / "page.md") == ["gone.md"]


def test_ten_questions_of_a_newcomer_are_answered_by_a_path() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Where is ...?")[1]
    assert len(re.findall(r"^\| .+\? \| .*\]\(.+\) \|$", section, re.MULTILINE)) >= 10
