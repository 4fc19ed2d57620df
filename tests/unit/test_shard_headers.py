"""The first line of a shard: written word for word, compared field by field, and the first form's as it was kept."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime
from typing import Any
from zipfile import ZipFile

import orjson
import pytest

from spotlake import shards
from spotlake.errors import ShardRefusedError
from spotlake.models import Dataset
from spotlake.reports import CollectorReport
from spotlake.shard_rows import EvictionRow
from spotlake.shards import ShardHeader, encode_shard, open_shard, parse_rows, report_of
from spotlake_local.workspace import ROOT
from tests.support.errors import says

KEY = "rawdata/azure/spot_if/2025/12/15/10-00/eastus.7.jsonl.gz"
ROW = EvictionRow(
    run_id="20251215T1000Z", source="live", observed_at="2025-12-15T10:00:07Z", region="eastus",
    instance_type="Standard_D2s_v5", eviction_band="0-5", interruption_frequency=3.0,
)  # fmt: skip
REPORT = CollectorReport(dataset=Dataset.EVICTION, region="eastus", status="complete", rows=1, counts={"pages": 2})
HEADER = ShardHeader(
    dataset=Dataset.EVICTION, run_id="20251215T1000Z", region="eastus", source="live", attempt=7,
    collected_at=datetime(2025, 12, 15, 10, 0, 7, tzinfo=UTC), report=REPORT,
)  # fmt: skip
LINES = gzip.decompress(encode_shard(HEADER, [ROW])).splitlines()


def opened(*lines: Any, key: str = KEY, attempt: int = 7) -> Any:
    body = b"".join(line if isinstance(line, bytes) else orjson.dumps(line) + b"\n" for line in lines)
    return open_shard(
        gzip.compress(body),
        key=key,
        dataset=Dataset.EVICTION,
        run_id="20251215T1000Z",
        region="eastus",
        attempt=attempt,
    )


def test_a_shard_is_gzip_with_its_header_first_and_no_time() -> None:
    body = encode_shard(HEADER, [ROW])
    assert (body[:4], body[4:8]) == (b"\x1f\x8b\x08\x00", bytes(4))  # RFC 1952: deflate, no flags, no time
    assert gzip.decompress(body).count(b"\n") == 2
    head, row = (orjson.loads(line) for line in gzip.decompress(body).splitlines())
    report = head.pop("report")
    assert head == {
        "schema": 2, "dataset": "spot_if", "run_id": "20251215T1000Z", "attempt": 7, "region": "eastus",
        "source": "live", "collected_at": "2025-12-15T10:00:07Z",
    }  # fmt: skip
    assert next(iter(head)) == "schema"
    assert (report["rows"], report["counts"], report["dataset"]) == (1, {"pages": 2}, "spot_if")
    assert row == {
        "run_id": "20251215T1000Z", "source": "live", "observed_at": "2025-12-15T10:00:07Z", "region": "eastus",
        "instance_type": "Standard_D2s_v5", "eviction_band": "0-5", "interruption_frequency": 3.0,
    }  # fmt: skip


def test_a_shard_is_opened_and_its_report_read() -> None:
    shard = opened(orjson.loads(LINES[0]), orjson.loads(LINES[1]))
    assert shard.header == HEADER
    assert parse_rows(shard, KEY, EvictionRow) == [ROW]
    where: Any = {"dataset": Dataset.EVICTION, "run_id": "20251215T1000Z", "region": "eastus", "attempt": 7}
    assert report_of(encode_shard(HEADER, [ROW]), key=KEY, **where) == REPORT
    for name, other in (("dataset", Dataset.SPS), ("run_id", "x"), ("region", "westus"), ("attempt", 8)):
        with pytest.raises(ShardRefusedError, match=f"^{re.escape(KEY)}: refused"):
            report_of(encode_shard(HEADER, [ROW]), key=KEY, **{**where, name: other})


def head(**changes: Any) -> dict[str, Any]:
    """The header with other fields; ``report_`` before a name changes one of the report's."""
    found: dict[str, Any] = orjson.loads(LINES[0])
    for name, value in changes.items():
        (found["report"] if name.startswith("report_") else found)[name.removeprefix("report_")] = value
    return found


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([head(run_id="20251215T1010Z"), {}], "other_run): 20251215T1010Z, expected 20251215T1000Z"),
        ([head(attempt=8), {}], "other_attempt): 8, expected 7"),
        ([head(dataset="sps"), {}], "other_dataset): sps, expected spot_if"),
        ([head(report_dataset="sps"), {}], "other_dataset): sps, expected spot_if"),
        ([head(region="westus"), {}], "other_region): westus, expected eastus"),
        ([head(report_region="westus"), {}], "other_region): westus, expected eastus"),
        ([head()], "row_count): 0 lines, header says 1"),
        ([head(), {}, {}], "row_count): 2 lines, header says 1"),
        ([orjson.dumps(head(report_rows=0)) + b"\n\n"], "row_count): 1 lines, header says 0"),
        ([head(report_rows="many"), {}], "not_json): header"),
        ([head(report=None), {}], "not_json): header"),
        ([{"schema": 1, "report": None}], "not_json): header"),
        ([{"schema": 1}], "not_json): header"),
        ([b"{"], "not_json): header"),
        ([b"\n"], "not_json): header"),
        ([head(schema=3), {}], "wrong_schema): this code reads schemas 1 and 2"),
        ([b"[]\n"], "wrong_schema): this code reads schemas 1 and 2"),
        ([b"{}"], "wrong_schema): this code reads schemas 1 and 2"),
    ],
)
def test_a_header_of_another_shard_is_refused_with_both_values(lines: list[Any], said: str) -> None:
    with says(ShardRefusedError, f"{KEY}: refused ({said}") as raised:
        opened(*lines)
    error: Any = raised.value
    assert f"{error.reason}): {error.detail}" == said


def test_a_shard_without_rows_may_end_after_its_header() -> None:
    for ending in (b"\n", b""):
        shard = opened(orjson.dumps(head(report_rows=0)) + ending)
        assert parse_rows(shard, KEY, EvictionRow) == []


@pytest.mark.parametrize("row", [b"{nonsense\n", b"{}\n", b"[1]\n", b'{"run_id": "x", "other": 1}\n'])
def test_a_line_that_is_no_row_is_refused(row: bytes) -> None:
    shard = opened(head(), row)
    with says(ShardRefusedError, f"{KEY}: refused (not_json): row"):
        parse_rows(shard, KEY, EvictionRow)


def test_a_body_that_is_no_gzip_or_cut_off_or_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    where: Any = {"dataset": Dataset.EVICTION, "run_id": "20251215T1000Z", "region": "eastus", "attempt": 7}
    with says(ShardRefusedError, f"{KEY}: refused (not_gzip)"):
        open_shard(b"\x1f\x8c", key=KEY, **where)
    with says(ShardRefusedError, f"{KEY}: refused (truncated): ValueError"):
        open_shard(encode_shard(HEADER, [ROW])[:-1], key=KEY, **where)
    monkeypatch.setattr(shards, "MOST_BYTES", 99)
    with says(ShardRefusedError, f"{KEY}: refused (too_large): more than 99 bytes"):
        open_shard(encode_shard(HEADER, [ROW]), key=KEY, **where)


@pytest.mark.parametrize("name", ["spot_if", "spot_price", "sps"])
def test_a_kept_shard_of_the_first_form_is_read_as_attempt_0(name: str) -> None:
    with ZipFile(ROOT / "tests/data/first-form.zip") as kept:
        body = kept.read(f"bucket/rawdata/azure/{name}/2025/12/15/10-00/eastus.jsonl.gz")
    first, *rows = (orjson.loads(line) for line in gzip.decompress(body).splitlines())
    assert (first["schema"], "attempt" in first, "found" in first["report"]) == (1, False, True)
    shard = open_shard(body, key=KEY, dataset=Dataset(name), run_id="20251215T1000Z", region="eastus", attempt=0)
    assert (shard.header.attempt, shard.header.source) == (0, first["source"])
    assert (shard.header.report.rows, shard.header.report.counts) == (len(rows), first["report"]["counts"])
    assert shard.header.report.found == REPORT.found  # the first form's findings had other names
