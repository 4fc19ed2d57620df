"""The blocks of docs/reading.md for readers without this project's code, run as they stand there."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import pytest

from spotlake_local.workspace import ROOT
from tests.functional.reading.conftest import SIZES, Kept

DOC = (ROOT / "docs/reading.md").read_text(encoding="utf-8")
HOME = ".local/spotlake-test"


def block(heading: str, kept: Kept) -> str:
    found = re.search(rf"^### {heading}\n.*?^```\w+\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    text = found[1]
    assert HOME in text
    return text.replace(HOME, str(kept.folder))


def ran(heading: str, kept: Kept) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(block(heading, kept), names)  # noqa: S102 - the block of our own page is what is tested
    return names


def test_duckdb(kept: Kept) -> None:
    cheapest, moves, snapshot, gaps = (duckdb.sql(text) for text in block("DuckDB", kept).split(";") if text.strip())
    rows = kept.snapshot_rows(2400)
    assert len(cheapest.fetchall()) == min(5, sum(int(row["T3"]) >= 10 for row in rows))
    told = [tuple(row.values())[:3] for row in moves.to_arrow_table().to_pylist()]
    expected = [
        (row["changed_at"], row["zone"], row["spot_price_usd_per_hour"])
        for row in kept.archive.history(SIZES[0], "koreacentral")
    ]
    assert told == expected
    assert len(snapshot.fetchall()) == sum(len(kept.snapshot_rows(number)) for number in (0, 1, 2, 84, 230, 2400))
    assert dict(row[:2] for row in gaps.fetchall())["missing"] == 2401 - 6


def test_pandas(kept: Kept) -> None:
    names = ran("pandas", kept)
    rows = kept.snapshot_rows(2400)
    assert len(names["latest"]) == len(names["as_the_page"]) == len(rows)
    assert names["as_the_page"]["OndemandPrice"].notna().sum() == sum(row["OndemandPrice"] != "-1" for row in rows)
    assert (names["gaps"]["status"] == "missing").sum() == 2401 - 6


def test_polars(kept: Kept) -> None:
    names = ran("Polars", kept)
    assert names["moves"].height == len(list(kept.archive.history(SIZES[0], "koreacentral")))
    rows = [row for number in (0, 1, 2, 84, 230, 2400) for row in kept.snapshot_rows(number)]
    known = [int(row["Score"]) for row in rows if row["InstanceType"] == "D2s_v5" and row["Score"] != "-1"]
    scores = dict(names["scores"].iter_rows())
    assert scores["D2s_v5"] == pytest.approx(sum(known) / len(known))


@pytest.mark.parametrize("heading", ["R", "Athena"])
def test_what_is_not_run_here_says_so(heading: str) -> None:
    found = re.search(rf"^### {heading}\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
    assert found is not None
    assert re.search("not tested", found[1], re.IGNORECASE)
