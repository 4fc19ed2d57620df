"""The machines of the full run: what they reach, who may ask them for their role; and production under other names."""

from __future__ import annotations

import aws_cdk as cdk
import pytest

from cdk.constructs.isolation import production_boundary
from cdk.settings import StackSettings
from tests.infra.conftest import Synthesised
from tests.infra.templates import Template


def test_the_machines_tell_their_role_only_by_imds_v2(synthesised: Synthesised) -> None:
    for template in (synthesised.test, synthesised.other):
        data = template.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
        assert data["MetadataOptions"]["HttpTokens"] == "required"


def test_the_machines_reach_https_alone_and_nothing_reaches_them(synthesised: Synthesised) -> None:
    for template in (synthesised.test, synthesised.other):
        (group,) = template.of_type("AWS::EC2::SecurityGroup").values()
        ports = [(one["IpProtocol"], one["FromPort"], one["ToPort"]) for one in group["SecurityGroupEgress"]]
        assert ports == [("tcp", 443, 443)]
        assert "SecurityGroupIngress" not in group
        assert template.of_type("AWS::EC2::SecurityGroupEgress") == {}


def test_buckets_and_tables_are_reached_within_the_network(synthesised: Synthesised) -> None:
    endpoints = synthesised.test.of_type("AWS::EC2::VPCEndpoint").values()
    services = {synthesised.test.resolve(one["ServiceName"]).rpartition(".")[2] for one in endpoints}
    assert services == {"s3", "dynamodb"}
    assert {one["VpcEndpointType"] for one in endpoints} == {"Gateway"}


@pytest.mark.parametrize(
    "context", [{}, {"read_bucket": "copy-of-spotlake", "auth_table": "OtherAuth"}, {"read_bucket": ""}]
)
def test_the_boundary_names_production_whatever_the_settings_say(context: dict[str, str]) -> None:
    stack = cdk.Stack(cdk.App(), "stack")
    production_boundary(stack, StackSettings.from_context(context))
    (policy,) = (
        Template(cdk.assertions.Template.from_stack(stack).to_json()).of_type("AWS::IAM::ManagedPolicy").values()
    )
    denied = {
        resource
        for one in policy["PolicyDocument"]["Statement"]
        if one["Effect"] == "Deny"
        for resource in one["Resource"]
    }
    named = {"arn:aws:s3:::spotlake/*", "arn:aws:dynamodb:*:*:table/azure", "arn:aws:dynamodb:*:*:table/AzureAuth"}
    assert named <= denied
    if context.get("auth_table"):
        assert {"arn:aws:s3:::copy-of-spotlake/*", "arn:aws:dynamodb:*:*:table/OtherAuth"} <= denied
