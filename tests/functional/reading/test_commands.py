"""The commands that read data, over an archive in a folder. Expected values are those of the merge's snapshots."""

from __future__ import annotations

import csv
import io
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spotlake import keys
from spotlake.archive.filters import Where
from spotlake_local.cli import main
from tests.functional.reading.conftest import SIZES, SPECS, Kept

type Told = Callable[..., str]
LAST = max(SPECS)


@pytest.fixture
def told(kept: Kept, capsys: pytest.CaptureFixture[str]) -> Told:
    def ask(*words: str) -> str:
        assert main([*words, "--from", str(kept.folder)]) == 0
        return capsys.readouterr().out

    return ask


def lines(text: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in text.splitlines()]


def test_latest_is_the_newest_snapshot(kept: Kept, told: Told) -> None:
    rows = lines(told("latest", "--json"))
    expected = kept.snapshot_rows(LAST)
    assert [(row["instance_type"], row["zone"], row["spot_price_usd_per_hour"]) for row in rows] == [
        (row["ArmSkuName"], row["AvailabilityZone"], float(row["SpotPrice"])) for row in expected
    ]
    assert {row["vcpus"] for row in rows if row["instance_type"] == SIZES[1]} == {4}  # E8-4ds_v5 has 4 of 8
    assert rows[0]["spot_price_usd_per_vcpu_hour"] == rows[0]["spot_price_usd_per_hour"] / rows[0]["vcpus"]


@pytest.mark.parametrize(
    ("flags", "sizes"),
    [
        (("--size", "D2s_v5"), {SIZES[0]}),
        (("--size", "standard_e8*"), {SIZES[1]}),
        (("--vcpu", "4-"), {SIZES[1]}),
        (("--vcpu", "-2"), {SIZES[0]}),
        (("--family", "Dsv5"), {SIZES[0]}),
        (("--geography", "korea"), set(SIZES)),
        (("--geography", "asia*"), set(SIZES)),
        (("--geography", "Europe"), set()),
        (("--region", "korea*"), set(SIZES)),
        (("--architecture", "arm64"), set()),
        (("--max-price", "0.03"), set()),
        (("--max-price-per-vcpu", "0.015"), {SIZES[1]}),
        (("--gpu", "1-"), set()),
    ],
)
def test_each_condition_chooses(told: Told, flags: tuple[str, ...], sizes: set[str]) -> None:
    assert {row["instance_type"] for row in lines(told("latest", "--json", *flags))} == sizes


def test_scores_and_thresholds_choose_as_the_snapshot_says(kept: Kept, told: Told) -> None:
    expected = {(row["ArmSkuName"], row["AvailabilityZone"]) for row in kept.snapshot_rows(LAST) if int(row["T3"]) >= 1}
    found = {(row["instance_type"], row["zone"]) for row in lines(told("latest", "--json", "--min-t3", "1"))}
    assert found == expected
    assert found


def test_a_score_that_was_confirmed_too_long_ago_is_left_out(told: Told) -> None:
    zones = {row["zone"] for row in lines(told("latest", "--json", "--max-age", "1h"))}
    assert zones == {"1"}  # slot 2400 asked zone 1 alone


def test_history_at_changes_and_diff_print(kept: Kept, told: Told) -> None:
    text = told("history", SIZES[0], "koreacentral", "1", "--csv")
    assert next(row["changed_at"] for row in csv.DictReader(io.StringIO(text))) == "2025-12-15T10:00:00Z"
    assert "0.03" in told("at", "20251216T0000Z", "--size", "D2s_v5", "--columns", "zone,spot_price_usd_per_hour")
    changed = lines(told("changes", "--since", "2025-12-15 10:00", "--until", "2025-12-15 10:10", "--json"))
    assert {row["spot_price_usd_per_hour"] for row in changed} == {0.02}
    differing = lines(told("diff", "20251215T1000Z", "20251215T1010Z", "--json"))
    assert {(row["value"], row["before"], row["after"]) for row in differing} >= {
        ("spot_price_usd_per_hour", "0.01", "0.02"),
        ("score_1", "2", "1"),
    }


def test_a_snapshot_is_written_byte_for_byte(kept: Kept, told: Told, tmp_path: Path) -> None:
    told("at", "20251215T1010Z", "--snapshot", str(tmp_path / "again.csv.gz"))
    assert (tmp_path / "again.csv.gz").read_bytes() == (kept.folder / keys.snapshot(kept.slot(1))).read_bytes()


def test_exports_hold_the_rows(kept: Kept, told: Told, tmp_path: Path) -> None:
    number = len(kept.snapshot_rows(LAST))
    told("export", str(tmp_path / "all.parquet"))
    assert pq.read_table(tmp_path / "all.parquet").num_rows == number
    told("export", str(tmp_path / "all.csv"))
    assert len(list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text())))) == number
    told("export", str(tmp_path / "all.sqlite"), "--since", "2025-12-15 10:00")
    with closing(sqlite3.connect(tmp_path / "all.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM workloads").fetchone() == (number,)
        assert database.execute("SELECT count(*) FROM changes").fetchone()[0] > 0


def test_place_takes_the_cheapest_that_can_hold_the_vcpus(kept: Kept, told: Told) -> None:
    rows = lines(told("place", "4", "--json"))
    can = [row for row in kept.snapshot_rows(LAST) if int(row["T3"]) >= (2 if row["ArmSkuName"] == SIZES[0] else 1)]
    assert {(row["instance_type"], row["zone"]) for row in rows} == {
        (row["ArmSkuName"], row["AvailabilityZone"]) for row in can
    }
    assert rows == sorted(rows, key=lambda row: row["expected_usd_per_hour"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("latest", "--vcpu", "many"), "a number or a range"),
        (("latest", "--sort", "price"), "spot_price_usd_per_hour"),
        (("latest", "--max-price", "nan"), "--max-price"),
        (("latest", "--count", "7"), "1, 5, 10"),
        (("at", "yesterday"), "a time ago such as"),
        (("at", "2020-01-01"), "the first slot"),
        (("export", "all.xlsx"), ".parquet"),
        (("history", "Standard_D2s_v5", "atlantis"), "spotlake latest"),
        (("changes", "--since", "soon"), "--since"),
    ],
)
def test_what_cannot_be_answered_is_said_with_the_way_out(
    kept: Kept, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert main([*words, "--from", str(kept.folder)]) in (1, 2)
    assert said in capsys.readouterr().err


def test_an_address_that_is_no_archive_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latest", "--from", str(tmp_path / "nothing")]) == 1
    assert "there is no such folder" in capsys.readouterr().err
    assert main(["latest", "--from", str(tmp_path)]) == 1
    assert "is this an archive" in capsys.readouterr().err
    assert main(["latest", "--from", "ftp://host"]) == 1
    assert "s3://BUCKET" in capsys.readouterr().err


def test_reading_loads_no_part_of_the_emulator(kept: Kept) -> None:
    import subprocess

    code = (
        "import sys; from spotlake_local.cli import main;"
        f"main(['latest', '--from', {str(kept.folder)!r}]);"
        "bad = {'ministack', 'starlette', 'uvicorn', 'aws_cdk', 'azure.identity', 'cryptography'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("spelled", [("d2S_V5", "Korea Central"), ("standard_d2s_v5", "KoreaCentral")])
def test_names_in_other_casings_are_the_same_workload(told: Told, spelled: tuple[str, str]) -> None:
    assert told("history", *spelled, "--json") == told("history", "Standard_D2s_v5", "koreacentral", "--json") != ""


def test_a_history_shows_the_scores_of_every_count_that_was_asked(told: Told) -> None:
    title = told("history", "Standard_D2s_v5", "koreacentral").splitlines()[0].split()
    assert [name for name in title if name.startswith("score_")] == ["score_1", "score_50"]


def test_a_size_pattern_begins_where_the_size_begins() -> None:
    names = ["Standard_A1_v2", "Basic_A0", "Standard_NC24ads_A100_v4", "Standard_D2s_v5"]
    table = pa.table({"instance_type": names})
    chosen = Where(sizes=("a*",)).chosen(table, datetime(2026, 1, 1, tzinfo=UTC))
    assert chosen["instance_type"].to_pylist() == names[:2]


@pytest.mark.parametrize("words", [("--count", "0"), ("--count", "7"), ("--min-score", "4")])
def test_numbers_that_azure_never_answers_are_refused(kept: Kept, words: tuple[str, str]) -> None:
    assert main(["latest", "--from", str(kept.folder), *words]) == 2


def test_a_file_in_no_folder_is_refused_by_name(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "/no/such/folder/x.csv", "--from", str(kept.folder)]) == 2
    assert "/no/such/folder/x.csv" in capsys.readouterr().err


def test_a_command_whose_packages_are_not_installed_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert main(["runs"]) == 1
    assert "rich" in capsys.readouterr().err
