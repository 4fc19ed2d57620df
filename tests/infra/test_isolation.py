from __future__ import annotations

import copy

import pytest

from tests.infra.conftest import Synthesised
from tests.infra.policies import PRODUCTION, Role, production_writes, roles, write_actions
from tests.infra.templates import Template

ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
# These know no resources (AWS service authorization reference, 2026-11); none of them reads or writes data.
WITHOUT_RESOURCES = {
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
    *("ecr:GetAuthorizationToken", "batch:DescribeJobs", "batch:TerminateJob", "sts:GetWebIdentityToken"),
}


_CHAIN = ["state/azure/merged_chain.json", "state/azure/merged/20260101T0000Z-1-1.gz"]  # the merge alone writes them


@pytest.fixture(scope="module")
def all_roles(synthesised: Synthesised) -> list[Role]:
    return [*roles(synthesised.test), *roles(synthesised.other)]


def test_the_list_of_write_actions_is_the_real_one() -> None:
    assert {"s3:PutObject", "s3:DeleteBucket", "s3:PutBucketPolicy", "s3:PutObjectTagging"} <= set(write_actions("s3"))
    assert {"dynamodb:PutItem", "dynamodb:PartiQLDelete", "dynamodb:DeleteTable"} <= set(write_actions("dynamodb"))
    assert len(write_actions("s3")) > 80
    assert len(write_actions("dynamodb")) > 25


def test_every_role_carries_the_boundary(all_roles: list[Role]) -> None:
    assert len(all_roles) >= 22
    assert [role.name for role in all_roles if role.boundary is None] == []


def test_no_role_is_granted_a_write_to_production(all_roles: list[Role]) -> None:
    assert {role.name: found for role in all_roles if (found := production_writes(role, bounded=False))} == {}


def test_the_boundary_denies_what_a_careless_grant_would_allow(all_roles: list[Role]) -> None:
    for role in all_roles[:1] + all_roles[-1:]:
        careless = Role(role.name, role.boundary, [ALLOW_ALL])
        assert production_writes(careless, bounded=True) == []
        assert careless.allows("s3:GetObject", PRODUCTION["s3"][1])
        assert careless.allows("dynamodb:GetItem", PRODUCTION["dynamodb"][0])
        assert careless.allows("s3:PutObject", "arn:aws:s3:::spotlake-test/runs/azure/x")
        group = "arn:aws:logs:us-west-2:111111111111:log-group:Collection-Data-Count:log-stream:x"
        assert not careless.allows("logs:PutLogEvents", group)


def test_a_widened_policy_is_noticed(all_roles: list[Role]) -> None:
    plan = next(role for role in all_roles if "plan" in role.name)
    widened = Role(plan.name, plan.boundary, copy.deepcopy(plan.policies))
    for statement in widened.policies[0]["Statement"]:
        if statement["Resource"] == "arn:aws:s3:::spotlake" or "arn:aws:s3:::spotlake" in statement["Resource"]:
            statement["Action"] = "s3:*"
    assert production_writes(widened, bounded=False)


def test_a_missing_boundary_is_noticed(template: Template) -> None:
    content = copy.deepcopy(dict(template.content))
    next(one for one in content["Resources"].values() if one["Type"] == "AWS::IAM::Role")["Properties"].pop(
        "PermissionsBoundary"
    )
    assert any(role.boundary is None for role in roles(Template(content)))


def test_nothing_but_what_knows_no_resources_is_granted_on_all_of_them(all_roles: list[Role]) -> None:
    everywhere = {
        action for role in all_roles for one in role.statements() if "*" in one["Resource"] for action in one["Action"]
    }
    assert everywhere <= WITHOUT_RESOURCES


def test_no_role_is_granted_a_family_of_actions(all_roles: list[Role]) -> None:
    assert {
        action for role in all_roles for one in role.statements() for action in one["Action"] if "*" in action
    } == set()


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("price", "rawdata/azure/spot_price/2026/a", ["rawdata/azure/sps/2026/a", "state/azure/a", "runs/azure/a"]),
        ("sps", "rawdata/azure/sps/2026/a", ["rawdata/azure/spot_price/2026/a", "latest_data/latest_azure.json"]),
        ("sps", "rawdata/azure/sps/2026/a", ["state/azure/doubts/sps/a.json", "state/azure/sweep.json.gz"]),
        ("eviction", "rawdata/azure/spot_if/2026/a", ["rawdata/azure/sps/2026/a"]),
        ("eviction", "rawdata/azure/price_history/2026/a", ["rawdata/azure/spot_price/2026/a"]),
        ("merge", "rawdata/azure/2026/01/01/00-00-00.csv.gz", ["rawdata/azure/sps/2026/a", "anything"]),
        ("merge", "query-selector/associated/association_azure.json", ["datapackage.json", "history/azure/a"]),
        ("history", "datapackage.json", ["latest_data/latest_azure.json", "runs/azure/a", "state/azure/a"]),
        ("report", "rawdata/azure/localfile/2026/a", ["rawdata/azure/2026/a", "state/azure/a"]),
        ("notify", "state/azure/health.json", ["state/azure/catalogue.json.gz"]),
        ("plan", "state/azure/sweep.json.gz", ["rawdata/azure/sps/2026/a", "latest_data/latest_azure.json", *_CHAIN]),
        ("plan", "work/azure/2026/a", ["state/azure/last_good.json.gz", "state/azure/invalid_names.json.gz"]),
        ("JobRole", "rawdata/azure/sps/2026/a", ["latest_data/latest_azure.json", "runs/azure/a", *_CHAIN]),
        ("JobRole", "state/azure/catalogue.json.gz", ["state/azure/health.json", "state/azure/last_good.json.gz"]),
        ("JobRole", "rawdata/azure/sizes/2026/a", ["rawdata/azure/price_history/2026/a"]),
        ("JobRole", "latest_data/latest_sizes_azure.csv.gz", ["latest_data/latest_azure.json"]),
    ],
)
def test_each_role_writes_its_own_folders_only(template: Template, role: str, may: str, may_not: list[str]) -> None:
    (one,) = [found for found in roles(template) if role in found.name and "Policy" not in found.name]
    bucket = "arn:aws:s3:::spotlake-test/"
    assert one.allows("s3:PutObject", bucket + may)
    assert [key for key in may_not if one.allows("s3:PutObject", bucket + key)] == []
