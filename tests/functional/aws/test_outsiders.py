"""A page of another origin in a real browser, and a local user without rights, get nothing from the emulated AWS."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, sync_playwright

from spotlake_local.aws.launcher import REGION, EmulatedAws
from spotlake_local.browser import find_chromium
from tests.support.emulator import start_emulator

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_iam.client import IAMClient

SECRET = "a-secret-that-nobody-may-read"
NOBODY = 65534
_SCRIPT = """async ([url, key]) => {
  const credential = `${key}/20260101/REGION/dynamodb/aws4_request`;
  const headers = {"X-Amz-Target": "DynamoDB_20120810.Scan", "Content-Type": "text/plain",
                   "Authorization": `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=00`};
  const told = [];
  for (const given of [{method: "POST", headers, body: '{"TableName": "AzureAuth"}'},
                       {method: "POST", mode: "no-cors", body: "Action=CreateRole&RoleName=theirs"},
                       {method: "GET"}, {method: "OPTIONS"}]) {
    for (const path of ["/", "/_ministack/config", `/?X-Amz-Credential=${encodeURIComponent(credential)}`]) {
      try { const answer = await fetch(url + path, given); told.push(answer.type + " " + await answer.text()); }
      catch (error) { told.push(String(error)); }
    }
  }
  return told;
}"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>another origin</title>")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def page_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        yield browser
        browser.close()


def seeded(aws: EmulatedAws) -> None:
    """A table with a secret, as a live run has it."""
    client = cast("DynamoDBClient", aws.client("dynamodb"))
    client.create_table(
        TableName="AzureAuth",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.put_item(TableName="AzureAuth", Item={"id": {"S": "azure"}, "client_secret": {"S": SECRET}})


def roles(aws: EmulatedAws) -> list[str]:
    return [one["RoleName"] for one in cast("IAMClient", aws.client("iam")).list_roles()["Roles"]]


def test_a_page_of_another_origin_reads_nothing_and_does_nothing(page_url: str, browser: Browser) -> None:
    with start_emulator() as aws:
        seeded(aws)
        before = roles(aws)
        page = browser.new_page()
        page.goto(page_url)
        for key in ("test", "123456789012", aws.root_key):  # even the right key does not help a page
            told = page.evaluate(_SCRIPT.replace("REGION", REGION), [aws.endpoint_url, key])
            assert len(told) == 12
            # Nothing is readable: either the browser had no permission to ask, or the answer is opaque and empty.
            assert [one for one in told if one.strip() != "opaque" and "Failed to fetch" not in one] == []
        # A form needs no permission: the answer becomes the page, and the request has arrived.
        for action, body in (("iam", "Action=CreateRole&RoleName=theirs"), ("dynamodb", "{}")):
            query = f"?X-Amz-Credential=test%2F20260101%2F{REGION}%2F{action}%2Faws4_request&{body}"
            page.goto(page_url)
            page.set_content(f'<form method=post enctype=text/plain action="{aws.endpoint_url}/{query}"></form>')
            with page.expect_navigation():
                page.evaluate("document.forms[0].submit()")
            assert "refused: origin" in page.content()
            assert SECRET not in page.content()
        page.close()
        assert roles(aws) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_another_user_of_the_machine_gets_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with start_emulator(state) as aws:
        seeded(aws)
        port = urlsplit(aws.endpoint_url).port
        scope = f"test/20260101/{REGION}/dynamodb/aws4_request"
        request = (
            f"POST / HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nX-Amz-Target: DynamoDB_20120810.Scan\\r\\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00\\r\\n"
            'Content-Length: 26\\r\\nConnection: close\\r\\n\\r\\n{"TableName": "AzureAuth"}'
        )
        knocked = as_nobody(f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf '{request}' >&3; cat <&3")
        assert knocked.stdout.startswith("HTTP/1.1 403")
        assert SECRET not in knocked.stdout
        tmp_path.chmod(0o755)  # the folder above is pytest's and closed too
        places = " ".join(str(one) for one in [state, *state.rglob("*")])
        assert as_nobody(f"cat {places} {state}/* 2>/dev/null").stdout == ""
        found = as_nobody("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
        assert "spotlake_local.aws" in found.stdout  # it sees that the process is there, and not its environment
        assert aws.root_key not in found.stdout
    assert as_nobody(f"ls {state}").returncode != 0


def as_nobody(command: str) -> subprocess.CompletedProcess[str]:
    """What a shell of a user without any rights says."""
    return subprocess.run(
        ["/bin/bash", "-c", command], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
        env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
