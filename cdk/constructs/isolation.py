"""Who may take a role, and the permissions boundary: no role can write to production, even if a grant is wrong."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.settings import PRODUCTION_BUCKET, StackSettings

PRODUCTION_TABLE = "azure"
PRODUCTION_AUTH_TABLE = "AzureAuth"
PRODUCTION_LOG_GROUP = "Collection-Data-Count"
_S3_READS = ["s3:Get*", "s3:List*"]
_DYNAMODB_READS = [
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:Describe*",
    "dynamodb:List*",
    "dynamodb:ConditionCheckItem",
    "dynamodb:PartiQLSelect",
]


def production_boundary(scope: Construct, settings: StackSettings) -> iam.ManagedPolicy:
    """A managed policy that allows everything that roles are granted, except writes to production.

    ``NotAction`` also denies actions that AWS adds later.
    """
    running = settings.running
    # By their names here, and by those of the settings: a setting with another name opens nothing.
    buckets = [f"arn:aws:s3:::{name}" for name in dict.fromkeys((PRODUCTION_BUCKET, running.read_bucket)) if name]
    names = dict.fromkeys((PRODUCTION_TABLE, PRODUCTION_AUTH_TABLE, running.auth_table))
    tables = [f"arn:aws:dynamodb:*:*:table/{name}" for name in names]
    return iam.ManagedPolicy(
        scope,
        "Boundary",
        description="Limits every role of this stack: production is read, never written",
        statements=[
            iam.PolicyStatement(sid="WhatRolesAreGranted", actions=["*"], resources=["*"]),
            iam.PolicyStatement(
                sid="ProductionBucketIsRead",
                effect=iam.Effect.DENY,
                not_actions=_S3_READS,
                resources=[*buckets, *(f"{bucket}/*" for bucket in buckets)],
            ),
            iam.PolicyStatement(
                sid="ProductionTablesAreRead",
                effect=iam.Effect.DENY,
                not_actions=_DYNAMODB_READS,
                resources=[*tables, *(f"{table}/*" for table in tables)],
            ),
            iam.PolicyStatement(
                sid="ProductionCountsAreNotOurs",
                effect=iam.Effect.DENY,
                actions=["logs:Create*", "logs:Put*", "logs:Delete*"],
                resources=[f"arn:aws:logs:*:*:log-group:{PRODUCTION_LOG_GROUP}{tail}" for tail in ("", ":*")],
            ),
        ],
    )


def own_service(scope: Construct, service: str) -> iam.IPrincipal:
    """A service that acts for this account alone, so that nobody else's schedule or machine can use the role.

    Scheduler, Step Functions and ECS say for whom they act (EventBridge Scheduler user guide, "Confused deputy
    prevention"; Step Functions developer guide, "Creating an IAM role for your state machine"; ECS: AWS's own trust
    policy for tasks, github.com/aws/agent-toolkit-for-aws, ecs-trust-policy.json; read 2026-11).
    """
    return iam.ServicePrincipal(
        service, conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}}
    )
