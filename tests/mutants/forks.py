"""Changes that mutmut never makes, each tried in a fork that imports the library anew, with one module changed.

Nothing is written: the fork compiles the changed source when the module is imported.
"""

from __future__ import annotations

import os
import signal
import sys
import tomllib
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from itertools import accumulate
from pathlib import Path
from types import CodeType
from typing import NoReturn

import pytest

from tests.mutants.changes import Change, changes_of
from tests.mutants.reach import Reach
from tests.mutants.samples import drawn
from tests.mutants.scores import Verdict

_CHILDREN = os.cpu_count() or 2
# What a fork finds imported already: nothing of this house, which must see the change.
_PRELOADED = ("boto3", "hypothesis", "numpy", "orjson", "requests", "yaml", "aws_lambda_powertools", "azure.identity")
_QUICKEST_SECONDS, _ALL_SECONDS = 4.0, 60.0  # of tests: at first, and for a change that survived those
_STARTING_SECONDS = 60  # until a fork on a busy machine has imported everything
# What is preloaded cannot be rewritten, which pytest would tell.
_OPTIONS = "-q -x -p no:cacheprovider -p no:xdist -p tests.mutants.quick -W ignore::pytest.PytestAssertRewriteWarning"
_STATUS: dict[int, str] = {
    pytest.ExitCode.OK: "survived",
    pytest.ExitCode.NO_TESTS_COLLECTED: "no tests",
    -signal.SIGALRM: "timeout",
}


class Forks:
    """All changes of the library that mutmut never makes, by module (as ``stores.objects``)."""

    def __init__(self, house: Path, *, statistics: Path, note: Callable[[], None]) -> None:
        """``note`` lets mutmut note in ``statistics`` which functions each quick test reaches."""
        self._house, self._statistics, self._note = house, statistics, note
        self._paths = _tried(house)
        self._sources = {module: path.read_bytes() for module, path in self._paths.items()}
        self._reach: Reach | None = None
        self._changes: dict[str, Change] = {}
        self._names: dict[str, list[str]] = {}
        for module, source in self._sources.items():
            named = {f"{one.place} {one.kind} {number}": one for number, one in enumerate(changes_of(module, source))}
            self._changes |= named
            self._names[module] = list(named)

    @property
    def modules(self) -> Collection[str]:
        """Every module that is tried."""
        return self._paths.keys()

    def learn(self) -> None:
        """Learn which functions each quick test reaches: in a fork, because it imports the library."""
        process = os.fork()
        if not process:
            _end_with(self._note)
        if os.waitpid(process, 0)[1]:
            sys.exit(1)
        self._reach = Reach.read(self._statistics, self._sources, self._house)
        for name in _PRELOADED:
            import_module(name)

    def sample(self, *, modules: Sequence[str], most: int, seeds: Sequence[int]) -> list[str]:
        """The names of at most ``most`` changes of each module (0: all) for each seed."""
        chosen = drawn(self._names, modules=modules, most=most, seeds=seeds)
        return [name for name in self._changes if name in chosen]

    def pass_unchanged(self, names: Sequence[str]) -> bool:
        """Whether every test that may try these changes passes on the library as it is: else it would notice any."""
        tests = sorted({test for name in names for test in self._tests(name, _ALL_SECONDS)})
        return not tests or os.waitpid(self._fork("", tests), 0)[1] == 0

    def verdicts(self, names: Sequence[str]) -> Iterator[Verdict]:
        """Try each change, and tell what became of it as soon as that is known.

        A change that survives the quickest tests is tried with those that are left.
        """
        waiting = [(name, self._tests(name, _QUICKEST_SECONDS)) for name in reversed(names)]
        running: dict[int, tuple[str, Sequence[str]]] = {}
        tried_again: set[str] = set()
        while waiting or running:
            while waiting and len(running) < _CHILDREN:
                name, tests = waiting.pop()
                if tests:
                    running[self._fork(name, tests)] = name, tests
                else:
                    yield self._verdict(name, "no tests")
            if running:
                process, ended = os.wait()
                name, tests = running.pop(process)
                status = _status(os.waitstatus_to_exitcode(ended))
                is_first = status == "survived" and name not in tried_again
                left = self._tests(name, _ALL_SECONDS)[len(tests) :] if is_first else []
                if left:
                    tried_again.add(name)
                    waiting.append((name, left))
                else:
                    yield self._verdict(name, status)

    def _verdict(self, name: str, status: str) -> Verdict:
        change = self._changes[name]
        return Verdict(change.module, name, status, change.diff(self._sources[change.module]))

    def _tests(self, name: str, seconds: float) -> Sequence[str]:
        """The quickest tests that can show a change, in that many seconds: one at least, if there is any."""
        assert self._reach is not None, "learn first"
        tests = self._reach.of(self._changes[name])
        ends = accumulate(self._reach.seconds[test] for test in tests)
        return [test for test, end in zip(tests, ends, strict=True) if end <= seconds] or tests[:1]

    def _fork(self, name: str, tests: Sequence[str]) -> int:
        process = os.fork()
        if not process:
            change = self._changes.get(name)
            changed = (change, self._paths[change.module], self._sources[change.module]) if change else None
            _end_with(lambda: _try(changed, tests))
        return process


def _tried(house: Path) -> dict[str, Path]:
    """Every module that mutmut changes too, as pyproject.toml says."""
    library = house / "layers/common/python/spotlake"
    settings = tomllib.loads((house / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    others = settings["do_not_mutate"]
    names = [path.relative_to(library) for path in sorted(library.rglob("*.py"))]
    return {
        ".".join(name.with_suffix("").parts): library / name
        for name in names
        if not any(fnmatchcase(f"src/spotlake/{name}", other) for other in others)
    }


def _status(code: int) -> str:
    return _STATUS.get(code) or ("segfault" if code < 0 else "killed")


def _try(changed: tuple[Change, Path, bytes] | None, tests: Sequence[str]) -> int:
    """Let pytest try this change in this process, without a word. Returns pytest's code."""
    if changed:
        change, path, source = changed
        signal.alarm(_STARTING_SECONDS + int(_ALL_SECONDS))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        code = compile(change.applied(source), path, "exec", dont_inherit=True)
        sys.meta_path.insert(0, _Changed(change.module, path, code))
    functions = dict.fromkeys(test.partition("[")[0] for test in tests)  # a change can rename its cases
    return int(pytest.main([*_OPTIONS.split(), *functions]))


def _end_with(act: Callable[[], int | None]) -> NoReturn:
    """Do this, and end this process with its code: a fork must not go on as a second parent."""
    code: int | None = int(pytest.ExitCode.INTERNAL_ERROR)
    try:
        code = act()
    except BaseException:  # noqa: BLE001 - whatever it is, it is told, and the fork ends
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code or 0)


class _Changed(MetaPathFinder):
    """Finds one module, and gives it other code."""

    def __init__(self, module: str, path: Path, code: CodeType) -> None:
        self._name = f"spotlake.{module}".removesuffix(".__init__")
        self._path = path
        self._code = code

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The changed module; nothing of others."""
        if fullname != self._name:
            return None
        loader = _Loader(fullname, str(self._path))
        loader.code = self._code
        folder = [str(self._path.parent)] if self._path.name == "__init__.py" else None
        return spec_from_file_location(fullname, self._path, loader=loader, submodule_search_locations=folder)


class _Loader(SourceFileLoader):
    code: CodeType

    def get_code(self, fullname: str) -> CodeType:
        """The code of the change, whatever the file says."""
        return self.code
