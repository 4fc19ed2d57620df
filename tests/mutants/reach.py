"""Which quick tests can show a change that mutmut never makes.

mutmut has noted which functions each test reaches. A change in a function is shown by them. A constant has no such
note: the functions that name it show it, and those that name what is made of it; so do tests that name it themselves.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.changes import Change

_WORD = re.compile(r"[^\W\d]\w*")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Reach:
    """Tests by function (as ``stores.objects:S3Objects.get``) and by word, seconds by test, and who names a word."""

    tests: Mapping[str, frozenset[str]]
    seconds: Mapping[str, float]
    functions_naming: Mapping[str, frozenset[str]]
    constants_naming: Mapping[str, frozenset[str]]
    tests_naming: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, statistics: Path, sources: Mapping[str, bytes], house: Path) -> Reach:
        """What mutmut noted, the sources of all modules, and the folder in which its names of tests begin."""
        noted = json.loads(statistics.read_bytes())
        tests = {_function(name): frozenset(found) for name, found in noted["tests_by_mangled_function_name"].items()}
        functions: dict[str, set[str]] = {}
        constants: dict[str, set[str]] = {}
        for module, source in sources.items():
            tree = ast.parse(source)
            for name, text in _functions_of(tree):
                for word in set(_WORD.findall(text)):
                    functions.setdefault(word, set()).add(f"{module}:{name}")
            for made, text in _constants_of(tree):
                for word in set(_WORD.findall(text)):
                    constants.setdefault(word, set()).add(made)
        by_word = _by_word(noted["duration_by_test"], house)
        standing = set().union(*by_word.values())
        seconds = {test: took for test, took in noted["duration_by_test"].items() if test in standing}
        return cls(tests, seconds, _frozen(functions), _frozen(constants), _frozen(by_word))

    def of(self, change: Change) -> Sequence[str]:
        """Every quick test that can show this change, the quickest first."""
        inside = change.function and not change.names
        functions = {f"{change.module}:{change.function}"} if inside else set[str]()
        words = {_named(function) for function in functions if not self.tests.get(function)} | set(change.names)
        looked: set[str] = set()
        while words:
            word = words.pop()
            looked.add(word)
            naming = self.functions_naming.get(word, frozenset())
            functions |= naming
            # mutmut notes nothing of a function in which it changes nothing: what names that one shows the change.
            silent = {_named(function) for function in naming if not self.tests.get(function)}
            words |= (silent | self.constants_naming.get(word, frozenset())) - looked
        found = {test for function in functions for test in self.tests.get(function, ())}
        found |= {test for word in change.names for test in self.tests_naming.get(word, ())}
        return sorted(found & self.seconds.keys(), key=lambda test: (self.seconds[test], test))


def _function(mangled: str) -> str:
    """A function as this house writes it.

    >>> _function("spotlake.stores.objects.xǁS3Objectsǁget"), _function("spotlake.keys.x_raw_key")
    ('stores.objects:S3Objects.get', 'keys:raw_key')
    """
    module, _, name = mangled.removeprefix("spotlake.").rpartition(".")
    return f"{module}:{name.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def _named(function: str) -> str:
    """The word by which others call a function: its class, if Python calls it.

    >>> _named("keys:raw_key"), _named("stores.objects:S3Objects.get"), _named("stores.objects:S3Objects.__init__")
    ('raw_key', 'get', 'S3Objects')
    """
    owner, _, name = function.rpartition(":")[2].rpartition(".")
    return owner if name.startswith("__") else name


def _functions_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, _FUNCTIONS):
            yield node.name, ast.unparse(node)
        elif isinstance(node, ast.ClassDef):
            yield from (
                (f"{node.name}.{one.name}", ast.unparse(one)) for one in node.body if isinstance(one, _FUNCTIONS)
            )


def _constants_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for one in inside:
            if isinstance(one, ast.Assign | ast.AnnAssign) and one.value is not None:
                targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                for target in targets:
                    yield from (
                        (name.id, ast.unparse(one.value)) for name in ast.walk(target) if isinstance(name, ast.Name)
                    )


def _by_word(tests: Iterable[str], house: Path) -> dict[str, set[str]]:
    """The tests whose file names a word; of a test that is gone, nothing."""
    by_file: dict[str, set[str]] = {}
    for test in tests:
        by_file.setdefault(test.partition("::")[0], set()).add(test)
    found: dict[str, set[str]] = {}
    for file, inside in by_file.items():
        text = (house / file).read_text(encoding="utf-8") if (house / file).is_file() else ""
        words = set(_WORD.findall(text))
        standing = {
            test for test in inside if words.issuperset(_WORD.findall(test.partition("::")[2].partition("[")[0]))
        }
        for word in words:
            found.setdefault(word, set()).update(standing)
    return found


def _frozen(found: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {word: frozenset(names) for word, names in found.items()}
