"""What ``spotlake rebuild`` says, and where it looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlake.usecases.rebuild.rebuild import Rebuilt
from spotlake_local.cli import main
from spotlake_local.commands.rebuild import told


@pytest.mark.parametrize(
    ("rebuilt", "words"),
    [
        (Rebuilt(), "there is no raw shard yet"),
        (Rebuilt(newest_run="20251215T1000Z"), "every merged state that the chain names is whole"),
        (Rebuilt(newest_run="20251215T1000Z", is_table_whole=True), "the next run writes every item"),
        (
            Rebuilt(base_run="20251215T0950Z", folded=("20251215T1000Z",), newest_run="20251215T1000Z", pairs=1234),
            "folded 1 slots, 20251215T1000Z to 20251215T1000Z, onto the state of 20251215T0950Z: 1,234 pairs",
        ),
        (Rebuilt(folded=("20251215T1000Z",), newest_run="20251215T1000Z"), "onto nothing"),
        (
            Rebuilt(folded=("20251215T1000Z",), newest_run="20251215T1000Z", may_leave_items=True),
            "not seen since then stay in the table as they are. Ways out: empty the table, then",
        ),
    ],
)
def test_it_says_what_was_done(rebuilt: Rebuilt, words: str) -> None:
    assert words in told(rebuilt)


def test_a_folder_without_runs_is_named_with_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rebuild", "--state-dir", str(tmp_path)]) == 2
    assert "give a folder that `make run` has made, or give --stage" in capsys.readouterr().err


def test_a_slot_that_is_none_is_refused_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rebuild", "--since", "yesterday"]) == 2
    assert "yesterday" in capsys.readouterr().err
