"""Summary, `runs` and `show` tell of failed and starved runs what the manifest and the job say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from rich.console import Console

from spotlake import errors, keys
from spotlake.models import Dataset, Run
from spotlake_local.advice import advice
from spotlake_local.cli import main
from spotlake_local.files import copy_objects
from spotlake_local.following import Ended, Progress, follow
from spotlake_local.progress import progress
from spotlake_local.summary import print_summary, summarise
from spotlake_local.workspace import Workspace
from tests.functional.merge.conftest import FIRST, World
from tests.report.runs import (
    EXIT,
    NOTHING_ASKED,
    NOTHING_CAME,
    SENTENCE,
    failed_run,
    first_schema,
    starved_run,
    stored_first_schema,
)

STATES = dict.fromkeys(("Plan", "FullRun", "Merge", "CheckCoverage", "Report", "ChooseEnd"), 1.0)
FAILED = Ended(status="FAILED", error=EXIT.error, cause=EXIT.cause, seconds_by_state=STATES)
WELL = Ended(status="SUCCEEDED", error=None, cause=None, seconds_by_state=STATES)
type Told = Callable[..., str]


def summary(world: World, ended: Ended, source: str = "live", **more: Any) -> dict[str, Any]:
    return summarise(world.objects, slot_at=FIRST, ended=ended, source=source, deploy_seconds=1.0, **more)


def printed(found: dict[str, Any], folder: Path) -> str:
    console = Console(width=100)
    with console.capture() as seen:
        print_summary(console, found, Workspace(folder))
    return seen.get()


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    def tell(world: World, *words: str) -> str:
        monkeypatch.setenv("COLUMNS", "160")
        copy_objects(world.objects, list(world.objects.keys("")), Workspace(tmp_path).outputs)
        assert main([*words, "--state-dir", str(tmp_path)]) == 0
        return capsys.readouterr().out

    return tell


def test_the_summary_of_a_failed_run_has_the_job_s_sentence_and_no_advice_to_delete(tmp_path: Path) -> None:
    found = summary(failed_run()[0], FAILED)
    assert (found["status"], found["run_status"], found["verdict"]) == ("failed", "failed", "failed")
    assert (found["error"], found["cause"]) == ("SignInUnavailableError", SENTENCE)
    text = printed(found, tmp_path)
    assert f"SignInUnavailableError: {SENTENCE}" in text
    assert "login.microsoftonline.com, management.azure.com" in text
    assert "clean-local" not in text
    assert "secret" not in text
    assert "scores none (nothing was planned)" in text


def test_the_job_s_record_is_kept_beside_what_was_written() -> None:
    world, run = failed_run()
    assert keys.checkpoint(run.slot_at, run.attempt, "job") in summary(world, FAILED)["outputs"]


def test_a_starved_run_succeeded_and_says_that_nothing_was_asked(tmp_path: Path) -> None:
    found = summary(starved_run()[0], WELL, "simulated")
    assert (found["status"], found["run_status"], found["verdict"]) == ("succeeded", "partial", "starved")
    text = printed(found, tmp_path)
    assert "succeeded, starved" in text
    assert "of 319 calls, for quota; some were never asked" in text


def test_a_full_run_that_failed_beside_the_slot_is_told(tmp_path: Path) -> None:
    world = failed_run()[0]
    found = summary(world, WELL, beside=FAILED)
    assert found["error"] is None
    assert found["full_run"] == {"status": "failed", "error": "SignInUnavailableError", "cause": SENTENCE}
    assert f"the daily full run beside it failed: SignInUnavailableError: {SENTENCE}" in printed(found, tmp_path)


def test_runs_and_show_tell_a_failure_with_its_cause(said: Told) -> None:
    world = failed_run()[0]
    listed = said(world, "runs")
    assert " failed " in listed
    assert " live " in listed
    assert f"20251215T1000Z: SignInUnavailableError: {SENTENCE}" in listed
    shown = said(world, "show", "latest")
    assert "run 20251215T1000Z: failed" in shown
    assert f"SignInUnavailableError: {SENTENCE}" in shown
    assert f"attempt 1: full, count 1, nothing planned; AzureError: {EXIT.cause}" in shown
    assert "100.0 %" not in shown


def test_runs_and_show_tell_what_waits(said: Told) -> None:
    world = starved_run()[0]
    row = said(world, "runs").splitlines()[1].split()
    assert (row[4], row[11]) == ("starved", "319")
    shown = said(world, "show")
    assert "of 319 calls, for quota; some were never asked" in shown
    assert "0 rows, none (no call could be asked: the quota is used up)" in shown


@pytest.mark.parametrize(
    ("changes", "verdict", "waiting"),
    [
        (NOTHING_CAME, "failed", "all: none was asked"),
        (NOTHING_ASKED, "starved", "of 319 calls"),
        ({}, "complete", "none"),
    ],
)
def test_old_manifests_are_told_as_what_they_were(
    said: Told, changes: dict[str, Any], verdict: str, waiting: str
) -> None:
    world = stored_first_schema(**changes)
    assert said(world, "runs").splitlines()[1].split()[4] == verdict
    shown = said(world, "show")
    assert f"run 20251215T1000Z: {verdict}" in shown
    assert waiting in shown


def test_a_manifest_that_lacks_a_field_is_called_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    broken = {name: value for name, value in first_schema().items() if name != "rows"}
    world.objects.put(keys.manifest(FIRST), orjson.dumps(broken))
    copy_objects(world.objects, list(world.objects.keys("")), Workspace(tmp_path).outputs)
    assert main(["show", "--state-dir", str(tmp_path)]) == 1
    assert "10-00.json is damaged: rows is missing" in capsys.readouterr().err


def classes(root: type[errors.SpotlakeError] = errors.SpotlakeError) -> list[type[errors.SpotlakeError]]:
    return [
        root,
        *(one for child in root.__subclasses__() if child.__module__ == root.__module__ for one in classes(child)),
    ]


@pytest.mark.parametrize("source", ["live", "simulated"])
@pytest.mark.parametrize("name", [*(one.__name__ for one in classes()), "FullRunError", "States.Timeout", "KeyError"])
def test_advice_fits_the_fault(name: str, source: str) -> None:
    words = advice(name, source=source, log_file=Path("log"))
    assert "clean-local" not in words
    kind = getattr(errors, name, None)
    is_setting = isinstance(kind, type) and issubclass(kind, errors.ConfigurationError)
    assert ("secret" in words.lower()) <= is_setting
    if source == "live" and isinstance(kind, type) and issubclass(kind, errors.AzureUnavailableError):
        assert "login.microsoftonline.com" in words


def test_a_log_has_the_seconds_and_a_line_now_and_then() -> None:
    console = Console(width=80, force_terminal=False)
    seconds = iter([0.0, 1.0, 5.0, 17.0, 17.0])
    with console.capture() as seen, progress(console, seconds=lambda: next(seconds)) as tell:
        tell(Progress(state="Plan"))
        tell(Progress(state="Plan"))  # too soon for another line
        tell(Progress(state="FullRun", attempt=1, expected=6, stored=2))
    assert seen.get().splitlines() == ["    1 s  Plan", "   17 s  FullRun: 2 of 6 raw files"]


class Ending:
    """A Step Functions client whose execution is collecting at the first look, and has ended at the second."""

    def __init__(self) -> None:
        self.statuses = iter(["RUNNING", "SUCCEEDED"])

    def describe_execution(self, **_: str) -> dict[str, Any]:
        return {"status": next(self.statuses), "stopDate": FIRST}

    def get_paginator(self, _: str) -> Ending:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        details = {"name": "FullRun"}
        return [{"events": [{"type": "TaskStateEntered", "timestamp": FIRST, "stateEnteredEventDetails": details}]}]


def test_no_more_raw_files_are_counted_than_are_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full run lists the prices of regions that turn out to sell nothing: "175 of 174 raw files" was seen."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    world = World()
    run = world.collected(0, scores={"1": 3})
    key = keys.shard(Dataset.PRICE, FIRST, "denmarkeast", run.attempt)
    world.objects.put(key, b"an empty listing")
    looks: list[tuple[int | None, int]] = []
    follow(
        cast("Any", Ending()),
        "arn",
        objects=world.objects,
        slot_at=FIRST,
        show=lambda now: looks.append((now.expected, now.stored)),
    )
    assert looks == [(3, 3)]


def test_attempts_of_a_run_are_told(said: Told) -> None:
    world = World()
    first = world.collected(0, scores={"1": 3})
    world.merge(first)
    again: Run = world.collected(0, attempt=2, scores={"1": 3}, count=5)
    world.merge(again)
    assert said(world, "runs").splitlines()[1].split()[13] == "2"
    assert "attempt 2: incremental, count 5, 1 calls planned" in said(world, "show")
