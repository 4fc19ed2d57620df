from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from cdk.settings import FUNCTION_SIZES, StackSettings
from spotlake.errors import ConfigurationError
from spotlake.settings import Settings
from spotlake_local.workspace import ROOT


def test_without_context_everything_has_its_default() -> None:
    settings = StackSettings.from_context({})
    assert settings == StackSettings()
    assert settings.running == Settings()
    assert settings.stack_name == "spotlake-azure-test"


def test_keys_of_the_cdk_itself_are_passed_over() -> None:
    assert StackSettings.from_context({"aws:cdk:toolkit": 1, "@aws-cdk/core:x": True}) == StackSettings()


def test_another_stage_has_names_of_its_own_unless_they_are_given() -> None:
    running = StackSettings.from_context({"stage": "two", "workload_table": "mine"}).running
    assert (running.stage, running.write_bucket, running.workload_table, running.control_table) == (
        "two",
        "spotlake-two",
        "mine",
        "spotlake-azure-two-control",
    )


def test_values_from_the_command_line_are_text_and_from_cdk_json_are_not() -> None:
    text = {"map_concurrency": "7", "schedule_enabled": "true", "subnet_ids": "subnet-a,subnet-b", "vpc_id": "vpc-1"}
    typed = {"map_concurrency": 7, "schedule_enabled": True, "subnet_ids": ["subnet-a", "subnet-b"], "vpc_id": "vpc-1"}
    assert StackSettings.from_context(text) == StackSettings.from_context(typed)


def test_a_functions_size_is_changed_in_part() -> None:
    sizes = StackSettings.from_context({"functions": {"merge": {"memory_mb": 2048}}}).functions
    assert sizes["merge"].memory_mb == 2048
    assert sizes["merge"].timeout_seconds == FUNCTION_SIZES["merge"].timeout_seconds
    assert sizes["sps"] == FUNCTION_SIZES["sps"]


def test_settings_of_the_code_go_by_their_own_names() -> None:
    running = StackSettings.from_context({"regions": ["koreacentral", "eastus"], "quota_calls": "12"}).running
    assert (running.regions, running.quota_calls) == (("koreacentral", "eastus"), 12)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stage", "Test"),
        ("stage", "much-too-long-a-stage"),
        ("aws_region", "mars"),
        ("architecture", "sparc"),
        ("schedule_enabled", "maybe"),
        ("schedule_expression", "every day"),
        ("map_concurrency", "0"),
        ("map_concurrency", "41"),
        ("map_concurrency", "many"),
        ("functions", {"merge": {"memory_mb": 64}}),
        ("functions", {"merge": {"memory": 1024}}),
        ("functions", {"nobody": {"memory_mb": 1024}}),
        ("functions", "not json"),
        ("functions", {"plan": {"timeout_seconds": 500}}),
        ("functions", {"history": {"timeout_seconds": 60}}),
        ("log_retention_days", 31),
        ("log_level", "LOUD"),
        ("subnet_ids", "10.0.0.0/8"),
        ("subnet_ids", "subnet-1"),
        ("image_uri", "nothing"),
        ("alert_email", "nobody"),
        ("batch_timeout_seconds", 10),
        ("quota_calls", "0"),
        ("quota_calls", "ten"),
        ("clock", "sun"),
        ("write_bucket", "spotlake"),
        ("workload_table", "azure"),
        ("control_table", "AzureAuth"),
        ("topic_arn", "arn:aws:sns:us-west-2:111111111111:foreign"),
        ("colour", "blue"),
        ("stage", "blue-"),
        ("schedule_expression", "cron(every day)"),
        ("schedule_expression", "rate(0 minutes)"),
        ("write_bucket", "My_Bucket"),
        ("write_bucket", ""),
        ("write_bucket", "s3://mine"),
        ("workload_table", "with blank"),
        ("control_table", ""),
        ("control_table", "azure-test"),  # that of the workloads
        ("auth_region", "moon"),
        ("azure_retail_url", "prices.azure.com"),
        ("slack_webhook_parameter", "https://hooks.slack.com/services/T0/B0/SECRET"),
        ("batch_vcpus", "8"),  # more than batch_max_vcpus
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"settings?\b.*\b{name}\b") as refusal:
        StackSettings.from_context({name: value})
    assert "\n" not in str(refusal.value)


def test_production_is_refused_whatever_is_read() -> None:
    with pytest.raises(ConfigurationError, match="write_bucket"):
        StackSettings.from_context({"read_bucket": "another", "write_bucket": "spotlake"})


def test_the_app_ends_with_one_sentence() -> None:
    environment = {**os.environ, "CDK_CONTEXT_JSON": '{"map_concurrency": "99"}'}
    done = subprocess.run(
        [sys.executable, "-m", "cdk.app"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "setting map_concurrency: '99' is not allowed; give a whole number from 1 to 40" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_reserved_until_asked_for_and_a_collector_never_fewer_than_the_map_needs() -> None:
    given = {"functions": '{"sps": {"reserved": 20}, "notify": {"reserved": 1}}'}
    reserved = {name: size.reserved for name, size in StackSettings.from_context(given).functions.items()}
    assert reserved == {**dict.fromkeys(FUNCTION_SIZES, 0), "sps": 20, "notify": 1}
    assert {size.reserved for size in StackSettings().functions.values()} == {0}
    with pytest.raises(ConfigurationError, match=r"19 reserved executions of eviction are fewer than map_concurrency"):
        StackSettings.from_context({"functions": '{"eviction": {"reserved": 19}}'})
    StackSettings.from_context({"functions": '{"eviction": {"reserved": 19}}', "map_concurrency": "19"})
