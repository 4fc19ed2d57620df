"""Mutants by module, a sample of them, and what became of each. mutmut does the work, in its folder ``mutants``."""

from __future__ import annotations

import os
import random
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
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

from tests.mutants.scores import NOTICED, Verdict

_CHILDREN = os.cpu_count() or 2
_MOST_SECONDS = 12.0  # of tests for one mutant
_TOLD_EVERY_SECONDS = 10.0


class Trials:
    """All mutants of the library, by module (as ``stores.objects``)."""

    def __init__(self, mutants: dict[str, list[str]], paths: dict[str, Path]) -> None:
        self._mutants = mutants
        self._paths = paths

    @classmethod
    def generate(cls, workspace: Path) -> Trials:
        """Write every mutant of every module that changed since the last call; the folder must be the current one."""
        set_mutant_under_test("mutant_generation")
        (workspace / "mutants").mkdir(exist_ok=True)
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

    def try_sample(self, *, modules: Sequence[str], most: int, seed: int, say: Callable[[str], None]) -> list[Verdict]:
        """Try at most ``most`` mutants of each module (0: all), chosen by ``seed``."""
        chosen: defaultdict[str, list[str]] = defaultdict(list)
        for module, names in self._mutants.items():
            if modules and not any(fnmatchcase(module, wanted) for wanted in modules):
                continue
            order = random.Random(f"{seed} {module}").sample(names, len(names))  # noqa: S311 - not for secrecy
            chosen[module] = sorted(order[: most or None])
        runner = mutmut.get_mutant_runner(_CHILDREN)
        mutmut.collect_or_load_stats(runner)
        set_mutant_under_test("")
        ended = _try(runner, sorted((name for names in chosen.values() for name in names), key=_seconds), say)
        return [
            self._verdict(module, name, status_by_exit_code[ended[name]])
            for module, names in chosen.items()
            for name in names
        ]

    def _verdict(self, module: str, name: str, status: str) -> Verdict:
        change = "" if status in NOTICED else get_diff_for_mutant(name, path=self._paths[module])
        return Verdict(module, name, status, change)


def _try(runner: mutmut.MutantRunner, names: Sequence[str], say: Callable[[str], None]) -> dict[str, int]:
    """Try each mutant in a fork. Returns pytest's exit code for each."""
    ended: dict[str, int] = {}
    told_at = time.monotonic()

    def end_one() -> None:
        nonlocal told_at
        result = runner.wait_for_result()
        ended[result.mutant_name] = result.exit_code
        if time.monotonic() - told_at > _TOLD_EVERY_SECONDS:
            told_at = time.monotonic()
            lived = sum(status_by_exit_code[code] not in NOTICED for code in ended.values())
            say(f"{len(ended):,} of {len(names):,} tried, {lived:,} survived")

    runner.startup()
    try:
        for name in names:
            tests, seconds = _tests(name)
            while not runner.has_capacity():
                end_one()
            runner.submit(name, tests, int(4 * seconds) + 20, seconds)
        runner.signal_work_complete()
        while runner.pending_count():
            end_one()
    finally:
        runner.stop_all_workers()
        runner.shutdown()
    return ended


def _tests(mutant: str) -> tuple[list[str], float]:
    """The quickest tests that reach a mutant, and the seconds that they take: no more than _MOST_SECONDS."""
    took = state().duration_by_test
    reach = sorted(
        state().tests_by_mangled_function_name.get(mangled_name_from_mutant_name(mutant), ()), key=took.__getitem__
    )
    ends = list(accumulate(took[test] for test in reach))
    kept = max(bisect_right(ends, _MOST_SECONDS), 1)
    return reach[:kept], ends[min(kept, len(ends)) - 1] if ends else 0.0


def _seconds(mutant: str) -> float:
    return _tests(mutant)[1]
