"""Whole collections at DEBUG, in which each API fails once: no secret and no token is in anything that was written."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from spotlake_local.workspace import ROOT
from tests.support.emulator import log_lines
from tests.support.site import Site, start_site

FAILURES: tuple[dict[str, Any], ...] = (
    {"api": "token", "times": 1, "status": 503},
    {"api": "locations", "times": 1, "status": 401, "body": '{"error": {"code": "ExpiredAuthenticationToken"}}'},
    {"api": "sps", "times": 1, "status": 401, "body": '{"error": {"code": "ExpiredAuthenticationToken"}}'},
    {"api": "sps", "times": 1, "drop": True},
    {"api": "graph", "times": 1, "status": 401, "body": '{"error": {"code": "InvalidAuthenticationToken"}}'},
    {"api": "retail", "times": 1, "status": 500},
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with start_site(tmp_path_factory.mktemp("leaks"), log_level="DEBUG") as site:
        yield site


@pytest.fixture(scope="module")
def written(site: Site) -> dict[str, bytes]:
    """Place -> what was written there, after a full run, a ten-minute run, and one with a refused secret."""
    for number, mode in enumerate(("full", "incremental", "incremental")):
        for failure in FAILURES:
            site.azure.fault(**failure)
        site.azure.options(secret_expired=number == 2)
        slot_at = datetime(2026, 11, 23, 10, 0, tzinfo=UTC) + timedelta(minutes=10 * number)
        site.ended(site.start(mode=mode, timestamp=f"{slot_at:%Y-%m-%dT%H:%M:%SZ}"))
        site.azure.clear_faults()
    site.azure.options(secret_expired=False)
    return dict(_everything(site))


def _everything(site: Site) -> Iterator[tuple[str, bytes]]:
    s3, logs, dynamodb = (cast("Any", site.aws.client(name)) for name in ("s3", "logs", "dynamodb"))
    for bucket in s3.list_buckets()["Buckets"]:
        for one in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            body = s3.get_object(Bucket=bucket["Name"], Key=one["Key"])["Body"].read()
            yield f"s3 {one['Key']}", _unpacked(body)
    for group in logs.describe_log_groups()["logGroups"]:
        lines = log_lines(site.aws, group["logGroupName"])
        yield f"log {group['logGroupName']}", "\n".join(lines).encode()
    for table in dynamodb.list_tables()["TableNames"]:
        yield f"table {table}", json.dumps(dynamodb.scan(TableName=table)["Items"], default=str).encode()
    for one in site.executions():
        events = site.workflows.get_execution_history(executionArn=one["executionArn"], maxResults=1000)["events"]
        yield f"history {one['name']}", json.dumps(events, default=str).encode()
    done = subprocess.run(
        [sys.executable, "-m", "spotlake_local.cli", "doctor", "--azure"],
        env={**os.environ, **site.aws.environment()},
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    yield "stdout of the doctor", done.stdout + done.stderr


def _unpacked(body: bytes) -> bytes:
    import gzip

    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def forms(secret: str) -> set[bytes]:
    """Plain, URL-encoded, and what base64 makes of it at each of three places; without what its neighbours decide."""
    found = {secret, urllib.parse.quote(secret, safe="")}
    for pad in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"x" * pad + secret.encode()).decode().rstrip("=")[4:-4])
    return {one.encode() for one in found}


def test_the_collections_wrote_what_there_is_to_search(written: dict[str, bytes]) -> None:
    debug = b"".join(text for place, text in written.items() if place.startswith("log "))
    for words in (b'"level":"DEBUG"', b"placement scores: 401", b"AADSTS7000222", b"resource graph: 401"):
        assert words in debug, words
    for kind in ("s3 runs/", "s3 state/", "s3 rawdata/", "table azure-test", "history "):
        assert [place for place in written if place.startswith(kind)], kind


def test_no_secret_and_no_token_is_in_anything_that_was_written(site: Site, written: dict[str, bytes]) -> None:
    tokens = site.azure.control("GET", "issued")["tokens"]
    assert len(tokens) >= 5
    secrets = {form for one in (site.azure.client_secret, *tokens) for form in forms(one)}
    # The part of a token that says whose it is, as some libraries log it without the signature.
    secrets |= {one.encode() for token in tokens for one in token.split(".")[1:]}
    found = [(place, form) for place, text in written.items() for form in secrets if form in text]
    assert found == []


def test_the_search_would_find_one(site: Site) -> None:
    secret = site.azure.client_secret
    for text in (
        secret,
        f"a={urllib.parse.quote(secret, safe='')}",
        base64.b64encode(f"id:{secret}".encode()).decode(),
    ):
        assert [form for form in forms(secret) if form in text.encode()], text
