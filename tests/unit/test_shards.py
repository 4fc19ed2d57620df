from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake import shards
from spotlake.errors import ShardRefusedError
from spotlake.models import Dataset
from spotlake.packing import TooLargeError, unpack
from spotlake.reports import CollectorReport
from spotlake.shard_rows import EvictionRow
from spotlake.shards import RawShard, ShardHeader, encode_shard, open_shard, parse_rows
from tests.support.shards import parsed_rows

KEY = "rawdata/azure/spot_if/2025/12/15/10-00/koreacentral.7.jsonl.gz"


def header(rows: int = 1, **changes: Any) -> ShardHeader:
    report = CollectorReport(dataset=Dataset.EVICTION, region="koreacentral", status="complete", rows=rows)
    fields = {
        "dataset": Dataset.EVICTION,
        "run_id": "20251215T1000Z",
        "region": "koreacentral",
        "source": "simulated",
        "attempt": 7,
        "collected_at": datetime(2025, 12, 15, 10, 0, 7, tzinfo=UTC),
        "report": report,
        **changes,
    }
    return ShardHeader(**fields)


def encoded(head: ShardHeader, rows: list[Any]) -> bytes:
    """A shard of any rows: what a row holds is not its business."""
    return encode_shard(head, rows)


def unpacked(body: bytes) -> RawShard:
    return open_shard(
        body, key=KEY, dataset=Dataset.EVICTION, run_id="20251215T1000Z", region="koreacentral", attempt=7
    )


def opened(body: bytes) -> list[dict[str, Any]]:
    return parsed_rows(unpacked(body))


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none()), max_size=20))
def test_what_was_written_is_read(rows: list[dict[str, Any]]) -> None:
    assert opened(encoded(header(len(rows)), rows)) == rows


def test_the_same_rows_give_the_same_bytes() -> None:
    assert encoded(header(), [{"a": 1}]) == encoded(header(), [{"a": 1}])


GOOD = encoded(header(), [{"region": "koreacentral"}])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_gzip"),
        (b'{"schema": 1}\n', "not_gzip"),
        (GOOD[:-9], "truncated"),
        (GOOD[:20], "truncated"),
        (gzip.compress(b"<html>"), "not_json"),
        (gzip.compress(b'{"schema": 3}\n'), "wrong_schema"),
        (gzip.compress(b"[1]\n"), "wrong_schema"),
        (gzip.compress(b'{"schema": 1}\n'), "not_json"),
        (encoded(header(run_id="20251215T0950Z"), [{}]), "other_run"),
        (encoded(header(attempt=8), [{}]), "other_attempt"),
        (encoded(header(dataset=Dataset.PRICE), [{}]), "other_dataset"),
        (encoded(header(region="eastus"), [{}]), "other_region"),
        (encoded(header(rows=2), [{}]), "row_count"),
        (gzip.compress(gzip.decompress(encoded(header(), [])) + b"{nonsense\n"), "not_json"),
    ],
    # Names of their own: those made from the bytes would hold gzip's time and differ from worker to worker.
    ids=[
        "nothing",
        "plain_text",
        "without_its_end",
        "only_its_beginning",
        "html",
        "schema_of_tomorrow",
        "header_is_a_list",
        "header_without_fields",
        "other_run",
        "other_attempt",
        "other_dataset",
        "other_region",
        "fewer_rows_than_said",
        "rows_are_not_json",
    ],
)
def test_a_damaged_or_foreign_shard_is_refused_by_name(body: bytes, reason: str) -> None:
    with pytest.raises(ShardRefusedError) as refused:
        parse_rows(unpacked(body), KEY, EvictionRow)
    assert (refused.value.key, refused.value.reason) == (KEY, reason)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(b"\n" * (shards.MOST_BYTES + 1))
    assert len(bomb) < 100_000
    with pytest.raises(ShardRefusedError, match=r"too_large.*more than 67108864 bytes"):
        opened(bomb)
    with pytest.raises(TooLargeError):  # the rest, which is damaged, is not looked at
        unpack(bomb[: len(bomb) // 2], 1000)
