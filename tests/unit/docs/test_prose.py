"""Plain English in docstrings, comments and pages: no retired phrases, no fragments, no endless sentences."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PRODUCT = ("layers/common/python", "functions", "cdk", "local/spotlake_local", "docs/site")
MOST_WORDS = 40  # of a sentence in a docstring; most have about twelve
# Phrases that have to be read twice -> what to write.
PHRASES = {
    r"\b(?:is|are|was|were|be|been) told\b|\bTells? of\b": "is reported, reports",
    r"\bgo(?:es)? on\b(?! demand)": "continues",
    r"\bfor good\b": "permanently, after all retries",
    r"\bas good as\b": "equals",
    r"\bbegin(?:s|ning)? anew\b": "begins again",
    r"\bsee there\b": "name the thing",
    r"\b(?:a|one) module an? (?:API|command|family)\b|\b(?:an item|one item) a workload\b": "one ... per ...",
}
# An `Args` or `Attributes` line that begins so names nothing: "rules: Ours.", "key: Where.", "run: Whose calls."
FRAGMENT = re.compile(
    r"^\s+[\w`][\w`, ]*: (?:Ours|Of|Whose|See there|Where|What|By|From where|The same|Before|As asked)\b[^.]{0,24}\.",
    re.M,
)


def docstrings() -> Iterator[tuple[str, str]]:
    """Place and text of every docstring of the product."""
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    text = ast.get_docstring(node)
                    if text:
                        yield f"{path.relative_to(ROOT)}: {getattr(node, 'name', 'module')}", text


def prose() -> Iterator[tuple[str, str]]:
    """Docstrings, comments and pages."""
    yield from docstrings()
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                _, found, comment = line.partition("  # ") if not line.lstrip().startswith("# ") else ("", "#", line)
                if found:
                    yield f"{path.relative_to(ROOT)}:{number}", comment
    for page in [
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("functions/*/README.md"),
    ]:
        if "node_modules" not in page.parts:
            yield str(page.relative_to(ROOT)), page.read_text(encoding="utf-8")


def sentences(text: str) -> list[str]:
    """Sentences of a docstring, without doctests, drawings and tables."""
    kept = re.sub(r"::\n\n(?:[ ]+.*\n|\n)+", "\n\n", text + "\n")
    kept = re.sub(r">>>.*(?:\n.+)*", "", kept)
    parts = re.split(r"\n\s*\n|\n(?=\s*[\w`][\w`, ]*: )|(?<=[.:;!?])\s+", kept)
    return [" ".join(part.split()) for part in parts if part.strip()]


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_phrase_has_to_be_read_twice(phrase: str) -> None:
    places = [place for place, text in prose() if re.search(phrase, text)]
    assert places == [], f"write: {PHRASES[phrase]}"


def test_every_line_of_arguments_names_something() -> None:
    assert [(place, found) for place, text in docstrings() for found in FRAGMENT.findall(text)] == []


def test_no_sentence_is_endless() -> None:
    long = [(place, part) for place, text in docstrings() for part in sentences(text) if len(part.split()) > MOST_WORDS]
    assert long == []


def test_no_word_stands_twice() -> None:
    twice = re.compile(r"\b([a-z]{3,}) \1\b|\b([a-z]{3,}); \2;")
    assert {(place, one[0]) for place, text in prose() for one in twice.finditer(text)} == set()


def test_the_checks_see_what_they_should() -> None:
    assert FRAGMENT.search("Args:\n    rules: Ours.\n")
    assert FRAGMENT.search("Args:\n    key: Where.\n")
    assert not FRAGMENT.search("Args:\n    key: Key of the object.\n")
    assert len(sentences("One. Two:\n\n    >>> 1 + 1\n    2\n")) == 2
