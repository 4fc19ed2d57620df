"""Which slot a local run takes, and which it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spotlake import keys
from spotlake.errors import InvalidInputError
from spotlake.models import run_id_of, slot_of_run_id
from spotlake_local import first_contact, local_run
from spotlake_local.cli import main
from spotlake_local.local_run import LocalRun
from spotlake_local.slots import choose_slot, newest_allowed_at
from spotlake_local.workspace import Workspace

NOW_AT = datetime(2026, 11, 25, 20, 34, tzinfo=UTC)


def folder(path: Path, collected: Sequence[str] = (), begun: str | None = None) -> Workspace:
    workspace = Workspace(path)
    for run_id in collected:
        manifest = workspace.outputs / keys.manifest(slot_of_run_id(run_id))
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.write_text("{}")
    if begun:
        workspace.remember(slot_of_run_id(begun), "simulated")
    return workspace


@pytest.mark.parametrize(
    ("collected", "begun", "chosen"),
    [
        ([], None, "20261125T2030Z"),
        (["20261125T2030Z"], "20261125T2030Z", "20261125T2040Z"),
        # After a run in the past: not the slot after that one, and none that has been collected.
        (["20261125T2030Z", "20261125T2040Z", "20261125T2020Z"], "20261125T2020Z", "20261125T2050Z"),
        (["20261125T2040Z"], "20251215T1000Z", "20261125T2030Z"),
        # Interrupted before it had collected anything: the slot is free still.
        ([], "20261125T2030Z", "20261125T2030Z"),
        # A folder that a slip in the year has moved comes back.
        (["20301215T1000Z"], "20301215T1000Z", "20261125T2030Z"),
    ],
)
def test_the_first_free_slot_from_the_present_one_on(
    tmp_path: Path, collected: list[str], begun: str | None, chosen: str
) -> None:
    workspace = folder(tmp_path, collected, begun)
    assert run_id_of(choose_slot(workspace, now_at=NOW_AT, is_live=False, resumes=False)) == chosen


def test_a_resumed_run_goes_on_with_the_slot_begun_last(tmp_path: Path) -> None:
    workspace = folder(tmp_path, ["20261125T2010Z"], "20261125T2010Z")
    assert run_id_of(choose_slot(workspace, now_at=NOW_AT, is_live=False, resumes=True)) == "20261125T2010Z"


def test_the_real_azure_is_not_asked_for_a_slot_after_the_next(tmp_path: Path) -> None:
    workspace = folder(tmp_path, ["20261125T2030Z"])
    assert run_id_of(choose_slot(workspace, now_at=NOW_AT, is_live=True, resumes=False)) == "20261125T2040Z"
    folder(tmp_path, ["20261125T2040Z"])
    with pytest.raises(InvalidInputError, match="wait until 2026-11-25T20:40:00Z"):
        choose_slot(workspace, now_at=NOW_AT, is_live=True, resumes=False)


def test_a_slip_in_the_year_is_refused_in_simulated_mode_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    assert main(["run", "--state-dir", str(state), "--timestamp", "2130-12-15 10:00"]) == 2
    assert "timestamp: '2130-12-15 10:00' is not allowed; give a slot that has come, or the next one" in (
        capsys.readouterr().err
    )
    assert not state.exists()


def test_the_slot_after_the_last_one_may_be_named(tmp_path: Path) -> None:
    last = slot_of_run_id("20261125T2130Z")
    assert newest_allowed_at(folder(tmp_path, begun="20261125T2130Z"), NOW_AT) == last
    assert newest_allowed_at(folder(tmp_path, begun="20251215T1000Z"), NOW_AT) == NOW_AT


def test_the_real_azure_is_not_asked_for_last_year_unless_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_SUBSCRIPTION_IDS"):
        monkeypatch.setenv(name, "00000000-0000-4000-8000-000000000001")
    monkeypatch.setattr(first_contact, "first_contact", lambda *_: None)
    seen: list[dict[str, Any]] = []

    def run(self: LocalRun) -> int:
        seen.append(self.wanted)
        return 0

    monkeypatch.setattr(LocalRun, "run", run)
    words = ["run", "--azure", "live", "--state-dir", str(tmp_path / "state"), "--timestamp", "2025-12-15 10:00"]
    assert main(words) == 2
    assert "give a slot of the last hour" in capsys.readouterr().err
    assert seen == []
    assert main([*words, "--past"]) == 0
    assert (seen[0]["timestamp"], seen[0]["past"]) == ("2025-12-15T10:00:00Z", True)


def test_a_slot_that_is_named_again_is_told_to_be_one_more_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise InvalidInputError("stop", "here", "nothing more")

    monkeypatch.setattr(local_run.LocalRun, "_start", stop)
    folder(tmp_path, ["20251215T1000Z"], "20251215T1000Z")
    for slot, said in (("2025-12-15 10:00", True), ("2025-12-15 10:10", False)):
        assert main(["run", "--state-dir", str(tmp_path), "--timestamp", slot]) == 2
        assert ("one more attempt" in capsys.readouterr().out) is said
