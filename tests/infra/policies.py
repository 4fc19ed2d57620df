"""What the template's roles may do, decided by the emulator's IAM evaluator on the resolved policies."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
from policy_sentry.querying.actions import get_actions_with_access_level

from tests.infra.templates import ACCOUNT, REGION, Template

type Document = dict[str, Any]

_LEVELS = ("Write", "Permissions management", "Tagging")
# Production's, and parts of them: objects, indexes, streams, backups.
PRODUCTION = {
    "s3": ("arn:aws:s3:::spotlake", "arn:aws:s3:::spotlake/latest_data/latest_azure.json"),
    "dynamodb": tuple(
        f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{table}{part}"
        for region in (REGION, "us-east-1")
        for table in ("azure", "AzureAuth")
        for part in ("", "/index/any", "/stream/2026", "/backup/1")
    ),
}


@dataclass
class Role:
    """A role with its own policies and its boundary, resolved."""

    name: str
    boundary: Document | None
    policies: list[Document] = field(default_factory=list)

    def allows(self, action: str, resource: str, *, bounded: bool = True) -> bool:
        """Whether the role may do ``action`` on ``resource``, with or without its boundary."""
        context = EvalContext(
            principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.name}/test",
            principal_type="AssumedRole",
            principal_account=ACCOUNT,
            action=action,
            resource_arn=resource,
            region=REGION,
        )
        limits = [[parse_policy_document(self.boundary)]] if bounded and self.boundary else []
        policies = [parse_policy_document(policy) for policy in self.policies]
        return bool(evaluate(context, policies, *limits).decision == "Allow")

    def statements(self) -> Iterable[Document]:
        """Every Allow statement, with lists where IAM allows a single text."""
        for policy in self.policies:
            for statement in policy["Statement"]:
                if statement["Effect"] == "Allow":
                    yield {
                        **statement,
                        "Action": _listed(statement["Action"]),
                        "Resource": _listed(statement["Resource"]),
                    }


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@functools.cache
def write_actions(service: str) -> tuple[str, ...]:
    """Every action of a service that changes something, from policy-sentry's copy of AWS's reference."""
    return tuple(sorted({action for level in _LEVELS for action in get_actions_with_access_level(service, level)}))


def roles(template: Template) -> list[Role]:
    """All roles of a stack."""
    managed = {
        name: template.resolve(properties["PolicyDocument"])
        for name, properties in template.of_type("AWS::IAM::ManagedPolicy").items()
    }
    found = {
        name: Role(name, managed.get(properties.get("PermissionsBoundary", {}).get("Ref", "")))
        for name, properties in template.of_type("AWS::IAM::Role").items()
    }
    for name, properties in template.of_type("AWS::IAM::Role").items():
        found[name].policies += [template.resolve(one["PolicyDocument"]) for one in properties.get("Policies", [])]
    for properties in template.of_type("AWS::IAM::Policy").values():
        for reference in properties["Roles"]:
            found[reference["Ref"]].policies.append(template.resolve(properties["PolicyDocument"]))
    return list(found.values())


def production_writes(role: Role, *, bounded: bool) -> list[tuple[str, str]]:
    """(action, resource) of each write to production that the role is allowed; empty when it is isolated."""
    return [
        (action, resource)
        for service, resources in PRODUCTION.items()
        for action in write_actions(service)
        for resource in resources
        if role.allows(action, resource, bounded=bounded)
    ]
