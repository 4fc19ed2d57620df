"""What `spotlake doctor` says where AWS does not answer; its checks run on the emulator (tests/deployed)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from spotlake_local import aws_doctor, azure_doctor
from spotlake_local.aws_doctor import CHECKS, check_all
from spotlake_local.aws_doctor.account import Verdict
from spotlake_local.azure_doctor.target import Target
from spotlake_local.cli import main


def refused(code: str) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    return ClientError(answer, "Operation")


class Session:
    """Answers every operation, of whatever service, with one error; the sign-in's is apart."""

    def __init__(self, error: Exception, identity: Any, region: str = "us-west-2") -> None:
        self.region_name, self._error, self._identity = region, error, identity

    def client(self, service: str) -> Session:
        del service
        return self

    def get_caller_identity(self) -> Mapping[str, str]:
        if isinstance(self._identity, Exception):
            raise self._identity
        return {"Arn": self._identity}

    def __getattr__(self, operation: str) -> Any:
        def call(*_: Any, **__: Any) -> Any:
            raise self._error

        return call


ME = "arn:aws:iam::111111111111:user/me"


@pytest.mark.parametrize(
    ("identity", "said"), [(refused("ExpiredToken"), "ExpiredToken"), (NoCredentialsError(), "aws configure sso")]
)
def test_without_a_sign_in_nothing_more_is_asked(identity: Exception, said: str) -> None:
    ((name, verdict),) = check_all(Session(refused("x"), identity), stage="test")
    assert (name, verdict.passed) == ("identity, region", False)
    assert said in verdict.said


def test_without_a_region_nothing_more_is_asked() -> None:
    ((name, _),) = check_all(Session(refused("x"), ME, region=""), stage="test")
    assert name == "identity, region"


def test_what_may_not_be_looked_at_is_told_by_its_right() -> None:
    found = dict(check_all(Session(refused("AccessDenied"), ME), stage="test", bucket="b"))
    del found["identity, region"]
    assert len(found) == 11
    for name in ("bootstrap", "spot vCPU quota", "Lambda quota", "state machine", "alarms"):
        assert "AccessDenied: has this sign-in the right to look (Operation)?" in found[name].said


class Told:
    """A deployed stack with one topic, and the account's subscriptions."""

    is_deployed = True
    named = staticmethod(lambda _: ["arn:ours"])

    def __init__(self, *subscriptions: tuple[str, str]) -> None:
        listed = [{"TopicArn": topic, "Endpoint": "me@x.com", "SubscriptionArn": arn} for topic, arn in subscriptions]
        pages = SimpleNamespace(paginate=lambda: [{"Subscriptions": listed}])
        self.client = lambda _: SimpleNamespace(get_paginator=lambda _: pages)


@pytest.mark.parametrize(
    ("subscriptions", "said"),
    [
        ([], "nobody is told of faults: deploy with -c alert_email=ADDRESS"),
        ([("arn:another", "arn:another:1")], "nobody is told"),
        ([("arn:ours", "PendingConfirmation")], "me@x.com has not confirmed: open the link"),
        ([("arn:ours", "arn:ours:1")], "me@x.com"),
    ],
)
def test_the_reader_of_mails(subscriptions: list[tuple[str, str]], said: str) -> None:
    found = dict(CHECKS)["mail"](Told(*subscriptions))  # type: ignore[arg-type]
    assert found.said.startswith(said)
    assert found.passed == (said == "me@x.com")


def test_what_only_waits_for_the_deployment_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = [("a", Verdict(passed=True, said="fine")), ("b", Verdict(passed=False, later=True, said="comes"))]
    monkeypatch.setattr(aws_doctor, "check_all", lambda *_, **__: iter(verdicts))
    assert main(["doctor", "--aws"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["passed", "later"]


def test_without_a_half_named_both_are_looked_at_in_one_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Target, "of_stack", lambda *_: None)
    ours, theirs = Verdict(passed=True, said="fine"), Verdict(passed=False, said="mend it")
    monkeypatch.setattr(aws_doctor, "check_all", lambda *_, **__: iter([("a", ours)]))
    monkeypatch.setattr(azure_doctor, "check_azure", lambda *_, **__: iter([("b", theirs)]))
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines() == [f"passed  {'a':18}  fine", f"TO DO   {'b':18}  mend it"]
    assert (main(["doctor", "--aws"]), main(["doctor", "--azure"])) == (0, 1)
    capsys.readouterr()
    assert main(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == [
        {"check": "a", "verdict": "passed", "said": "fine"},
        {"check": "b", "verdict": "TO DO", "said": "mend it"},
    ]


def test_without_an_aws_sign_in_azure_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = Verdict(passed=False, said="sign in")
    monkeypatch.setattr(aws_doctor, "check_all", lambda *_, **__: iter([("identity, region", nobody)]))
    assert main(["doctor"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_live_half_needs_no_aws(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_SUBSCRIPTION_IDS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AUTHORITY", "MANAGEMENT", "RETAIL"):
        monkeypatch.setenv(f"SPOTLAKE_AZURE_{name}_URL", "https://127.0.0.1:9")
    assert main(["doctor", "--live"]) == 1
    said = capsys.readouterr().out
    assert "TO DO   credentials         AZURE=live needs the environment variables AZURE_TENANT_ID, " in said
    assert "TO DO   prices" in said
