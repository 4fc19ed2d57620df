"""Who may take a role, and the permissions boundary: whatever is granted by mistake, production is not written to."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.settings import PRODUCTION_BUCKET, StackSettings

PRODUCTION_TABLE = "azure"
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
    """A managed policy that allows what roles are granted, except every write to production.

    ``NotAction`` denies also what AWS adds tomorrow.
    """
    running = settings.running
    bucket = f"arn:aws:s3:::{running.read_bucket or PRODUCTION_BUCKET}"
    tables = [f"arn:aws:dynamodb:*:*:table/{name}" for name in (PRODUCTION_TABLE, running.auth_table)]
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
                resources=[bucket, f"{bucket}/*"],
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

    Scheduler and Step Functions say for whom they act (EventBridge Scheduler user guide, "Confused deputy prevention";
    Step Functions developer guide, "Creating an IAM role for your state machine"; read 2026-11).
    """
    return iam.ServicePrincipal(
        service, conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}}
    )
