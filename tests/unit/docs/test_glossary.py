"""Each word of the glossary is used by the library or by another page, and is defined once."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
GLOSSARY = ROOT / "docs/glossary.md"


def words() -> list[str]:
    lines = [line for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    return [word.strip() for line in lines for word in line.split("|")[1].split(",")]


def test_each_word_is_defined_once() -> None:
    assert len(words()) == len(set(words())) > 20


def test_each_word_is_used_elsewhere() -> None:
    pages = [page for page in ROOT.glob("docs/**/*.md") if page != GLOSSARY]
    modules = (ROOT / "layers/common/python/spotlake").rglob("*.py")
    text = " ".join(path.read_text(encoding="utf-8") for path in [*pages, *modules]).lower()
    text = re.sub(r"[\s_]+", " ", text)
    assert [word for word in words() if not re.search(rf"\b{re.escape(word.lower())}s?\b", text)] == []
