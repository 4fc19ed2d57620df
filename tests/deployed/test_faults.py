"""Faults are told: once to SNS and to the webhook, with a recovery after, and alarms see them in the metrics."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.support.emulator import log_lines, policy, wait_for
from tests.support.site import PATIENCE_SECONDS, STACK, Site, start_site

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_ssm.client import SSMClient

PARAMETER = "/spotlake/slack"


class Webhook:
    """A stand-in for Slack on this machine."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.status = 200
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if webhook.status == 200:
                    webhook.texts.append(body["text"])
                self.send_response(webhook.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/SECRET"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    webhook = Webhook()
    yield webhook
    webhook.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, webhook: Webhook) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("faults")
    never = {"schedule_enabled": "true", "schedule_expression": "cron(0 0 1 1 ? 2199)"}  # only for its alarm
    with start_site(folder, slack_webhook_parameter=PARAMETER, **never) as site:
        ssm = cast("SSMClient", site.aws.client("ssm"))
        ssm.put_parameter(Name=PARAMETER, Value=webhook.url, Type="SecureString")
        yield site


@pytest.fixture(scope="module")
def inbox(site: Site) -> str:
    """A queue that gets what the topic gets."""
    sqs, sns = cast("Any", site.aws.client("sqs")), cast("SNSClient", site.aws.client("sns"))
    url = str(sqs.create_queue(QueueName="inbox")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy({**allow, "Resource": arn})})
    (topic,) = [one["TopicArn"] for one in sns.list_topics()["Topics"] if STACK in one["TopicArn"]]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url


def received(site: Site, inbox: str) -> list[dict[str, Any]]:
    """What came since; none of it stays."""
    sqs = cast("Any", site.aws.client("sqs"))
    found: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10).get("Messages", []):
        for one in messages:
            found.append(json.loads(one["Body"]))
            sqs.delete_message(QueueUrl=inbox, ReceiptHandle=one["ReceiptHandle"])
    return found


def slot(number: int) -> str:
    return f"{datetime(2026, 11, 23, 10, 0, tzinfo=UTC) + timedelta(minutes=10 * number):%Y-%m-%dT%H:%M:%SZ}"


def told(site: Site, inbox: str) -> list[dict[str, Any]]:
    """Messages of Notify, those of alarms left out."""
    return [one for one in received(site, inbox) if one.get("Subject", "").startswith("SpotLake Azure")]


def test_a_failure_is_told_once_and_so_is_the_recovery(site: Site, inbox: str, webhook: Webhook) -> None:
    site.azure.options(secret_expired=True, token_lifetime_seconds=30)  # tokens are fetched in every run
    failed = [site.ended(site.start(timestamp=slot(number))) for number in range(2)]
    assert [(one["status"], one["error"]) for one in failed] == [("FAILED", "SignInError")] * 2
    # The full run and the slots that go on beside it are two kinds of runs: each is told once.
    message, of_slot = told(site, inbox)
    assert of_slot["Message"].splitlines()[0] == "State: Plan"
    assert message["Subject"].endswith("failed (SignInError)")
    lines = message["Message"].splitlines()
    assert lines[0] == "State: FullRun"
    assert "Azure refused the sign-in; correct AzureAuth and start again" in lines[1]
    assert lines[2].startswith("Execution: https://")
    text, _ = webhook.texts
    assert "failed (SignInError)" in text
    assert "correct AzureAuth" in text

    site.azure.options(secret_expired=False)
    webhook.status = 500  # a webhook that is out of order fails no run
    well = site.ended(site.start(timestamp=slot(2)))
    webhook.status = 200
    assert well["status"] == "SUCCEEDED", well
    (message,) = told(site, inbox)
    assert message["Subject"].endswith("is well again")
    assert len(webhook.texts) == 2


def test_a_sign_in_that_fails_for_single_lambdas_raises_its_alarm(site: Site, inbox: str) -> None:
    assert site.ended(site.start(timestamp=slot(3)))["status"] == "SUCCEEDED"
    assert told(site, inbox) == []  # all was well before
    site.azure.options(secret_expired=True)
    ended = site.ended(site.start(timestamp=slot(4)))
    assert ended["status"] == "FAILED"  # prices alone are too little
    (message,) = told(site, inbox)
    assert "coverage" in message["Message"].lower()
    alarm = wait_for(lambda: alarms(site, state="ALARM").get(f"{STACK}-signin"), what="the sign-in alarm")
    assert "`spotlake ops replace-secret`" in alarm["AlarmDescription"]
    finding = alarms(site, state="ALARM")[f"{STACK}-datafindings"]
    assert "`findings`" in finding["AlarmDescription"]
    line = newest_line(site, "merge")
    assert (line["result"]["findings"], line["NewFindings"]) == (["coverage"], [1.0])
    problems = [one for one in lines(site, "sps") if "SignInProblems" in one]
    assert {(one["service"], one["function"], one["region"], one["error"]) for one in problems} == {
        ("any", "sps", "westcentralus", "SignInError")
    }


def test_a_failed_slot_started_again_collects_only_what_it_lacks(site: Site) -> None:
    site.azure.options(secret_expired=False)
    before = site.azure.stats()["answers"]
    again = site.ended(site.start(timestamp=slot(4), resume=True))
    assert again["status"] == "SUCCEEDED", again
    answers = site.azure.stats()["answers"]
    assert answers["retail 200"] == before["retail 200"]  # prices were all it had
    assert answers["sps 200"] > before["sps 200"]
    assert answers["graph 200"] > before["graph 200"]
    manifest = site.object(f"runs/azure/{slot(4)[:10].replace('-', '/')}/10-40.json")
    assert (manifest["status"], manifest["stale"], manifest["coverage_percent"]) == ("complete", [], 100.0)


def test_a_second_run_of_everything_is_skipped_and_a_part_by_hand_is_not(site: Site) -> None:
    site.azure.fault(api="retail", times=1, latency_seconds=8.0)  # it is not over before the others ask
    first = site.start(timestamp=slot(5))
    wait_for(lambda: "CollectRegions" in site.entered(first), what="the claim", patience_seconds=PATIENCE_SECONDS)
    beside = site.start(timestamp=slot(5))
    by_hand = site.start(
        timestamp=slot(5), regions=["westcentralus"], instance_types=["Standard_D2s*"], desired_count=50
    )
    outputs = [json.loads(site.ended(arn)["output"]) for arn in (first, beside, by_hand)]
    assert [one["status"] for one in outputs] == ["collected", "skipped", "collected"]
    manifest = site.object(f"runs/azure/{slot(5)[:10].replace('-', '/')}/10-50.json")
    assert [one["filtered"] for one in manifest["attempts"]] == [False, True]
    assert (manifest["status"], manifest["stale"]) == ("complete", [])
    assert 50 in {one["desired_count"] for one in manifest["accounts"]}
    assert len(manifest["accounts"]) == 2  # the slot's own count of its one region, and the other by hand
    assert "sps 429" not in site.azure.stats()["answers"]  # what both sent together stays within the quota


def alarms(site: Site, *, state: str = "") -> dict[str, Any]:
    client = cast("CloudWatchClient", site.aws.client("cloudwatch"))
    found = client.describe_alarms(MaxRecords=100)["MetricAlarms"]
    return {one["AlarmName"]: one for one in found if not state or one["StateValue"] == state}


def lines(site: Site, function: str) -> list[dict[str, Any]]:
    """The records of a function with metrics, the newest last."""
    found = [json.loads(one) for one in log_lines(site.aws, f"/aws/lambda/{STACK}-{function}") if '"_aws"' in one]
    return sorted(found, key=lambda one: one["_aws"]["Timestamp"])


def newest_line(site: Site, function: str) -> dict[str, Any]:
    return lines(site, function)[-1]


def test_every_alarm_goes_off_by_its_metric_says_what_to_do_and_tells_the_topic(site: Site, inbox: str) -> None:
    client = cast("CloudWatchClient", site.aws.client("cloudwatch"))
    known = alarms(site)
    assert {name.removeprefix(f"{STACK}-") for name in known} == {
        "failed", "deadletters", "datafindings", "signin", "memory", "duration", "nocompleterun", "history",
    }  # fmt: skip
    received(site, inbox)
    # Of merges that are not there, which no value can show; and of every run of half an hour, of which this site's kept
    # their history.
    by_hand = {f"{STACK}-{name}" for name in ("nocompleterun", "history")}
    for name, alarm in known.items():
        assert alarm["AlarmDescription"].endswith((".", "?")), name
        client.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="for the test")
        if name in by_hand:
            client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="for the test")
            continue
        client.put_metric_data(
            Namespace=alarm["Namespace"],
            MetricData=[
                {
                    "MetricName": alarm["MetricName"],
                    "Dimensions": alarm["Dimensions"],
                    "Value": alarm["Threshold"],
                }
            ],
        )
    by_metric = set(known) - by_hand
    wait_for(lambda: by_metric <= set(alarms(site, state="ALARM")), what=f"{len(by_metric)} alarms")
    messages = [json.loads(one["Message"]) for one in received(site, inbox)]
    gone_off = [one["AlarmName"] for one in messages if one.get("NewStateValue") == "ALARM"]
    assert set(gone_off) == set(known)
