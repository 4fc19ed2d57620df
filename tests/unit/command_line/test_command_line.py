"""What the command line says: to a newcomer who asks, and to one who errs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from spotlake import keys
from spotlake.models import slot_of_run_id
from spotlake.stores.objects import MemoryObjects
from spotlake_local.assembly import synthesise
from spotlake_local.cli import main
from spotlake_local.commands.runs import TABLE_WIDTH, runs_table
from spotlake_local.commands.show import price_texts
from spotlake_local.following import Ended
from spotlake_local.summary import print_summary, summarise
from spotlake_local.workspace import Workspace
from tests.report.runs import first_schema

SUMMARY: dict[str, Any] = {
    "run_id": "20251215T1000Z",
    "mode": None,
    "status": "failed",
    "verdict": "failed",
    "full_run": None,
    "azure": "simulated",
    "seconds": {"total": 6.0, "plan": 1.5, "merge": 0.0},
    "peak_memory_mb": {},
    "outputs": [],
    "error": "InvalidInputError",
    "cause": "instance_types: ['Zzz*'] is not allowed; give globs that fit",
}
STATISTICS: Any = {"total_seconds": 1283.2, "azure": "simulated"}
MANIFEST: Any = {
    "run_id": "20251215T1000Z",
    "mode": "incremental",
    "verdict": "complete",
    "coverage_percent": 100.0,
    "regions_complete": 58,
    "regions_requested": 58,
    "desired_counts": [1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50],
    "rows": {"merged": 150_414},
    "changed_rows": 149_288,
    "sps_calls": 1774,
    "calls_waiting": 12_445,
    "attempts": [{}, {}],
    "stale": [],
}


@pytest.mark.parametrize("name", ["run", "runs", "show", "report", "exec", "plan-calls", "image", "rebuild"])
def test_every_help_has_examples_that_name_the_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"  spotlake {name}") for line in lines[lines.index("examples:") :])


def test_the_first_help_says_what_to_type_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert "\n  spotlake run  " in said
    assert "exit codes: 0 done, 1 failed, 2 a value that is not allowed, 130 interrupted" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs", "--last", "0"], "--last: '0' is not allowed; give a whole number from 1 to 1000"),
        (["runs", "--last", "-3"], "--last: '-3'"),
        (["runs", "--last", "²"], "--last: '²'"),
        (["show", "newest"], "RUN: 'newest' is not allowed; give a run id such as"),
        (["show", "20251215T1000Z"], "there is none here yet"),
        (["run", "--desired-count", "²"], "desired_count: '²'"),
        (["run", "--regions", ""], "regions: '' is not allowed; give at least one name, or leave the flag out for all"),
        (["run", "--regions", "KoreaCental"], "such as koreacentral"),
        (["run", "--instance-types", "Zzz*"], "instance_types: 'Zzz*' is not allowed; give globs that fit a size"),
        (["run", "--instance-types", "Standard_B2ms"], "instance_types: 'Standard_B2ms'"),
        (["exec", "--", "true"], "a folder that `make run` has made"),
    ],
    ids=lambda given: "-".join(given).replace("²", "digit") if isinstance(given, list) else "",
)
def test_a_value_that_is_not_allowed_ends_with_2_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    state = tmp_path / "state"
    assert main([words[0], "--state-dir", str(state), *words[1:]]) == 2
    assert said in capsys.readouterr().err
    assert not state.exists()


@pytest.mark.parametrize("name", ["runs", "show", "report"])
def test_where_there_is_no_run_it_says_where_it_looked_and_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main([name, "--state-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"no finished runs in {tmp_path}/spotlake-test yet: `make run` collects one\n"


def test_the_live_azure_without_credentials_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZURE_SUBSCRIPTION_IDS", " , ")
    monkeypatch.setenv("AZURE_TENANT_ID", "tenant")
    assert main(["run", "--azure", "live", "--state-dir", str(tmp_path / "state")]) == 1
    said = capsys.readouterr().err
    assert "AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_SUBSCRIPTION_IDS" in said
    assert "AZURE_TENANT_ID" not in said
    assert not (tmp_path / "state").exists()


def test_a_state_folder_that_is_a_file_or_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "state"):
        assert main(["run", "--state-dir", str(folder)]) == 2
        assert f"--state-dir: '{folder}' is not allowed" in capsys.readouterr().err
    used = Workspace(tmp_path / "used")
    with used.alone():
        assert used.folder.stat().st_mode & 0o777 == 0o700  # a live Azure's secret lies in it
        assert main(["run", "--state-dir", str(used.folder)]) == 1  # nothing is wrong with it
    assert "another `make run` or `spotlake exec` is using it: wait" in capsys.readouterr().err
    with used.alone() as lock:
        # An emulator whose command was killed and that still saves.
        emulator = subprocess.Popen(["sleep", "60"], pass_fds=(lock,))
    assert main(["run", "--state-dir", str(used.folder)]) == 1
    emulator.kill()
    emulator.wait()
    with used.alone():
        pass  # free again


def test_simulated_and_live_data_never_meet_in_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Workspace(tmp_path).remember(slot_of_run_id("20251215T1000Z"), "live")
    assert main(["run", "--state-dir", str(tmp_path)]) == 2
    assert "azure: 'simulated' is not allowed; give live" in capsys.readouterr().err


def test_a_damaged_state_folder_says_which_file_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "last_slot.json").write_text('{"slot_at":')
    assert main(["run", "--state-dir", str(tmp_path)]) == 1
    assert f"{tmp_path}/last_slot.json is damaged or of another version: delete it" in capsys.readouterr().err
    (tmp_path / "ports.json").write_text("[")
    assert set(Workspace(tmp_path).ports(("aws", "azure"))) == {"aws", "azure"}


def test_a_damaged_manifest_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = tmp_path / "spotlake-test/runs/azure/2025/12/15/10-00.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{")
    assert main(["runs", "--state-dir", str(tmp_path)]) == 1
    assert "spotlake: spotlake-test/runs/azure/2025/12/15/10-00.json is damaged" in capsys.readouterr().err


def test_a_narrow_terminal_cuts_no_run_id() -> None:
    console = Console(width=TABLE_WIDTH)
    with console.capture() as seen:
        console.print(runs_table([(MANIFEST, STATISTICS)]))
    lines = seen.get().splitlines()
    assert lines[1].split() == [
        "20251215T1000Z", "2025-12-15", "10:00", "incremental", "complete", "100.0", "58/58", "1..50", "150,414",
        "149,288", "1,774", "12,445", "0", "2", "simulated", "1283",
    ]  # fmt: skip
    assert len(lines) == 2


def test_a_failed_run_ends_with_its_cause_whole_and_a_way_out(tmp_path: Path) -> None:
    console = Console(width=60)
    with console.capture() as seen:
        print_summary(console, SUMMARY, Workspace(tmp_path))
    said = seen.get()
    assert "InvalidInputError: instance_types: ['Zzz*'] is not allowed; give globs that fit\n" in said
    assert "what to do: correct the input and start again\n" in said
    assert "coverage" not in said
    assert "page to look at" not in said


@pytest.mark.parametrize(("passed", "rows"), [("Merge", 0), ("CheckCoverage", 1)])
def test_a_summary_shows_no_earlier_execution_of_the_slot(passed: str, rows: int) -> None:
    slot_at = slot_of_run_id("20251215T1000Z")
    stored = MemoryObjects(objects={keys.manifest(slot_at): orjson.dumps(first_schema())})
    ended = Ended(status="FAILED", error="StoreError", cause="full", seconds_by_state={"Plan": 1.0, passed: 1.0})
    summary = summarise(stored, slot_at=slot_at, ended=ended, source="simulated", deploy_seconds=1.0)
    assert summary["changed_rows"] == rows


def test_a_flag_has_one_way_of_writing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--region", "eastus"])
    assert "unrecognized arguments: --region eastus" in capsys.readouterr().err


def test_the_word_alone_is_answered_with_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "first steps:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("jsii\nRuntimeError: ENOSPC: no space left on device, copyfile 'a'", "make room"),
        (
            "x\nAttributeError: '_NodeProcess' object has no attribute '_process'",
            "`node --version` must say 20 or later",
        ),
        ("x\nBrokenPipeError: [Errno 32] Broken pipe", "`node --version` must say 20 or later"),
        ("x\nValueError: write_bukcet: no setting of that name", "write_bukcet: no setting of that name"),
    ],
)
def test_a_disk_or_node_that_fails_is_not_called_a_wrong_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    def refuse(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, stdout="", stderr=words)

    def run(*_: object) -> int:
        synthesise(tmp_path / "assembly", {})
        return 0

    monkeypatch.setattr("spotlake_local.assembly.subprocess.run", refuse)
    monkeypatch.setattr("spotlake_local.local_run.LocalRun.run", run)
    assert main(["run", "--state-dir", str(tmp_path / "state")]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "secret" not in told


def test_show_tells_what_is_odd_about_prices_and_nothing_when_all_is_well() -> None:
    assert price_texts(MANIFEST) == []
    odd: dict[str, Any] = {
        "unconfirmed": {"pairs": 1_205, "healed": 3, "regions": {"eastus": {"pairs": 1_205, "sizes": []}}},
        "unknown_kinds": {"rows": 7, "samples": [{"kind": "plus spot"}]},
        "price_disagreements": {"rows": 1, "sizes": ["eastus spot Standard_D2s_v5"]},
        "price_witness": [
            {"region": "eastus", "systems": {"linux": {"agreeing": 1_700, "disagreeing": 2}}},
            {"region": "westus", "systems": {}},
        ],
    }
    told: Any = MANIFEST | odd
    assert price_texts(told) == [
        "1,205 pairs not confirmed, they keep their old price: eastus 1205",
        "7 rows of kinds that no rule knows: 'plus spot'",
        "1 second meters say another price: eastus spot Standard_D2s_v5",
        "second witness of eastus: linux 1,700 sizes agree, 2 do not",
        "second witness of westus: no answer",
    ]
