"""The published files as other people's readers take them: by SDK, by HTTP, with their own column definitions."""

from __future__ import annotations

import functools
import io
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb
import duckdb_extension_httpfs
import pandas as pd
import pytest

from spotlake import keys
from spotlake_local.aws.launcher import EmulatedAws
from tests.functional.merge.test_real_store import Site
from tests.functional.reading.conftest import Kept
from tests.support.emulator import aws

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

__all__ = ["aws"]
SIZES = ("Standard_D2s_v5", "Standard_E4s_v5")
# Fields of SpotLake's table and chart (ddps-lab/spotlake, frontend, ``azureColDefs``, read 2026-11-26).
SHOWN = (
    "InstanceTier", "InstanceType", "Region", "AvailabilityZone", "SpotPrice", "Savings", "IF", "Score", "T2", "T3",
    "Time",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(aws: EmulatedAws) -> Site:
    one = Site(aws)
    one.merge(one.collected(0, ondemand=0.05, scores={"1": 3, "2": 1}, sizes=SIZES))
    return one


@pytest.fixture
def s3(aws: EmulatedAws) -> S3Client:
    return cast("S3Client", aws.client("s3"))


def stored(s3: S3Client, site: Site, key: str) -> Any:
    return s3.get_object(Bucket=site.table, Key=key)


@pytest.mark.parametrize("key", [keys.LATEST, keys.QUERY_SELECTOR, keys.ASSOCIATION])
def test_boto3_and_json_read_plain_files(s3: S3Client, site: Site, key: str) -> None:
    found = stored(s3, site, key)
    assert "ContentEncoding" not in found
    assert json.loads(found["Body"].read())


def test_a_snapshot_is_a_gzip_file_for_pandas_and_for_its_own_name(s3: S3Client, site: Site) -> None:
    found = stored(s3, site, keys.snapshot(site.run(0).slot_at))
    assert "ContentEncoding" not in found
    rows = pd.read_csv(io.BytesIO(found["Body"].read()), compression="gzip", na_values=["-1", "N/A"])
    assert rows[["InstanceType", "AvailabilityZone", "Score"]].values.tolist() == [
        ["D2s_v5", 1, 3], ["D2s_v5", 2, 1], ["E4s_v5", 1, 3], ["E4s_v5", 2, 1],
    ]  # fmt: skip


def test_pandas_reads_the_latest_file_plain_and_packed(s3: S3Client, site: Site) -> None:
    plain = pd.read_json(io.BytesIO(stored(s3, site, keys.LATEST)["Body"].read()))
    packed = pd.read_json(io.BytesIO(stored(s3, site, keys.LATEST_PACKED)["Body"].read()), compression="gzip")
    pd.testing.assert_frame_equal(plain, packed)
    assert len(plain) == 4


def test_every_field_of_spotlakes_own_table_is_there(s3: S3Client, site: Site) -> None:
    rows = json.loads(stored(s3, site, keys.LATEST)["Body"].read())
    assert all(row[field] is not None for row in rows for field in SHOWN)


def test_spotlakes_query_page_finds_the_regions_of_a_size(s3: S3Client, site: Site) -> None:
    (sizes,) = json.loads(stored(s3, site, keys.ASSOCIATION)["Body"].read())
    assert sizes == {"D2s_v5": {"Region": ["KR Central"]}, "E4s_v5": {"Region": ["KR Central"]}}


def duckdb_over_http() -> duckdb.DuckDBPyConnection:
    """A connection with the extension httpfs, as PyPI has it."""
    (extension,) = Path(str(duckdb_extension_httpfs.__file__)).parent.rglob("httpfs.duckdb_extension")
    connection = duckdb.connect()
    connection.load_extension(str(extension))
    connection.execute("SET force_download = true")  # http.server knows no ranges; a real one does
    return connection


@pytest.fixture
def served(kept: Kept) -> Iterator[str]:
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(kept.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_duckdb_reads_snapshots_the_latest_file_and_the_history_over_http(kept: Kept, served: str) -> None:
    sql = duckdb_over_http().sql
    rows = sql(f"select ArmSkuName, Score from read_csv('{served}/{keys.snapshot(kept.slot(0))}')").fetchall()  # noqa: S608
    assert rows == [(row["ArmSkuName"], int(row["Score"])) for row in kept.snapshot_rows(0)]
    for key in (keys.LATEST, keys.LATEST_PACKED):
        (found,) = sql(f"select count(*) from read_json('{served}/{key}')").fetchall()  # noqa: S608
        assert found == (len(kept.snapshot_rows(2400)),)
    (found,) = sql(f"select max(t3) from '{served}/{keys.LATEST_TABLE}'").fetchall()  # noqa: S608
    assert found == (max(int(row["T3"]) for row in kept.snapshot_rows(2400)),)
