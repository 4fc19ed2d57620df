"""Each line of `spotlake doctor --aws`, passed once and failed once, against answers in AWS's own shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from spotlake_local.aws_checks import check_all
from spotlake_local.cli import main

TOPIC = "arn:aws:sns:us-west-2:111111111111:spotlake-azure-test-Topic"
GOOD: dict[str, Any] = {
    "get_caller_identity": {"Arn": "arn:aws:iam::111111111111:user/me"},
    "describe_stacks": {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]},
    "get_parameter": {"Parameter": {"Value": "28"}},
    "head_bucket": {},
    "get_account_settings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
    "get_service_quota": {"Quota": {"Value": 64.0}},
    "describe_images": {"imageDetails": [{}]},
    "list_subscriptions": {
        "Subscriptions": [{"TopicArn": TOPIC, "Endpoint": "me@example.com", "SubscriptionArn": f"{TOPIC}:1"}]
    },
    "get_schedule": {"State": "ENABLED"},
}


def refused(code: str, status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")


class Session:
    """Answers by operation, whatever the service."""

    def __init__(self, changed: Mapping[str, Any], region: str = "us-west-2") -> None:
        self.region_name, self._answers = region, {**GOOD, **changed}

    def client(self, service: str) -> Session:
        del service
        return self

    def __getattr__(self, operation: str) -> Any:
        answer = self._answers[operation]

        def call(**_: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def lines(changed: Mapping[str, Any], *, region: str = "us-west-2") -> dict[str, tuple[bool, str]]:
    session = Session(changed, region)
    found = check_all(session, stage="test", bucket="spotlake-test")
    return {name: (verdict.passed, verdict.said) for name, verdict in found}


def test_an_account_that_has_everything_passes() -> None:
    assert [name for name, (passed, _) in lines({}).items() if not passed] == []
    assert len(lines({})) == 8


@pytest.mark.parametrize(
    ("changed", "line", "way_out"),
    [
        ({"get_caller_identity": refused("ExpiredToken", 403)}, "identity, region", "ExpiredToken"),
        ({"get_parameter": refused("ParameterNotFound")}, "bootstrap", "make bootstrap"),
        ({"get_parameter": {"Parameter": {"Value": "5"}}}, "bootstrap", "version 5"),
        ({"head_bucket": refused("403", 403)}, "bucket", "write_bucket=NAME"),
        ({"get_account_settings": {"AccountLimit": {"ConcurrentExecutions": 10}}}, "Lambda quota", "concurrency=1,"),
        ({"get_service_quota": {"Quota": {"Value": 0.0}}}, "spot vCPU quota", "L-34B43A08"),
        ({"describe_images": refused("ImageNotFoundException")}, "image", "make image"),
        ({"list_subscriptions": {"Subscriptions": []}}, "mail", "alert_email"),
        (
            {
                "list_subscriptions": {
                    "Subscriptions": [
                        {"TopicArn": TOPIC, "Endpoint": "me@example.com", "SubscriptionArn": "PendingConfirmation"}
                    ]
                }
            },
            "mail",
            "open the link",
        ),
        ({"get_schedule": {"State": "DISABLED"}}, "schedule", "schedule_enabled=true"),
        ({"get_schedule": refused("ResourceNotFoundException")}, "schedule", "make deploy"),
        ({"get_service_quota": refused("AccessDenied", 403)}, "spot vCPU quota", "the right to look"),
    ],
)
def test_each_fault_is_told_with_what_to_do_and_no_other_line_fails(
    changed: Mapping[str, Any], line: str, way_out: str
) -> None:
    found = lines(changed)
    assert {name for name, (passed, _) in found.items() if not passed} == {line}
    assert way_out in found[line][1]


def test_without_a_region_nothing_more_is_asked() -> None:
    assert list(lines({}, region="")) == ["identity, region"]


def test_a_bucket_that_stayed_is_told_as_one_that_is_adopted() -> None:
    found = lines({"describe_stacks": refused("ValidationError")})
    assert "adopts it" in found["bucket"][1]


def test_the_command_wants_to_know_which_half(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 2
    assert "--aws" in capsys.readouterr().err
