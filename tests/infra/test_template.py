"""What costs money or data, and what would be a surprise in somebody's account."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from cdk.settings import FUNCTION_SIZES
from spotlake_local.image_source import content_tag
from spotlake_local.workspace import ROOT
from tests.infra.conftest import STACKS, Synthesised
from tests.infra.templates import Template

SNAPSHOT = Path(__file__).with_name("snapshot.json")


def test_no_finding_of_the_security_rules_is_left_unreasoned(synthesised: Synthesised) -> None:
    assert synthesised.findings == []


def test_cfn_lint_finds_nothing(synthesised: Synthesised) -> None:
    templates = [str(synthesised.folder / f"{stack}.template.json") for stack in STACKS]
    # W3005: the CDK writes dependencies that are implied already; harmless.
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--ignore-checks", "W3005", "--", *templates]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_data_outlives_the_stack(synthesised: Synthesised) -> None:
    kept = [
        one for one in synthesised.test.resources.values() if one["Type"] in ("AWS::S3::Bucket", "AWS::DynamoDB::Table")
    ]
    assert len(kept) == 3
    assert {(one["DeletionPolicy"], one["UpdateReplacePolicy"]) for one in kept} == {("Retain", "Retain")}


def test_the_tables_are_as_the_code_uses_them(template: Template) -> None:
    tables = {one["TableName"]: one for one in template.of_type("AWS::DynamoDB::Table").values()}
    assert set(tables) == {"azure-test", "spotlake-azure-test-control"}
    keys = {name: [key["AttributeName"] for key in one["KeySchema"]] for name, one in tables.items()}
    assert keys == {"azure-test": ["InstanceType", "Workload"], "spotlake-azure-test-control": ["Key", "Sort"]}
    for table in tables.values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["TimeToLiveSpecification"] == {"AttributeName": "ExpiresAt", "Enabled": True}
        assert table["DeletionProtectionEnabled"] is True
    assert tables["azure-test"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_workload_table_alone_can_have_provisioned_units(synthesised: Synthesised) -> None:
    found = synthesised.other.of_type("AWS::DynamoDB::Table").values()
    tables = {
        one["TableName"]: (one.get("BillingMode", "PROVISIONED"), one.get("ProvisionedThroughput")) for one in found
    }
    assert tables == {
        "azure-other": ("PROVISIONED", {"ReadCapacityUnits": 5, "WriteCapacityUnits": 25}),
        "spotlake-azure-other-control": ("PAY_PER_REQUEST", None),
    }


def test_the_bucket_is_private_versioned_and_forgets_old_versions(template: Template) -> None:
    bucket = template.only("AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert {"NoncurrentDays": 3} in [rule.get("NoncurrentVersionExpiration") for rule in rules]
    # Only what a run needs for itself expires by default; the archive stays.
    assert {rule["Prefix"] for rule in rules if "ExpirationInDays" in rule} <= {
        "state/azure/work/",
        "work/azure/",
        "history/azure/runs/",  # stands in the files of days
    }
    # What is the truth has no rule: a quiet fortnight would take the newest merged state.
    assert not [rule for rule in rules if "ExpirationInDays" in rule and "merged" in rule["Prefix"]]


def test_raw_data_expires_where_that_is_asked_for(synthesised: Synthesised) -> None:
    rules = synthesised.other.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert {"ExpirationInDays": 90, "Prefix": "rawdata/azure/", "Status": "Enabled"} in rules


def test_functions_run_the_right_python_and_end_in_time(template: Template) -> None:
    functions = {one["FunctionName"]: one for one in template.of_type("AWS::Lambda::Function").values()}
    assert set(functions) == {f"spotlake-azure-test-{name}" for name in FUNCTION_SIZES}
    for name, size in FUNCTION_SIZES.items():
        one = functions[f"spotlake-azure-test-{name}"]
        assert (one["Runtime"], one["Handler"]) == ("python3.13", "handler.lambda_handler")
        assert (one["MemorySize"], one["Timeout"]) == (size.memory_mb, size.timeout_seconds)
        assert len(one["Layers"]) == 2 + (name == "history")
        assert "VpcConfig" not in one  # a NAT gateway would cost more than all the rest
        assert "ReservedConcurrentExecutions" not in one  # a new account would refuse the stack


def test_what_is_reserved_is_reserved_for_that_function_alone(synthesised: Synthesised) -> None:
    functions = synthesised.other.of_type("AWS::Lambda::Function").values()
    reserved = {one["FunctionName"]: one.get("ReservedConcurrentExecutions") for one in functions}
    assert reserved == {name: 3 if name.endswith("-merge") else None for name in reserved}


def test_no_log_is_kept_for_ever(template: Template) -> None:
    assert {one["RetentionInDays"] for one in template.of_type("AWS::Logs::LogGroup").values()} == {30}
    assert len(template.of_type("AWS::Logs::LogGroup")) == len(FUNCTION_SIZES) + 3


def test_the_schedule_is_off_until_asked_for_and_gives_up_in_time(synthesised: Synthesised) -> None:
    off, on = (one.only("AWS::Scheduler::Schedule") for one in (synthesised.test, synthesised.other))
    assert (off["State"], on["State"]) == ("DISABLED", "ENABLED")
    assert off["ScheduleExpression"] == "cron(0/10 * * * ? *)"
    assert off["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert off["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 540, "MaximumRetryAttempts": 1}
    assert "DeadLetterConfig" in off["Target"]
    assert json.loads(off["Target"]["Input"]) == {"timestamp": "<aws.scheduler.scheduled-time>"}


def test_the_state_machine_can_be_redriven_logged_and_traced(template: Template) -> None:
    machine = template.only("AWS::StepFunctions::StateMachine")
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ERROR"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_the_fleet_is_spot_bounded_and_gone_when_idle(template: Template) -> None:
    environment = template.only("AWS::Batch::ComputeEnvironment")
    assert environment["ComputeEnvironmentName"] == "spotlake-azure-test-compute-env"
    resources = environment["ComputeResources"]
    assert resources["Type"] == "SPOT"
    assert resources["AllocationStrategy"] == "SPOT_PRICE_CAPACITY_OPTIMIZED"
    assert (resources["MinvCpus"], resources["MaxvCpus"]) == (0, 4)
    assert template.only("AWS::Batch::JobQueue")["JobQueueName"] == "spotlake-azure-test-job-queue"


def test_only_a_lost_machine_is_tried_again(template: Template) -> None:
    definition = template.only("AWS::Batch::JobDefinition")
    assert definition["JobDefinitionName"] == "spotlake-azure-test-collection-job"
    assert definition["RetryStrategy"] == {
        "Attempts": 5,
        "EvaluateOnExit": [
            {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
            {"Action": "RETRY", "OnExitCode": "75"},
            {"Action": "EXIT", "OnReason": "*"},
        ],
    }
    container = definition["ContainerProperties"]
    assert container["Command"] == ["python", "-m", "full_run", "--run", "Ref::run"]
    assert container["ReadonlyRootFilesystem"] is True
    assert container["JobRoleArn"] != container["ExecutionRoleArn"]
    assert definition["Timeout"]["AttemptDurationSeconds"] == 3600


def test_the_job_has_a_way_out_and_none_in(template: Template) -> None:
    assert template.of_type("AWS::EC2::NatGateway") == {}
    assert all("SecurityGroupIngress" not in one for one in template.of_type("AWS::EC2::SecurityGroup").values())
    assert template.of_type("AWS::EC2::SecurityGroupIngress") == {}
    assert {one["MapPublicIpOnLaunch"] for one in template.of_type("AWS::EC2::Subnet").values()} == {True}
    assert any("GatewayId" in one for one in template.of_type("AWS::EC2::Route").values())


def test_given_subnets_are_used_and_no_network_is_made(synthesised: Synthesised) -> None:
    resources = synthesised.other.only("AWS::Batch::ComputeEnvironment")["ComputeResources"]
    assert resources["Subnets"] == ["subnet-0123456789abcdef1", "subnet-0123456789abcdef2"]
    assert synthesised.other.of_type("AWS::EC2::VPC") == {}


def test_a_deploy_without_an_image_says_how_to_give_one(synthesised: Synthesised) -> None:
    assert "make image" in synthesised.test.content["Outputs"]["FullRunsNeed"]["Value"]
    assert "FullRunsNeed" not in synthesised.other.content["Outputs"]


def test_two_stages_share_no_name(synthesised: Synthesised) -> None:
    names = [set(one.names()) for one in (synthesised.test, synthesised.other)]
    assert len(names[0]) > 20
    assert names[0] & names[1] == set()


def test_two_stages_may_not_touch_each_other(synthesised: Synthesised) -> None:
    text = json.dumps(synthesised.other.content)
    assert re.findall(r"spotlake-azure-test|spotlake-test|azure-test", text) == []


def test_functions_and_job_are_given_the_same_settings(synthesised: Synthesised) -> None:
    functions = synthesised.other.of_type("AWS::Lambda::Function")
    wanted = functions[next(name for name in functions if "price" in name)]["Environment"]["Variables"]
    container = synthesised.other.only("AWS::Batch::JobDefinition")["ContainerProperties"]
    given = {one["Name"]: one["Value"] for one in container["Environment"]}
    del given["FULL_RUN_SECONDS"]  # the job's own
    assert given == wanted
    assert wanted["SPOTLAKE_WRITE_BUCKET"] == "spotlake-other"


def _blanked(content: Any) -> Any:
    """Hashes, the state machine's file and the host's architecture out, the rest as it is."""
    text = json.dumps(content)
    text = re.sub(
        r'("DefinitionString": )"(?:[^"\\]|\\.)*"', r'\1"collector.asl.json"', text
    )  # it has tests of its own
    text = re.sub(r"[0-9a-f]{64}", "HASH", text)
    text = re.sub(r'("Name": "TAG", "Value": )"[0-9a-f]{12}"', r'\1"CONTENT"', text)
    text = re.sub(r"(ARM|LINUX)_CONTAINER|amazonlinux-(aarch64-standard:3|x86_64-standard:5)", "MACHINE", text)
    text = re.sub(r"\b(default_)?(arm64|x86_64)\b", r"\1ARCH", text)
    text = re.sub(
        r'("Ref": "\w*Layer\w*?|"\w*(Common|Dependencies|Definition|Version)\w*?)[0-9A-F]{8,}', r"\1HASH", text
    )
    text = text.replace(f":{content_tag(ROOT)}", ":CONTENT")  # of the image: it changes with every source
    return json.loads(re.sub(r'"(c|m)\d[a-z]+"', '"FAMILY"', text))


def test_the_template_is_the_one_that_was_looked_at(template: Template) -> None:
    """Look at the difference; when it is meant, `UPDATE_SNAPSHOT=1 pytest tests/infra` writes it anew."""

    counts = Counter(one["Type"] for one in template.resources.values())
    present = {"counts": dict(sorted(counts.items())), "template": _blanked(template.content)}
    if os.environ.get("UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(present, indent=1, sort_keys=True) + "\n")
    assert json.loads(SNAPSHOT.read_text()) == present


def test_every_placeholder_of_the_state_machine_is_filled_and_no_other_is_given(template: Template) -> None:
    machine = template.only("AWS::StepFunctions::StateMachine")
    wanted = set(re.findall(r"\$\{(\w+)\}", machine["DefinitionString"]))
    assert wanted == set(machine["DefinitionSubstitutions"])
