"""Each word of the glossary has one meaning and is used; words that were given up are nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GLOSSARY = ROOT / "docs/glossary.md"
CODE = ("layers/common/python", "functions", "cdk", "local", "statemachine", "benchmarks")
NAMES = {".py", ".md", ".json", ".js", ".html", ".yaml"}
# A word, or words, that were given up -> what stands for them, and where (None: everywhere).
RETIRED: dict[str, tuple[str, tuple[str, ...] | None]] = {
    r"\bpairs?\b": ("route", ("stores/ledger.py", "scores/quota.py", "collect/call_rights.py")),
    r"PairUse|pair rests": ("RouteUse, the route rests", None),
    r"\bRunRequest\b|\bAsked\b(?=[(\[])": ("RunInput, Scope", None),
    r"\bseams?\b": ("patch", None),
    r"ROW_COLUMNS|\bstate\.rows\b": ("WORKLOAD_COLUMNS, state.workloads", ("spotlake/merge", "usecases/merge")),
    r"NotifyWell|ChooseWay|\bLose[A-Z]\w+": ("NotifyRecovery, ChooseMode, KeepLast...", None),
    r"fold_run\b|fold_reports|fold_last_good": ("record_answers, learn_from, note_last_good", None),
    r"\bblocks?\b": ("reservation", ("collect/call_rights.py", "stores/ledger.py")),
    r"reporting[./]told\b|run_request": ("reporting.verdict, run record", None),
}


def words() -> list[str]:
    lines = [line for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    return [word.strip() for line in lines for word in line.split("|")[1].split(",")]


def pages() -> list[Path]:
    return [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")]


def texts() -> list[Path]:
    code = [path for folder in CODE for path in (ROOT / folder).rglob("*") if path.suffix in NAMES]
    return [path for path in [*code, *pages()] if not {"vendor", "data", "__pycache__"} & set(path.parts)]


def uses(pattern: str, places: tuple[str, ...] | None) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for path in texts()
        if places is None or any(place in str(path) for place in places)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_each_word_is_defined_once() -> None:
    assert len(words()) == len(set(words())) > 20


def test_each_word_is_used_in_the_code() -> None:
    modules = (ROOT / "layers/common/python/spotlake").rglob("*.py")
    text = " ".join(path.read_text(encoding="utf-8") for path in modules).lower()
    text = re.sub(r"[\s_]+", " ", text)
    assert [word for word in words() if not re.search(rf"\b{re.escape(word.lower())}s?\b", text)] == []


@pytest.mark.parametrize("pattern", RETIRED)
def test_a_word_that_was_given_up_is_nowhere(pattern: str) -> None:
    instead, places = RETIRED[pattern]
    assert places is None or all(any(place in str(path) for path in texts()) for place in places)
    assert uses(pattern, places) == [], f"say {instead}"


def test_a_word_that_is_there_is_found() -> None:
    assert uses(r"\bCallPlan\b", ("planning/",))
