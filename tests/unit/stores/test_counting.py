"""Requests are counted by the process that sends them, and by the door of the emulated AWS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from spotlake.costs.counting import added, count_requests, counted
from spotlake.stores.aws_clients import AwsSession
from spotlake_local.aws.counting import RequestFile, Sent, by_operation, read_requests


class Answer:
    """A body without a network."""

    def __init__(self, status: int) -> None:
        self.status = status

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        raw: Any = type("Raw", (), {"stream": lambda *_, **__: iter([b""]), "read": lambda *_: b"", "headers": {}})()
        return AWSResponse(request.url, self.status, HTTPHeaders(), raw)


@pytest.mark.parametrize(("status", "attempts"), [(200, 1), (500, 3)])
def test_each_attempt_of_every_client_of_the_session_counts(
    monkeypatch: pytest.MonkeyPatch, status: int, attempts: int
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    session = AwsSession()
    count_requests(session.events)
    answer: Any = Answer(status)
    session.events.register_last("before-send", answer)
    config = Config(retries={"mode": "standard", "total_max_attempts": 3})
    before = counted()
    given: Any = {
        "region_name": "us-west-2", "aws_access_key_id": "a", "aws_secret_access_key": "b", "config": config,
    }  # fmt: skip
    s3, dynamodb = session.client("s3", **given), session.client("dynamodb", **given)
    asked: list[Callable[[], object]] = [
        lambda: s3.put_object(Bucket="bucket", Key="key", Body=b""),
        lambda: s3.delete_object(Bucket="bucket", Key="key"),
        lambda: dynamodb.update_item(TableName="table", Key={"Key": {"S": "one"}}),
    ]
    for ask in asked:
        try:
            ask()
        except s3.exceptions.ClientError:
            assert status == 500
        except dynamodb.exceptions.ClientError:
            assert status == 500
    assert added(counted(), before, -1) == {
        "s3_puts": attempts, "s3_gets": 0, "dynamodb_writes": attempts, "dynamodb_reads": 0,
    }  # fmt: skip


def scope(method: str, service: str, *, key: str = "ROLEKEY", query: bytes = b"", **headers: str) -> dict[str, Any]:
    signed = f"AWS4-HMAC-SHA256 Credential={key}/20251215/us-west-2/{service}/aws4_request, SignedHeaders=host"
    named = {"authorization": signed, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {
        "type": "http", "method": method, "path": "/bucket/key", "query_string": query,
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }  # fmt: skip


def test_the_door_names_each_request_of_a_role(tmp_path: Path) -> None:
    requests = RequestFile(tmp_path / "requests.jsonl", "ROOT")
    assert read_requests(requests.path) == ([], 0)
    requests.note(scope("PUT", "s3", content_length="30", x_amz_decoded_content_length="12"))
    requests.note(scope("PUT", "s3", key="ROOT"))
    requests.note({**scope("GET", "s3"), "headers": []})
    first, end = read_requests(requests.path)
    assert first == [Sent("s3", "PutObject", "/bucket/key", 12)]
    requests.note(scope("GET", "s3", query=b"list-type=2&prefix=a"))
    requests.note(scope("GET", "s3"))
    requests.note(scope("POST", "s3", query=b"uploadId=7"))
    requests.note(scope("POST", "dynamodb", x_amz_target="DynamoDB_20120810.UpdateItem"))
    requests.note(scope("POST", "sts"))
    later, _ = read_requests(requests.path, after=end)
    assert by_operation(later) == {
        "dynamodb UpdateItem": 1, "s3 CompleteMultipartUpload": 1, "s3 GetObject": 1, "s3 ListObjectsV2": 1,
        "sts POST": 1,
    }  # fmt: skip
