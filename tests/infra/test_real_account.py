"""What an emulator cannot show and a real account would: held on the template, by AWS's documentation."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from spotlake_local.aws_doctor.before import side_by_side
from spotlake_local.workspace import ROOT
from tests.infra.conftest import Synthesised
from tests.infra.policies import roles
from tests.infra.templates import ACCOUNT, REGION, Template

STAGES = pytest.mark.parametrize("stage", ["test", "other"])


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@STAGES
def test_every_topic_that_an_alarm_names_lets_cloudwatch_publish(synthesised: Synthesised, stage: str) -> None:
    template: Template = getattr(synthesised, stage)
    alarms = template.of_type("AWS::CloudWatch::Alarm").values()
    topics = {action["Ref"] for alarm in alarms for action in alarm["AlarmActions"]}
    assert topics
    for topic in topics:
        statements = [
            one
            for policy in template.of_type("AWS::SNS::TopicPolicy").values()
            if {"Ref": topic} in policy["Topics"]
            for one in policy["PolicyDocument"]["Statement"]
        ]
        (allowed,) = [one for one in statements if one["Effect"] == "Allow"]
        assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert "sns:Publish" in listed(allowed["Action"])
        assert allowed["Resource"] == {"Ref": topic}
        conditions = template.resolve(allowed["Condition"])
        assert conditions["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
        pattern = conditions["ArnLike"]["aws:SourceArn"].rpartition(":alarm:")[2]
        assert pattern.endswith("*")
        assert all(alarm["AlarmName"].startswith(pattern[:-1]) for alarm in alarms)


def test_only_a_merged_run_counts_as_a_run(synthesised: Synthesised) -> None:
    alarms = {one["AlarmName"]: one for one in synthesised.other.of_type("AWS::CloudWatch::Alarm").values()}
    alarm = alarms["spotlake-azure-other-nocompleterun"]
    # Succeeded executions hold the skipped ones too.
    assert (alarm["MetricName"], alarm["Statistic"], alarm["Period"]) == ("CoveragePercent", "SampleCount", 1800)
    assert {one["Name"]: one["Value"] for one in alarm["Dimensions"]} == {"service": "merge"}
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (1, "breaching")


@STAGES
def test_a_job_that_no_machine_takes_is_given_up(synthesised: Synthesised, stage: str) -> None:
    queue = getattr(synthesised, stage).only("AWS::Batch::JobQueue")
    limits = queue["JobStateTimeLimitActions"]
    # The reasons that AWS lists (job_stuck_in_runnable_time_limit_actions, read 2026-11).
    assert {one["Reason"] for one in limits} == {
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    }
    assert {(one["State"], one["Action"], one["MaxTimeSeconds"]) for one in limits} == {("RUNNABLE", "CANCEL", 900)}


def test_machines_pass_on_the_notice_that_they_are_taken_away(template: Template) -> None:
    resources = template.only("AWS::Batch::ComputeEnvironment")["ComputeResources"]
    assert "LaunchTemplateId" in resources["LaunchTemplate"]
    launch = template.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    text = json.dumps(template.resolve(launch["UserData"]))
    assert "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true" in text
    assert "multipart/mixed" in text  # Batch adds a part of its own, and takes no other form


def test_no_family_is_named_that_a_region_may_lack(template: Template) -> None:
    kinds = template.only("AWS::Batch::ComputeEnvironment")["ComputeResources"]["InstanceTypes"]
    assert set(kinds) <= {"default_arm64", "default_x86_64"}


def test_the_job_knows_how_long_its_attempt_may_take(template: Template) -> None:
    definition = template.only("AWS::Batch::JobDefinition")
    given = {one["Name"]: one["Value"] for one in definition["ContainerProperties"]["Environment"]}
    assert int(given["FULL_RUN_SECONDS"]) == definition["Timeout"]["AttemptDurationSeconds"] - 120


def test_a_budget_tells_the_one_who_pays(synthesised: Synthesised) -> None:
    assert synthesised.test.of_type("AWS::Budgets::Budget") == {}  # nobody to tell
    budget = synthesised.other.only("AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 25, "Unit": "USD"}
    subscribers = [one for told in budget["NotificationsWithSubscribers"] for one in told["Subscribers"]]
    assert {one["Address"] for one in subscribers} == {"ops@example.com"}


@STAGES
def test_what_stays_has_a_name_by_which_it_is_adopted(synthesised: Synthesised, stage: str) -> None:
    template: Template = getattr(synthesised, stage)
    for one in template.resources.values():
        if one["DeletionPolicy"] in ("Retain", "RetainExceptOnCreate") if "DeletionPolicy" in one else False:
            name = one["Properties"].get("BucketName") or one["Properties"].get("TableName")
            assert re.fullmatch(r"[a-z0-9-]+", name)


@STAGES
def test_nobody_elses_schedule_or_machine_can_use_a_role(synthesised: Synthesised, stage: str) -> None:
    template: Template = getattr(synthesised, stage)
    trusted = [
        template.resolve(statement)
        for role in template.of_type("AWS::IAM::Role").values()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"].get("Service") in ("states.amazonaws.com", "scheduler.amazonaws.com")
    ]
    assert len(trusted) == 2
    assert [one["Condition"] for one in trusted] == [{"StringEquals": {"aws:SourceAccount": ACCOUNT}}] * 2


def test_a_webhook_that_a_key_of_ones_own_encrypts_can_be_read_and_nothing_else_with_it(
    synthesised: Synthesised,
) -> None:
    (notify,) = [one for one in roles(synthesised.other) if "notify" in one.name]
    (decrypts,) = [one for one in notify.statements() if "kms:Decrypt" in one["Action"]]
    assert decrypts["Resource"] == [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*"]
    assert decrypts["Condition"]["StringEquals"] == {
        "kms:ViaService": f"ssm.{REGION}.amazonaws.com",
        "kms:EncryptionContext:PARAMETER_ARN": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/spotlake/slack",
    }


def test_an_execution_that_began_before_a_deployment_can_submit_its_own_revision(template: Template) -> None:
    definition = template.only("AWS::Batch::JobDefinition")
    assert definition["ResourceRetentionPolicy"] == {"SkipDeregisterOnUpdate": True}
    (workflow,) = [one for one in roles(template) if "WorkflowRole" in one.name]
    (submits,) = [one for one in workflow.statements() if "batch:SubmitJob" in one["Action"]]
    revisions = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/{definition['JobDefinitionName']}:*"
    assert revisions in submits["Resource"]


# A new account runs ten Lambdas at once (a common report; AWS says only "reduced": Lambda developer guide, 2026-11).
QUOTA_OF_A_NEW_ACCOUNT, SECONDS_OF_A_COLLECTOR = 10, 8


def test_a_small_quota_is_waited_for_as_long_as_the_queue_is_and_the_advice_makes_none() -> None:
    machine = json.loads((ROOT / "statemachine/collector.asl.json").read_text(encoding="utf-8"))
    branches = machine["States"]["CollectRegions"]["ItemProcessor"]["States"]["CollectGroup"]["Branches"]
    for branch in branches:
        (each,) = branch["States"].values()
        (task,) = [one for one in each["ItemProcessor"]["States"].values() if one["Type"] == "Task"]
        (rule,) = [one for one in task["Retry"] if one["ErrorEquals"] == ["Lambda.TooManyRequestsException"]]
        delays = [
            min(rule["IntervalSeconds"] * rule["BackoffRate"] ** number, rule["MaxDelaySeconds"])
            for number in range(rule["MaxAttempts"])
        ]
        # 2 + 4 + 8 + 16 + 32 + 3 x 45; with full jitter half of it on average.
        assert sum(delays) == 197
        queue_seconds = (20 * len(branches) / QUOTA_OF_A_NEW_ACCOUNT - 1) * SECONDS_OF_A_COLLECTOR
        assert sum(delays) / 2 > queue_seconds
    for quota in (1, 10, 50, 199):
        assert side_by_side(quota) == max(1, quota // (2 * len(branches)))
        assert side_by_side(quota) * len(branches) <= max(quota, len(branches))
