"""Files that show the newest state: how they are put, and who has the last word."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, cast

import orjson
import pytest

from spotlake.errors import ConflictError, StoreError
from spotlake.history.index import Index
from spotlake.merge.files import Files
from spotlake.models import Mode, Run
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.keep_history.publish import publish_data_package
from spotlake.usecases.merge.newest_file import put_newest, write_newest_files
from spotlake.usecases.merge.write_manifest import result_of
from tests.support.errors import says

AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)


class Watched(MemoryObjects):
    """Notes each put, and lets others be quicker so many times."""

    def __init__(self, lost: int = 0) -> None:
        super().__init__("archive", {})
        self.lost, self.puts = lost, list[tuple[str, dict[str, Any]]]()

    def put(self, key: str, body: Any, **options: Any) -> Any:
        self.puts.append((key, options))
        if self.lost > 0:
            self.lost -= 1
            raise ConflictError(key)
        return super().put(key, body, **options)


class Made:
    """Files as a merge makes them."""

    def latest(self, slot_at: datetime) -> bytes:
        assert slot_at == AT
        return gzip.compress(b'[{"id": 1}]')

    def selector(self) -> bytes:
        return b"selector"

    def association(self) -> bytes:
        return b"association"


def put(objects: MemoryObjects, body: bytes, *, is_overtaken: Callable[[], bool] = lambda: False) -> None:
    put_newest(objects, "k", body, "text/plain", is_overtaken=is_overtaken)


def test_each_file_is_what_its_name_says() -> None:
    objects = Watched()
    write_newest_files(objects, cast("Files", Made()), AT, is_overtaken=lambda: False)
    assert {key: options["content_type"] for key, options in objects.puts} == {
        "latest_data/latest_azure.json.gz": "application/gzip",
        "latest_data/latest_azure.json": "application/json",
        "query-selector/azure/query_selector.json": "application/json",
        "query-selector/associated/association_azure.json": "application/json",
    }
    assert gzip.decompress(objects.objects["latest_data/latest_azure.json.gz"]) == b'[{"id": 1}]'
    assert objects.objects["latest_data/latest_azure.json"] == b'[{"id": 1}]'
    assert objects.objects["query-selector/azure/query_selector.json"] == b"selector"
    assert objects.objects["query-selector/associated/association_azure.json"] == b"association"


def test_a_file_is_replaced_only_as_it_was_read() -> None:
    objects = Watched()
    put(objects, b"1")
    etag = objects.etag("k")
    put(objects, b"2")
    assert [options for _, options in objects.puts] == [
        {"content_type": "text/plain", "if_absent": True, "if_etag": None},
        {"content_type": "text/plain", "if_absent": False, "if_etag": etag},
    ]


@pytest.mark.parametrize(("lost", "puts"), [(1, 2), (7, 8)])
def test_who_is_overtaken_by_another_writer_reads_again(lost: int, puts: int) -> None:
    objects = Watched(lost)
    put(objects, b"1")
    assert (len(objects.puts), objects.objects["k"]) == (puts, b"1")


def test_after_eight_lost_rounds_it_is_an_error() -> None:
    with says(StoreError, "k: others replaced it 8 times in a row"):
        put(Watched(8), b"1")


def test_a_merge_that_is_no_longer_the_newest_writes_nothing() -> None:
    objects = Watched()
    put(objects, b"1", is_overtaken=lambda: True)
    assert objects.puts == []


def test_the_data_package_is_written_once_a_day_with_one_snapshot_as_its_pattern() -> None:
    index = Index(
        first_slot_at=AT, last_slot_at=AT, compacted_until=None, days=((date(2025, 12, 15), date(2025, 12, 15)),),
    )  # fmt: skip
    objects = Watched()
    for slot in ("10-00", "10-10"):
        objects.objects[f"rawdata/azure/localfile/2025/12/15/{slot}.csv.gz"] = b""
    assert publish_data_package(objects, index, "CC-BY-4.0")
    assert objects.puts == [
        ("datapackage.json", {"content_type": "application/json", "if_absent": True, "if_etag": None})
    ]
    assert not publish_data_package(objects, index, "CC-BY-4.0")
    assert publish_data_package(objects, index, "ODbL-1.0")
    assert objects.puts[1][1]["if_etag"] is not None
    assert not publish_data_package(objects, Index(), "CC-BY-4.0")


def test_a_result_holds_the_numbers_of_the_slots_manifest() -> None:
    numbers: dict[str, Any] = {
        "status": "partial", "coverage_percent": 98.5, "coverage_sufficient": True, "rows": {"price": 3},
        "changed_rows": 4, "written_items": 5, "overtaken_items": 6, "invalid_items": 7, "items_left": 8,
        "consumed_write_units": 9.5, "sps_calls": 10, "throttled_calls": 11, "stale_regions": 12,
        "score_age_median_minutes": 13, "score_age_p95_minutes": 14, "oldest_score_age_minutes": 15,
        "rows_difference_percent": 16.5, "unconfirmed_percent": 17.5, "filtered": False, "quota_left": 18,
    }  # fmt: skip
    others: dict[str, Any] = {
        "schema": 2, "complete": True, "run_id": "20251215T1000Z", "attempts": [], "mode": "full",
        "desired_counts": [1], "regions_requested": 1, "regions_complete": 1, "pairs": 1, "coverage": {},
        "coverage_reasons": {}, "accounts": [], "calls_planned": 1, "calls_waiting": 0, "calls_unsent": 0,
        "oldest_waiting_minutes": 0.0, "stale": [], "collectors": [], "score_ages": [], "seconds": {},
        "merged_at": "2025-12-15T10:05:00Z", "outputs": [], "write_throttles": 0,
        "refused_shards": [
            {"key": "k", "dataset": "sps", "region": "r", "reason": reason}
            for reason in ("missing", "not_json", "bad_row")
        ],
    }  # fmt: skip
    run = Run(run_id="20251215T1000Z", attempt=1, mode=Mode.FULL, desired_counts=(1,), started_at=AT, owner="me")
    objects = MemoryObjects("archive", {"runs/azure/2025/12/15/10-00.json": orjson.dumps({**numbers, **others})})
    assert result_of(objects, run) == {
        **numbers, "refused_shards": 2, "manifest_key": "runs/azure/2025/12/15/10-00.json",
    }  # fmt: skip
    with says(StoreError, "runs/azure/2025/12/15/10-00.json is missing after it was written"):
        result_of(MemoryObjects("archive", {}), run)
