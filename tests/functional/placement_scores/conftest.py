from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from mypy_boto3_dynamodb.client import DynamoDBClient

from tests.support.azure import azure, azure_process  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def emulator_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The emulator in a process of its own: the ledger needs DynamoDB's conditions only."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    folder: Path = tmp_path_factory.mktemp("emulator")
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": "us-west-2",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-c", "from ministack.app import main; main()"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            assert process.poll() is None, (folder / "log").read_text()
            try:
                with urllib.request.urlopen(f"{url}/_ministack/health", timeout=5):  # noqa: S310 - loopback
                    break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def dynamodb(emulator_url: str) -> Iterator[DynamoDBClient]:
    """A client with an empty control table."""
    client = boto3.client("dynamodb", endpoint_url=emulator_url, region_name="us-west-2")
    client.create_table(
        TableName="control",
        KeySchema=[{"AttributeName": "Key", "KeyType": "HASH"}, {"AttributeName": "Sort", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "Key", "AttributeType": "S"},
            {"AttributeName": "Sort", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    yield client
    client.delete_table(TableName="control")
    client.close()
