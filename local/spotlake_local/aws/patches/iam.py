"""IAM: loopback is TLS; PartiQL has its actions; roles keep their boundary; Step Functions and Scheduler have roles."""

from __future__ import annotations

import contextvars
import json
import re
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import eventbridge, iam, stepfunctions
from ministack.services.cloudformation import provisioners

from spotlake_local.aws.patches import need

_role_arn: contextvars.ContextVar[str] = contextvars.ContextVar("state_machine_role", default="")
_STATEMENT = re.compile(r'\s*(insert|update|delete|select)\b[^"]*"([^"]+)"', re.IGNORECASE)
_ACCOUNT_FIELD, _REGION_FIELD = 4, 3


def install() -> None:
    """Install the five patches."""
    _trust_loopback()
    _name_partiql_actions()
    _keep_boundaries()
    _enforce_state_machine_roles()
    _enforce_scheduler_roles()


def _trust_loopback() -> None:
    """Without this patch a bucket with ``enforce_ssl`` refuses everybody, because loopback is plain http."""
    resolve = need(iam_evaluator, "_resolve_condition_key", "loopback as TLS")

    def resolve_trusting(key: str, context: Any) -> Any:
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    iam_evaluator._resolve_condition_key = resolve_trusting


def _name_partiql_actions() -> None:
    """Without this patch a PartiQL batch is checked as an action that IAM does not know, and is always refused.

    AWS checks each statement as PartiQLInsert, PartiQLUpdate, ... on its table (service authorization
    reference, 2026-11).
    """
    checks = need(iam_actions, "dynamodb_transaction_checks", "IAM actions of PartiQL")
    table_arn = need(iam_actions, "_dynamodb_table_arn", "IAM actions of PartiQL")

    def checks_with_partiql(action: str, body: bytes, region: str, account: str) -> Any:
        if action not in ("dynamodb:BatchExecuteStatement", "dynamodb:ExecuteStatement"):
            return checks(action, body, region, account)
        content = json.loads(body or b"{}")
        texts = {one.get("Statement", "") for one in content.get("Statements", [content])}
        found = {(match[1].capitalize(), match[2]) for text in texts if (match := _STATEMENT.match(text))}
        return [(f"dynamodb:PartiQL{verb}", table_arn(table, region, account)) for verb, table in sorted(found)]

    iam_actions.dynamodb_transaction_checks = checks_with_partiql


def _keep_boundaries() -> None:
    """Without this patch the permissions boundary of a role in a template is ignored."""
    handlers = need(provisioners, "_RESOURCE_HANDLERS", "boundaries of roles")
    create, update = handlers["AWS::IAM::Role"]["create"], handlers["AWS::IAM::Role"]["update"]

    def create_bounded(logical_id: str, properties: Any, stack_name: str) -> Any:
        name, attributes = create(logical_id, properties, stack_name)
        iam._roles[name]["PermissionsBoundary"] = properties.get("PermissionsBoundary")
        return name, attributes

    def update_bounded(physical_id: str, old: Any, new: Any, *args: Any, **kwargs: Any) -> Any:
        result = update(physical_id, old, new, *args, **kwargs)
        iam._roles[physical_id]["PermissionsBoundary"] = new.get("PermissionsBoundary")
        return result

    handlers["AWS::IAM::Role"] |= {"create": create_bounded, "update": update_bounded}


def is_allowed(role_arn: str, action: str, resource_arn: str) -> bool:
    """Whether a role's policies and boundary allow an action. Trust and resource policies are not checked."""
    fields = role_arn.split(":")
    account, name = fields[_ACCOUNT_FIELD], role_arn.rsplit("/", 1)[-1]
    context = iam_evaluator.EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=resource_arn.split(":")[_REGION_FIELD] if resource_arn.count(":") > _REGION_FIELD else "",
    )
    policies = iam_evaluator._gather_role_policies(name, account)
    limits = iam_evaluator._permissions_boundary(iam._roles, name, account)
    return bool(iam_evaluator.evaluate(context, policies, *limits).decision == "Allow")


def role_of_execution() -> str:
    """ARN of the role of the state machine that this thread works for; empty outside of executions."""
    return _role_arn.get()


def _enforce_state_machine_roles() -> None:
    """Without this patch a role without any policy may invoke everything."""
    for name in ("_gather_role_policies", "_permissions_boundary", "evaluate", "EvalContext"):
        need(iam_evaluator, name, "roles of Step Functions")
    run = need(stepfunctions, "_run_execution", "roles of Step Functions")
    invoke = need(stepfunctions, "_invoke_resource", "roles of Step Functions")
    error = need(stepfunctions, "_ExecutionError", "roles of Step Functions")

    def run_with_role(execution_arn: str) -> Any:
        execution = stepfunctions._executions.get(execution_arn) or {}
        machine = stepfunctions._state_machines.get(execution.get("stateMachineArn")) or {}
        _role_arn.set(machine.get("roleArn", ""))
        return run(execution_arn)

    def invoke_if_allowed(resource: str, data: Any) -> Any:
        wanted = _action_of(resource, data)
        role = role_of_execution()
        if wanted and role and not is_allowed(role, *wanted):
            action, target = wanted
            raise error(
                f"{action.split(':')[0].capitalize()}.AccessDeniedException",
                f"User: {role} is not authorized to perform: {action} on resource: {target}",
            )
        return invoke(resource, data)

    stepfunctions._run_execution = run_with_role
    stepfunctions._invoke_resource = invoke_if_allowed


def _action_of(resource: str, data: Any) -> tuple[str, str] | None:
    """The IAM action and resource of a task; None for a task that is not checked."""
    if "states:::lambda:invoke" in resource:
        return "lambda:InvokeFunction", str(data.get("FunctionName", ""))
    if ":lambda:" in resource and ":function:" in resource:
        return "lambda:InvokeFunction", resource
    if "states:::states:startExecution" in resource:
        return "states:StartExecution", str(data.get("StateMachineArn", ""))
    if "states:::batch:submitJob" in resource:
        return "batch:SubmitJob", str(data.get("JobDefinition", ""))
    return None


def _enforce_scheduler_roles() -> None:
    """Without this patch a schedule's role needs no right to start its target."""
    invoke = need(eventbridge, "_invoke_target", "roles of Scheduler")

    def invoke_if_allowed(target: dict[str, Any], event: dict[str, Any], rule: Any, view: Any = None) -> Any:
        arn, role = target.get("Arn", ""), target.get("RoleArn", "")
        if ":states:" in arn and role and not is_allowed(role, "states:StartExecution", arn):
            eventbridge.logger.error("AccessDenied: %s may not perform states:StartExecution on %s", role, arn)
            return None
        return invoke(target, event, rule, view)

    eventbridge._invoke_target = invoke_if_allowed
