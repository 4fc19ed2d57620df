"""The template's policies before an analyser (cloudsplaining) and AWS's own reference of actions (policy-sentry).

The emulator asks whether an action is allowed; only these know whether AWS has such an action, on such a resource, with
such a condition, and what somebody who steals the role could do with it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from cloudsplaining.scan.policy_document import PolicyDocument
from policy_sentry.querying.actions import get_action_data

from tests.infra.conftest import Synthesised
from tests.infra.policies import Role, roles
from tests.infra.templates import Template

STAGES = pytest.mark.parametrize("stage", ["test", "other"])
# What is granted on every resource because AWS knows no other way, by a part of the role's name.
TOKENS = {"ImageBuildRole": {"ecr:GetAuthorizationToken"}, "ExecutionRole": {"ecr:GetAuthorizationToken"}}
# Services whose CloudFormation types are not called like their actions.
PREFIXES = {"stepfunctions": "states"}


def risks(policy: Mapping[str, Any]) -> dict[str, set[str]]:
    """What the analyser finds, by kind; kinds without a finding are left out."""
    document = PolicyDocument(dict(policy))
    found = {
        "privilege escalation": {one["type"] for one in document.allows_privilege_escalation},
        "data exfiltration": set(document.allows_data_exfiltration_actions),
        "permissions management": set(document.permissions_management_without_constraints),
        "writes anywhere": set(document.write_actions_without_constraints),
        "tags anywhere": set(document.tagging_actions_without_constraints),
        "credentials": set(document.credentials_exposure),
        "whole services": set(document.service_wildcard),
    }
    return {kind: actions for kind, actions in found.items() if actions}


@STAGES
def test_the_analyser_finds_nothing_but_what_pulls_and_pushes_the_image(synthesised: Synthesised, stage: str) -> None:
    found = roles(getattr(synthesised, stage))
    assert len(found) > 10
    for role in found:
        wanted = next((tokens for part, tokens in TOKENS.items() if part in role.name), set())
        told = [risks(policy) for policy in role.policies]
        assert [one for one in told if one] in ([], [{"credentials": wanted}]), role.name


def test_the_analyser_would_notice() -> None:
    careless = {"Effect": "Allow", "Action": ["iam:PassRole", "lambda:*", "s3:GetObject"], "Resource": "*"}
    found = risks({"Version": "2012-10-17", "Statement": [careless]})
    assert set(found) >= {"privilege escalation", "data exfiltration", "writes anywhere", "whole services"}


# -- the service authorization reference ----------------------------------------------------------


@functools.cache
def overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns (``*``: anything).

    >>> overlap("a:*:c", "a:b:*"), overlap("a:*:c", "a:b:d")
    (True, False)
    """
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return one[0] == other[0] and overlap(one[1:], other[1:])


def pattern(form: str) -> str:
    """``arn:${Partition}:sqs:...`` as a pattern."""
    head, *rest = form.split("${")
    return head + "".join("*" + part.partition("}")[2] for part in rest)


def unknown(template: Template, role: Role) -> Iterator[str]:
    """What AWS does not know of the role's grants: an action, or a resource or condition of an action."""
    for statement in role.statements():
        keys = [key for conditions in statement.get("Condition", {}).values() for key in conditions]
        for action in statement["Action"]:
            service, _, name = action.partition(":")
            data = get_action_data(service, name)
            rows = data[service] if data else []
            if not rows:
                yield f"{action} is no action"
            for resource in statement["Resource"]:
                if rows and not any(fits(template, resource, service, row["resource_arn_format"]) for row in rows):
                    yield f"{action} on {resource}"
            known = [pattern(key) for row in rows for key in row["condition_keys"]]
            yield from (
                f"{action} if {key}"
                for key in keys
                if not key.startswith("aws:") and not any(overlap(key, one) for one in known)
            )


def fits(template: Template, resource: str, service: str, form: str) -> bool:
    """Whether a resource of a statement can be what an action of the service is about."""
    logical_id = resource.rpartition(":")[2]
    if logical_id in template.resources:  # its name is CloudFormation's to give
        kind = str(template.resources[logical_id]["Type"]).split("::")[1].lower()
        return PREFIXES.get(kind, kind) == service
    if service == "s3" and form != "*":
        return ":s3:::" in form and ("/" in resource) == ("/" in form)
    return overlap(resource, pattern(form)) if form != "*" else resource == "*"


@STAGES
def test_every_grant_is_one_that_aws_knows(synthesised: Synthesised, stage: str) -> None:
    template: Template = getattr(synthesised, stage)
    assert {role.name: found for role in roles(template) if (found := list(unknown(template, role)))} == {}


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ({"Action": "batch:SubmitJobs", "Resource": "*"}, "batch:SubmitJobs is no action"),
        ({"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b/*"}, "s3:ListBucket on arn:aws:s3:::b/*"),
        (
            {"Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:us-west-2:1:bucket/x"},
            "dynamodb:GetItem on arn:aws:dynamodb:us-west-2:1:bucket/x",
        ),
        (
            {
                "Action": "dynamodb:GetItem",
                "Resource": "arn:aws:dynamodb:us-west-2:1:table/x",
                "Condition": {"StringLike": {"dynamodb:LeadingKey": ["a"]}},
            },
            "dynamodb:GetItem if dynamodb:LeadingKey",
        ),
    ],
)
def test_a_grant_that_aws_does_not_know_is_noticed(template: Template, statement: dict[str, Any], told: str) -> None:
    role = Role("careless", None, [{"Statement": [{"Effect": "Allow", **statement}]}])
    assert list(unknown(template, role)) == [told]
