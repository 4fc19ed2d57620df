"""The emulated AWS answers nobody but the process that started it, and the roles of the stack."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from spotlake_local.aws.launcher import REGION, EmulatedAws

TARGET = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}


def signed(key: str) -> dict[str, str]:
    scope = f"{key}/20260101/{REGION}/dynamodb/aws4_request"
    return {**TARGET, "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"}


@pytest.mark.parametrize("key", ["test", "000000000000", "123456789012", "", "AKIAIOSFODNN7EXAMPLE"])
def test_keys_that_anybody_knows_open_nothing(aws: EmulatedAws, key: str) -> None:
    answer = requests.post(aws.endpoint_url, data=b"{}", headers=signed(key), timeout=10)
    assert answer.status_code in {400, 403}
    assert "TableNames" not in answer.text


def test_no_key_opens_nothing(aws: EmulatedAws) -> None:
    assert requests.post(aws.endpoint_url, data=b"{}", headers=TARGET, timeout=10).status_code == 403
    assert requests.get(f"{aws.endpoint_url}/spotlake-test", timeout=10).status_code == 403
    for query in ("X-Amz-Credential=test/20260101/us-west-2/s3/aws4_request", "AWSAccessKeyId=test&Signature=a"):
        assert requests.get(f"{aws.endpoint_url}/?{query}", timeout=10).status_code == 403


def test_a_key_in_the_query_is_no_way_past_a_good_one(aws: EmulatedAws) -> None:
    query = "X-Amz-Credential=test/20260101/us-west-2/s3/aws4_request"
    answer = requests.get(f"{aws.endpoint_url}/?{query}", headers=signed(aws.root_key), timeout=10)
    assert answer.status_code == 403


@pytest.mark.parametrize("header", ["Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"])
def test_web_pages_are_refused_whatever_key_they_have(aws: EmulatedAws, header: str) -> None:
    headers = {**signed(aws.root_key), header: "https://evil.example"}
    assert requests.post(aws.endpoint_url, data=b"{}", headers=headers, timeout=10).status_code == 403
    asked = requests.options(aws.endpoint_url, headers={header: "https://evil.example"}, timeout=10)
    assert asked.status_code == 403
    assert not [name for name in asked.headers if name.lower().startswith("access-control")]


def test_a_name_that_was_made_to_lead_here_is_refused(aws: EmulatedAws) -> None:
    port = urlsplit(aws.endpoint_url).port
    for host in (f"evil.example:{port}", f"localhost:{port}", "127.0.0.1", f"127.0.0.1:{port}.evil.example"):
        headers = {**signed(aws.root_key), "Host": host}
        assert requests.post(aws.endpoint_url, data=b"{}", headers=headers, timeout=10).status_code == 403


@pytest.mark.parametrize(
    "path", ["/_ministack/reset", "/_ministack/config", "/_localstack/health", "/_ministack/ready"]
)
def test_the_emulator_s_own_paths_are_closed(aws: EmulatedAws, path: str) -> None:
    assert requests.post(f"{aws.endpoint_url}{path}", headers=signed(aws.root_key), timeout=10).status_code == 403


def test_no_answer_invites_pages(aws: EmulatedAws) -> None:
    answer = requests.post(aws.endpoint_url, data=b"{}", headers=signed(aws.root_key), timeout=10)
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_each_start_has_a_root_key_of_its_own_and_children_never_see_it(aws: EmulatedAws) -> None:
    assert len(aws.root_key) == 40
    assert aws.root_key not in repr(aws)
    other = boto3.client(
        "dynamodb",
        endpoint_url=aws.endpoint_url,
        region_name=REGION,
        aws_access_key_id="f" * 40,
        aws_secret_access_key="f" * 40,
    )
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        other.list_tables()
    assert "TableNames" in cast("Any", aws.client("dynamodb")).list_tables()
