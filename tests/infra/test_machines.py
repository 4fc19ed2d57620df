"""The machines of the full run: what they reach, who may ask them for their role; and production under other names."""

from __future__ import annotations

import json

import aws_cdk as cdk
import pytest

from cdk.constructs.isolation import production_boundary
from cdk.settings import StackSettings
from spotlake_local.image_source import content_tag
from spotlake_local.workspace import ROOT
from tests.infra.conftest import Synthesised
from tests.infra.policies import Role, roles
from tests.infra.templates import ACCOUNT, REGION, Template


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


def test_the_machines_role_writes_the_jobs_log_and_pulls_the_jobs_image_alone(synthesised: Synthesised) -> None:
    policies = {role.name: role.policies for role in roles(synthesised.test)}
    (name,) = [name for name in policies if "InstanceProfileRole" in name]
    # As wide as a managed policy can be: what is left is what the stack does not deny.
    all_allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    role = Role(name, None, [all_allowed, *policies[name]])
    log = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/batch/spotlake-azure-{{}}-full-run:log-stream:any"
    repository = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/spotlake-azure-{{}}-full-run"
    for own in (True, False):
        stage = "test" if own else "other"
        assert role.allows("logs:PutLogEvents", log.format(stage)) is own
        assert role.allows("logs:CreateLogStream", log.format(stage)) is own
        assert role.allows("ecr:BatchGetImage", repository.format(stage)) is own
        assert role.allows("ecr:GetDownloadUrlForLayer", repository.format(stage)) is own
    assert role.allows("ecr:GetAuthorizationToken", "*")
    assert role.allows("ecs:Poll", f"arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/any/1")


# A service's own words for whom it acts are known for these; docs/security.md says why the others have none.
SAY_FOR_WHOM = {"scheduler.amazonaws.com", "states.amazonaws.com", "codebuild.amazonaws.com", "ecs-tasks.amazonaws.com"}
SILENT = {"lambda.amazonaws.com", "ec2.amazonaws.com"}


def test_every_service_that_says_for_whom_it_acts_acts_for_this_account_alone(synthesised: Synthesised) -> None:
    for template in (synthesised.test, synthesised.other):
        services = set()
        for role in template.of_type("AWS::IAM::Role").values():
            (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
            service = trust["Principal"].get("Service")
            if service is None:
                continue  # federation's role: whoever the account lets
            condition = template.resolve(trust.get("Condition", {}))
            wanted = {"StringEquals": {"aws:SourceAccount": ACCOUNT}} if service in SAY_FOR_WHOM else {}
            assert condition == wanted, service
            services.add(service)
        assert services <= SAY_FOR_WHOM | SILENT


def test_a_tag_of_the_stacks_repository_names_one_image_for_ever_and_the_job_names_the_deployed_source(
    synthesised: Synthesised,
) -> None:
    repository = synthesised.test.only("AWS::ECR::Repository")
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    container = synthesised.test.only("AWS::Batch::JobDefinition")["ContainerProperties"]
    assert synthesised.test.resolve(container["Image"]).endswith(f":{content_tag(ROOT)}")
    build = synthesised.test.only("AWS::CodeBuild::Project")
    pushed = {one["Name"]: one["Value"] for one in build["Environment"]["EnvironmentVariables"]}
    assert pushed["TAG"] == content_tag(ROOT)
    assert "latest" not in json.dumps(build)
    other = synthesised.other.only("AWS::Batch::JobDefinition")["ContainerProperties"]
    assert other["Image"] == "example.com/full-run:1"


def test_lists_of_images_are_counted_and_parts_of_them_only_go_when_nothing_names_them(
    synthesised: Synthesised,
) -> None:
    policy = json.loads(synthesised.test.only("AWS::ECR::Repository")["LifecyclePolicy"]["LifecyclePolicyText"])
    tagged, untagged = sorted((rule["selection"] for rule in policy["rules"]), key=lambda one: one["tagStatus"])
    assert (tagged["tagStatus"], tagged["tagPatternList"], tagged["countNumber"]) == ("tagged", ["*"], 20)
    assert (untagged["tagStatus"], untagged["countType"]) == ("untagged", "sinceImagePushed")
