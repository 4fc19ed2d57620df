"""Mutants by module, a sample of them, and what became of each. mutmut does the work, in its folder ``mutants``."""

from __future__ import annotations

import os
import sys
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from mutmut import __main__ as mutmut
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir, setup_source_paths, walk_mutatable_files
from mutmut.utils.format_utils import mangled_name_from_mutant_name
from mutmut.workers.isolation import MutantResult, run_in_fork

from tests.mutants.samples import drawn
from tests.mutants.scores import NOTICED, Verdict
from tests.support.words import say

_CHILDREN = os.cpu_count() or 2
_NOT_TRIED = 4  # pytest's code for words that it does not know; mutmut calls it suspicious
_MOST_SECONDS = 6.0  # of tests for one mutant


class Trials:
    """All mutants of the library, by module (as ``stores.objects``)."""

    def __init__(self, mutants: dict[str, list[str]], paths: dict[str, Path]) -> None:
        self._mutants = mutants
        self._paths = paths
        self._modules = {name: module for module, names in mutants.items() for name in names}

    @property
    def modules(self) -> Collection[str]:
        """Every module that has mutants."""
        return self._mutants.keys()

    @classmethod
    def generate(cls, workspace: Path) -> Trials:
        """Write every mutant of every module that changed since the last call, and work in that folder from now on."""
        os.chdir(workspace)
        say("writing the changes")
        set_mutant_under_test("mutant_generation")
        (workspace / "mutants").mkdir(exist_ok=True)
        if not sys.stdout.isatty():
            mutmut.print_status = lambda *_, **__: None  # in a file its spinner is thousands of lines
        with mutmut.CatchOutput(spinner_title="Writing mutants"):
            copy_src_dir()
            copy_also_copy_files()
            setup_source_paths()
            mutmut.create_mutants(_CHILDREN)
        mutants: dict[str, list[str]] = {}
        paths: dict[str, Path] = {}
        for path in sorted(walk_mutatable_files()):
            data = SourceFileMutationData(path=path)
            data.load()
            if data.exit_code_by_key:
                module = ".".join(path.with_suffix("").parts[2:])
                mutants[module], paths[module] = sorted(data.exit_code_by_key), path
        return cls(mutants, paths)

    def learn(self) -> None:
        """Let mutmut run the quick tests once, and note which functions each reaches; only what changed runs again."""
        mutmut.collect_or_load_stats(mutmut.get_mutant_runner(_CHILDREN))
        set_mutant_under_test("")

    def sample(self, *, modules: Sequence[str], most: int, seeds: Sequence[int]) -> list[str]:
        """At most ``most`` mutants of each module (0: all) for each seed; the quickest to try come first."""
        chosen = drawn(self._mutants, modules=modules, most=most, seeds=seeds)
        return sorted(chosen, key=lambda name: (_tests(name)[1], name))

    def pass_unchanged(self, names: Sequence[str]) -> bool:
        """Whether the tests that will try these mutants pass, in a fork too, on the library as it is.

        What was learnt of the tests is kept between calls. A test that fails by now would notice every mutant.
        """
        tests = {test for name in names for test in _tests(name)[0]}
        runner = mutmut.get_mutant_runner(_CHILDREN)
        return not tests or run_in_fork(runner.run_clean_tests, sorted(tests)) == 0

    def verdicts(self, names: Sequence[str]) -> Iterator[Verdict]:
        """Try each mutant in a fork, and tell what became of it as soon as that is known."""
        runner = mutmut.get_mutant_runner(_CHILDREN)
        runner.startup()
        for name in names:
            while not runner.has_capacity():
                yield self._verdict(runner.wait_for_result())
            _submit(runner, name)
        while runner.pending_count():
            yield self._verdict(runner.wait_for_result())
        runner.shutdown()

    def _verdict(self, result: MutantResult) -> Verdict:
        module = self._modules[result.mutant_name]
        status = status_by_exit_code[result.exit_code]
        change = "" if status in NOTICED else get_diff_for_mutant(result.mutant_name, path=self._paths[module])
        return Verdict(module, result.mutant_name, status, change)


def _submit(runner: mutmut.MutantRunner, name: str) -> None:
    tests, seconds = _tests(name)
    parent = os.getpid()
    try:
        runner.submit(name, tests, int(4 * seconds) + 20, seconds)
    except BaseException:
        if os.getpid() == parent:
            raise
        os._exit(_NOT_TRIED)  # the fork must not go on as a second parent


def _tests(mutant: str) -> tuple[list[str], float]:
    """The quickest tests that reach a mutant, and the seconds that they take: no more than _MOST_SECONDS."""
    took = state().duration_by_test
    reach = sorted(
        state().tests_by_mangled_function_name.get(mangled_name_from_mutant_name(mutant), ()), key=took.__getitem__
    )
    ends = list(accumulate(took[test] for test in reach))
    kept = max(bisect_right(ends, _MOST_SECONDS), 1)
    return reach[:kept], ends[min(kept, len(ends)) - 1] if ends else 0.0
