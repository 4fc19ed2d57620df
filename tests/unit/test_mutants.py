"""The list of changes that alter nothing speaks of lines that stand in the library."""

from __future__ import annotations

import argparse
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants.scores import Equivalent, Verdict, below_their_floors, equivalents, nothing_called, table
from tests.support.words import whole_number

LIBRARY = Path(__file__).parents[2] / "layers/common/python/spotlake"


def test_each_listed_change_is_of_a_line_that_stands_there_and_says_why() -> None:
    for entry in equivalents():
        lines = [line.strip() for line in (LIBRARY / f"{entry.module.replace('.', '/')}.py").read_text().splitlines()]
        assert entry.was in lines, entry
        assert entry.becomes != entry.was, entry
        assert len(entry.why.split()) >= 4, entry


def test_a_module_below_its_floor_is_named_and_an_equivalent_change_counts_for_nothing() -> None:
    def verdict(module: str, status: str, change: str = "") -> Verdict:
        return Verdict(module, f"spotlake.{module}.x_f__mutmut_1", status, change)

    verdicts = [verdict("stores.objects", "killed")] * 17 + [verdict("stores.objects", "survived")] * 3
    assert below_their_floors(verdicts) == []  # 85 %
    verdicts.append(verdict("stores.objects", "no tests"))
    assert below_their_floors(verdicts) == ["stores.objects: 81 % noticed, 85 % asked"]
    assert below_their_floors([verdict("scores.quota", "killed")] * 9 + [verdict("scores.quota", "survived")]) == [
        "scores.quota: 90 % noticed, 95 % asked"
    ]
    assert "| stores.objects | 21 | 17 | 3 | 1 | 0 | 81 | 85 |" in table(verdicts)


def test_a_listed_change_is_known_by_its_module_and_its_line() -> None:
    change = "--- src/a.py\n+++ src/a.py\n@@ -1,2 +1,2 @@\n def f() -> int:\n-    return 1\n+    return 2"
    verdict = Verdict("names", "spotlake.names.x_f__mutmut_1", "survived", change)
    assert Equivalent("names", "return 1", "return 2", "why").is_made_by(verdict)
    assert not Equivalent("names", "return 1", "return 3", "why").is_made_by(verdict)
    assert not Equivalent("keys", "return 1", "return 2", "why").is_made_by(verdict)
    more = change.replace("-    return 1", "-    open()\n-    return 1")  # another line goes too
    assert not Equivalent("names", "return 1", "return 2", "why").is_made_by(replace(verdict, change=more))


def test_the_entry_that_the_list_shows_is_one() -> None:
    lines = Path(__file__).parents[1].joinpath("mutants/equivalent.toml").read_text().splitlines()
    shown = "\n".join(line.removeprefix("# ") for line in lines[lines.index("# [[change]]") :] if line.startswith("#"))
    (entry,) = tomllib.loads(shown)["change"]
    assert Equivalent(**entry).module == "scores.zones"


def test_a_name_of_no_module_is_told_with_those_that_are_there() -> None:
    modules = ["keys", "merge.fold", "merge.rows", "stores.objects"]
    assert nothing_called([], modules) == nothing_called(["keys", "merge.*", "*"], modules) == ""
    assert nothing_called(["keys", "nothing.*"], modules) == (
        "'nothing.*' names no module that is tried; there are keys, merge.*, stores.*"
    )
    assert nothing_called(["merge.folds"], modules) == (
        "'merge.folds' names no module that is tried; there are merge.fold, merge.rows"
    )


def test_a_number_that_is_not_allowed_is_named_with_what_is() -> None:
    assert (whole_number("0", least=0), whole_number("7", least=1)) == (0, 7)
    for word, least in (("x", 0), ("-1", 0), ("0", 1), ("1.5", 1), ("", 1)):
        with pytest.raises(argparse.ArgumentTypeError, match=f"{word!r} is not allowed: a whole number, {least} or"):
            whole_number(word, least=least)
