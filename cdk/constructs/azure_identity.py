"""The role whose ARN is our name towards Azure, for a sign-in by federation: no secret is stored anywhere."""

from __future__ import annotations

from dataclasses import replace

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.acknowledgements import acknowledge
from cdk.settings import StackSettings
from spotlake.azure.credential_stores import ASSERTION_SECONDS


def named_identity(stack: cdk.Stack, settings: StackSettings) -> StackSettings:
    """The settings, with the ARN of the role where the stack signs in by federation."""
    if settings.running.azure_sign_in != "federation":
        return settings
    arn = stack.format_arn(service="iam", region="", resource="role", resource_name=_name(settings))
    return replace(settings, running=replace(settings.running, azure_role_arn=arn))


def _name(settings: StackSettings) -> str:
    """A fixed name: Azure's federated credential names it, and a new stack of the same stage has the same."""
    return f"{settings.stack_name}-azure-sign-in"


class AzureIdentity(Construct):
    """A role that may ask AWS for one thing: a statement of its name, for one audience, for five minutes.

    Whoever has the right to take this role in the account's own policies may take it: the collectors that sign in, and
    the person who runs `spotlake doctor`. Condition keys: IAM user guide, "Controlling access with IAM policies" for
    outbound identity federation (read 2026-11).
    """

    def __init__(self, scope: Construct, name: str, *, settings: StackSettings) -> None:
        super().__init__(scope, name)
        self.role = iam.Role(
            self,
            "Role",
            role_name=_name(settings),
            description="Our name towards Azure (federated credential of the application)",
            assumed_by=iam.AccountRootPrincipal(),
        )
        self.role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["sts:GetWebIdentityToken"],
                resources=["*"],
                conditions={
                    "ForAllValues:StringEquals": {"sts:IdentityTokenAudience": [settings.running.azure_audience]},
                    "Null": {"sts:IdentityTokenAudience": "false"},
                    "NumericLessThanEquals": {"sts:DurationSeconds": str(ASSERTION_SECONDS)},
                    "StringEquals": {"sts:SigningAlgorithm": "RS256"},
                },
            )
        )
        acknowledge(self.role, "IAM5[Resource::*]", "The action has no resources; audience and duration limit it")
