from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from spotlake_local.cli import main

ROWS = [
    "koreacentral,Standard_D2s_v5",
    "koreacentral,Standard_NC24ads_A100_v4",
    "koreacentral,Standard_B2ms",
    "eastus,Standard_D2s_v5",
    "usgovvirginia,Standard_D2s_v5",
]


def write(path: Path, header: str = "armRegionName,armSkuName") -> Path:
    body = "\n".join([header, *ROWS]).encode()
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


def plan(catalogue: Path, *arguments: str, out: Path | None = None) -> tuple[int, dict[str, Any]]:
    target = out or catalogue.parent / "plan.json"
    code = main(["plan-calls", "--catalogue", str(catalogue), "--out", str(target), *arguments])
    return code, orjson.loads(target.read_bytes()) if code == 0 else {}


@pytest.mark.parametrize("name", ["prices.csv", "prices.csv.gz"])
def test_a_plan_is_written_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, content = plan(write(tmp_path / name))
    sizes = ["Standard_D2s_v5", "Standard_NC24ads_A100_v4"]
    assert code == 0
    assert content == {"calls": [{"regions": ["eastus", "koreacentral"], "instance_types": sizes}], "lower_bound": 1}
    printed = capsys.readouterr().out
    assert "dropped 1 rows: never spot" in printed
    assert "dropped 1 rows: not a public region" in printed
    assert "pairs 3  calls 1  lower bound 1  ratio 1.0000  seconds" in printed


def test_regions_and_globs_choose_pairs(tmp_path: Path) -> None:
    _, content = plan(write(tmp_path / "prices.csv"), "--regions", "koreacentral", "--instance-types", "standard_nc*")
    assert content["calls"] == [{"regions": ["koreacentral"], "instance_types": ["Standard_NC24ads_A100_v4"]}]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--regions", "korea"], "korea"),
        (["--instance-types", "Standard_X*"], "--instance-types: 'Standard_X*'"),
        (["--effort-seconds", "-1"], "--effort-seconds: -1"),
        (["--effort-seconds", "nan"], "--effort-seconds: nan"),
    ],
)
def test_wrong_arguments_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert plan(write(tmp_path / "prices.csv"), *arguments) == (2, {})
    assert told in capsys.readouterr().err


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, odd = write(tmp_path / "prices.csv"), write(tmp_path / "odd.csv", header="region,size")
    not_gzip = (tmp_path / "prices.csv.gz").absolute()
    not_gzip.write_text("armRegionName,armSkuName\n")
    for catalogue, told in ((tmp_path / "none.csv", "none.csv"), (odd, "armRegionName"), (not_gzip, "prices.csv.gz")):
        assert plan(catalogue)[0] == 2
        assert told in capsys.readouterr().err
    assert plan(good, out=tmp_path / "none" / "plan.json")[0] == 2
    assert "--out" in capsys.readouterr().err
