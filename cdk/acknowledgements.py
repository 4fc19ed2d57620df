"""Accepted findings of cdk-nag's AwsSolutions rules, each with its place and reason."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import IConstruct

_EXECUTIONS = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:{}-collector:*"
_CHILDREN = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:{}-collector/regions:*"
_REVISIONS = "arn:<AWS::Partition>:batch:<AWS::Region>:<AWS::AccountId>:job-definition/{}-collection-job:*"
_JOBS = "arn:<AWS::Partition>:batch:<AWS::Region>:<AWS::AccountId>:job/*"
_INSTANCE_POLICY = "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"

# (path below the stack, rule, reason)
_REASONED = (
    ("Boundary", "IAM5[Action::*]", "A boundary grants nothing; it only denies what roles were given by mistake"),
    ("Boundary", "IAM5[Resource::*]", "As above: what a role may touch stands in its own policy"),
    ("Functions", "IAM5[Resource::*]", "X-Ray's PutTraceSegments and PutTelemetryRecords know no resources"),
    ("Functions", "L1", "Python 3.13 is the version that library, layer and job are locked and tested with"),
    ("FullRunJob/ExecutionRole", "IAM5[Resource::*]", "ecr:GetAuthorizationToken knows no resources"),
    ("FullRunJob/ImageBuild/Role", "IAM5[Resource::*]", "ecr:GetAuthorizationToken knows no resources"),
    ("FullRunJob/ImageBuild/Project", "CB3", "docker build needs a privileged container; it lives for one build"),
    ("FullRunJob/ImageBuild/Project", "CB4", "Nothing is kept: the project has no artifacts"),
    ("FullRunJob/Environment", f"IAM4[Policy::{_INSTANCE_POLICY}]", "What ECS wants of a container instance's role"),
    ("FullRunJob/Vpc", "VPC7", "Nothing listens in this network; flow logs would cost more than the job"),
    (
        "Workflow/Role",
        "IAM5[Resource::*]",
        "Log delivery, X-Ray and batch:DescribeJobs know no resources",
    ),
    (
        "Workflow/Machine",
        "SF1",
        "Errors are logged; every event of 57 regions each ten minutes is in the history anyway",
    ),
    ("Storage/Bucket", "S1", "Public data; access logs would be more objects than the archive itself"),
    ("Schedule/DeadLetters", "SQS3", "This queue is the dead-letter queue, of the schedule"),
)


def acknowledge(place: IConstruct, rule: str, reason: str) -> None:
    """Accept one finding of AwsSolutions ("IAM5[Resource::*]") at a construct and below it."""
    entry = cdk.Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason)
    cdk.Validations.of(place).acknowledge(entry)


def acknowledge_all(stack: cdk.Stack) -> None:
    """Accept the findings above. A place that a setting leaves out is skipped."""
    reasoned = (
        *_REASONED,
        (
            "Functions/plan-role",
            f"IAM5[Resource::{_EXECUTIONS.format(stack.stack_name)}]",
            "Executions of this state machine have names that are not known before",
        ),
        (
            "Workflow/Role",
            f"IAM5[Resource::{_REVISIONS.format(stack.stack_name)}]",
            "Revisions of this job definition have numbers that are not known before",
        ),
        (
            "Workflow/Role",
            f"IAM5[Resource::{_EXECUTIONS.format(stack.stack_name)}]",
            "Executions of this state machine have names that are not known before",
        ),
        (
            "Workflow/Role",
            f"IAM5[Resource::{_CHILDREN.format(stack.stack_name)}]",
            "Children of the distributed Map have names that Step Functions gives them",
        ),
        ("Workflow/Role", f"IAM5[Resource::{_JOBS}]", "Jobs have names that Batch gives them"),
    )
    for path, rule, reason in reasoned:
        place: IConstruct | None = stack
        for part in path.split("/"):
            place = place.node.try_find_child(part) if place is not None else None
        if place is not None:
            acknowledge(place, rule, reason)
