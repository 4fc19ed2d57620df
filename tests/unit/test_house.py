"""The house rules that no linter checks: sizes of files and functions, and untyped mappings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "layers/common/python/spotlake"
PRODUCT = ("layers", "functions", "cdk", "local")
MOST_FILE_LINES = 300
MOST_FUNCTION_LINES = 50
MOST_SCENARIO_LINES = 60  # a test may tell a longer story
MOST_UNTYPED_PER_1000_LINES = 5
UNTYPED = re.compile(r"\b(?:dict|Mapping|MutableMapping)\[str, Any\]|\b(?:dict|list)\b\s*(?=[,\])|=:]|$)")
# Modules whose data two processes write and read: the file of one is the input of another.
SEAMS = ("events.py", "run_files.py", "reports.py", "shard_rows.py", "models.py", "merge/manifest.py", "reporting",
         "usecases/report", "usecases/merge", "state", "stores/documents.py", "merge/table_changes.py")  # fmt: skip


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(found) > 100  # a folder that moved would make these tests pass in vain
    return found


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and lines (decorators apart, docstring included) of every function in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def untyped(path: Path) -> list[str]:
    """Annotations of a file that are mappings of anything; words in texts do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        for part in (
            getattr(node, "annotation", None),
            getattr(node, "returns", None),
            node.value if isinstance(node, ast.TypeAlias) else None,
        ):
            if isinstance(part, ast.expr):
                found += UNTYPED.findall(ast.unparse(part))
    return found


def test_no_file_is_longer_than_a_reader_holds() -> None:
    long = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in sources(*PRODUCT)
    }
    assert {name: lines for name, lines in long.items() if lines > MOST_FILE_LINES} == {}


@pytest.mark.parametrize(
    ("folders", "most"), [(PRODUCT, MOST_FUNCTION_LINES), (("tests", "benchmarks"), MOST_SCENARIO_LINES)]
)
def test_no_function_is_longer_than_a_screen(folders: tuple[str, ...], most: int) -> None:
    long = {
        f"{path.relative_to(ROOT)}: {name}": lines
        for path in sources(*folders)
        for name, lines in functions(path)
        if lines > most
    }
    assert long == {}


def test_few_mappings_in_the_library_hold_anything() -> None:
    paths = sorted(LIBRARY.rglob("*.py"))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)
    number = sum(len(untyped(path)) for path in paths)
    assert 1000 * number / lines < MOST_UNTYPED_PER_1000_LINES


@pytest.mark.parametrize("seam", SEAMS)
def test_where_two_processes_meet_no_mapping_holds_anything(seam: str) -> None:
    place = LIBRARY / seam
    paths = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    assert paths
    assert {path.name: found for path in paths if (found := untyped(path))} == {}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("x: dict[str, Any]", 1),
        ("def f(a: Mapping[str, Any] | None) -> list[dict[str, Any]]: ...", 2),
        ("type T = dict[str, Any]", 1),
        ("def f(a: dict, b: list) -> int: ...", 2),
        ('x = "dict[str, Any]"', 0),
        ("def f(a: dict[str, int]) -> dict[str, object]: ...", 0),
    ],
)
def test_the_count_sees_what_it_should(text: str, number: int, tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text(text)
    assert len(untyped(tmp_path / "some.py")) == number
