"""The list of changes that alter nothing speaks of lines that stand in the library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.mutants.scores import Equivalent, Verdict, below_their_floors, equivalents, table

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
