from __future__ import annotations

from pathlib import Path

import pytest

from spotlake_local.cli import main
from spotlake_local.files import copy_objects
from spotlake_local.workspace import Workspace
from tests.functional.merge.conftest import World


@pytest.fixture
def state(world: World, tmp_path: Path) -> Path:
    copy_objects(world.objects, list(world.objects.keys("")), Workspace(tmp_path).outputs)
    return tmp_path


def test_the_last_run_s_page_with_its_picture(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = state / "pictures/report.png"
    assert main(["report", "--state-dir", str(state), "--picture", str(picture)]) == 0
    said = capsys.readouterr().out
    assert (state / "report.html").as_uri() in said
    assert "20251215T1010Z" in said
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_runs_beside_each_other(state: Path) -> None:
    out = state / "both.html"
    words = ["report", "20251215T1000Z", "20251215T1010Z", "--state-dir", str(state), "--out", str(out)]
    assert main(words) == 0
    assert "<title>SpotLake Azure: 20251215T1000Z, 20251215T1010Z</title>" in out.read_text(encoding="utf-8")


def test_the_page_beside_the_manifest_opens_as_a_file(state: Path) -> None:
    page = Workspace(state).outputs / "runs/azure/2025/12/15/10-10.html"
    assert page.read_bytes().startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("runs", "said"),
    [(["20251215T0900Z"], "a finished run, such as"), (["now"], "a run id such as"), (["x"] * 7, "at most 6")],
    ids=["unknown", "no-id", "too-many"],
)
def test_a_run_that_is_none_is_refused(
    state: Path, capsys: pytest.CaptureFixture[str], runs: list[str], said: str
) -> None:
    assert main(["report", *runs, "--state-dir", str(state)]) == 2
    assert said in capsys.readouterr().err
    assert not (state / "report.html").exists()


def test_without_runs_it_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--state-dir", str(tmp_path)]) == 0
    assert "make run" in capsys.readouterr().out


def test_without_chromium_a_picture_says_what_to_install(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(state))
    assert main(["report", "--state-dir", str(state), "--picture", str(state / "x.png")]) == 1
    assert "apt-get install chromium" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_says_what_to_do(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for out, said in (("/dev/full", "make room"), (str(state), "choose another place")):
        assert main(["report", "--state-dir", str(state), "--out", out]) == 1
        assert f"what to do: {said}" in capsys.readouterr().err
