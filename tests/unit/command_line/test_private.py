"""What holds a secret, or came from the caller's shell, stays where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.cli import main
from spotlake_local.commands.exec import _environment
from spotlake_local.workspace import Workspace


def test_a_state_folder_that_was_there_before_is_closed_too(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    with Workspace(folder).alone():
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_that_is_a_link_empties_no_other_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    kept.write_text("somebody's", encoding="utf-8")
    (tmp_path / "state").mkdir()
    (tmp_path / "state/lock").symlink_to(kept)
    assert main(["run", "--state-dir", str(tmp_path / "state")]) == 2
    assert kept.read_text(encoding="utf-8") == "somebody's"
    assert "symbolic link" in capsys.readouterr().err


def test_a_command_gets_nothing_of_the_caller_s_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"AWS_SESSION_TOKEN": "mine", "AWS_PROFILE": "mine", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    for name, value in {**given, "AZURE_CLIENT_SECRET": "mine", "HTTP_PROXY": "http://proxy"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EDITOR", "vi")
    environment = _environment(EmulatedAws("http://127.0.0.1:1", Path("log"), "key"), None)
    assert "mine" not in environment.values()
    assert (environment["EDITOR"], environment["NO_PROXY"]) == ("vi", "127.0.0.1")
    assert environment["AWS_ACCESS_KEY_ID"] == "key"
