"""How clients of AWS are made: from the environment, as boto3 makes them, unless somebody gives other keys."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from spotlake.stores.aws_clients import BOTO, AwsSession


def frozen(client: Any) -> tuple[str, str, str | None]:
    found = client._request_signer._credentials.get_frozen_credentials()
    return found.access_key, found.secret_key, found.token


def test_region_and_credentials_are_the_processs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-2")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    session = AwsSession()
    client = session.client("sqs", config=BOTO)
    assert (session.region_name, client.meta.region_name) == ("ap-northeast-2", "ap-northeast-2")
    assert frozen(client) == ("testing", "testing", "token")


def test_other_ones_are_used_where_they_are_given() -> None:
    keys = {"aws_access_key_id": "A", "aws_secret_access_key": "B", "aws_session_token": "C"}
    client = AwsSession().client("sqs", region_name="eu-west-1", **keys)  # type: ignore[arg-type]
    assert (client.meta.service_model.service_name, client.meta.region_name) == ("sqs", "eu-west-1")
    assert frozen(client) == ("A", "B", "C")


def test_clients_wait_and_try_again_alike() -> None:
    """A call is sent five times at most, and a connection is waited for five seconds: less than a collector has."""
    config = AwsSession().client("sqs", config=BOTO).meta.config
    assert (config.retries, config.connect_timeout) == ({"mode": "standard", "total_max_attempts": 5}, 5)
    assert config.max_pool_connections == 32


def test_who_listens_to_the_session_hears_every_client_made_after() -> None:
    session, heard = AwsSession(), list[str]()
    session.events.register("before-parameter-build", lambda event_name, **_: heard.append(event_name))
    client = session.client("sqs", config=BOTO)
    with Stubber(client) as stub:
        stub.add_response("list_queues", {})
        client.list_queues()
    assert heard == ["before-parameter-build.sqs.ListQueues"]
