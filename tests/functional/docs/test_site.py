"""`make docs`: the site holds every page and the API reference, asks no other host, and a broken link fails."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOADED = re.compile(r"""<(?:script|img|link|iframe)[^>]*?(?:src|href)=["'](?:https?:)?//""")


def built(config: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-f", str(config), "-d", str(target)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "NO_COLOR": "1"},
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    done = built(ROOT / "mkdocs.yml", target)
    assert done.returncode == 0, done.stderr
    return target


def test_every_page_is_there(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if not (site / page).is_file()] == []


def test_the_api_reference_has_what_docstrings_say(site: Path) -> None:
    page = (site / "api/planning.html").read_text(encoding="utf-8")
    assert "Routing location -&gt; calls that can be reserved now" in page
    assert '>>> spread({"eastus": 4' in html.unescape(re.sub(r"<[^>]*>", "", page))
    assert "planning" in (site / "search/search_index.json").read_text(encoding="utf-8")


def test_no_page_asks_another_host(site: Path) -> None:
    asking = [
        page.name for page in site.rglob("*.html") if any("stylesheet" in found or "script" in found or "img" in found
        for found in LOADED.findall(page.read_text(encoding="utf-8")))
    ]  # fmt: skip
    assert asking == []


def test_a_broken_link_fails(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# Here\n\n[gone](gone.md)\n")
    config = tmp_path / "mkdocs.yml"
    config.write_text(f"INHERIT: {ROOT}/mkdocs.yml\ndocs_dir: docs\nhooks: []\nplugins: []\nnav: [index.md]\n")
    done = built(config, tmp_path / "site")
    assert done.returncode != 0
    assert "gone.md" in done.stdout + done.stderr
