"""CloudFormation for Batch: compute environments, queues, job definitions."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import batch
from ministack.services.cloudformation import provisioners

from spotlake.errors import StoreError
from spotlake_local.aws.patches import need

_FREE_FORM = frozenset({"Tags", "Parameters", "Options"})  # their keys are the user's own


def install() -> None:
    """Without it a template with ``AWS::Batch::*`` is refused."""
    handlers = need(provisioners, "_RESOURCE_HANDLERS", "CloudFormation for Batch")
    for name in ("_create_compute_environment", "_create_job_queue", "_register_job_definition"):
        need(batch, name, "CloudFormation for Batch")
    handlers["AWS::Batch::ComputeEnvironment"] = {"create": _create_environment, "delete": _delete_environment}
    handlers["AWS::Batch::JobQueue"] = {"create": _create_queue, "delete": _delete_queue}
    handlers["AWS::Batch::JobDefinition"] = {"create": _create_definition, "delete": _delete_definition}


def lower_camel(value: Any) -> Any:
    """CloudFormation's spelling of keys to the API's."""
    if isinstance(value, list):
        return [lower_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key[0].lower() + key[1:]: one if key in _FREE_FORM else lower_camel(one) for key, one in value.items()}


def _body(answer: tuple[int, Any, bytes]) -> dict[str, Any]:
    status, _, body = answer
    content: dict[str, Any] = json.loads(body)
    if status != 200:
        raise StoreError(str(content.get("message", content)))
    return content


def _create_environment(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
    wanted = lower_camel(props)
    wanted.setdefault("computeEnvironmentName", f"{stack_name}-{logical_id}")
    batch._compute_envs.pop(wanted["computeEnvironmentName"], None)  # an update makes it anew
    arn = _body(batch._create_compute_environment(wanted))["computeEnvironmentArn"]
    return arn, {"ComputeEnvironmentArn": arn}


def _delete_environment(physical_id: str, props: dict[str, Any]) -> None:
    del props
    batch._compute_envs.pop(physical_id.rsplit("/", 1)[-1], None)


def _create_queue(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
    wanted = lower_camel(props)
    wanted.setdefault("jobQueueName", f"{stack_name}-{logical_id}")
    batch._job_queues.pop(wanted["jobQueueName"], None)
    arn = _body(batch._create_job_queue(wanted))["jobQueueArn"]
    return arn, {"JobQueueArn": arn}


def _delete_queue(physical_id: str, props: dict[str, Any]) -> None:
    del props
    batch._job_queues.pop(physical_id.rsplit("/", 1)[-1], None)


def _create_definition(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
    wanted = lower_camel(props)
    wanted.setdefault("jobDefinitionName", f"{stack_name}-{logical_id}")
    arn = _body(batch._register_job_definition(wanted))["jobDefinitionArn"]
    # The emulator's record leaves these out.
    record = batch._job_definitions[wanted["jobDefinitionName"]][-1]
    record.update({name: wanted[name] for name in ("retryStrategy", "timeout", "parameters") if name in wanted})
    return arn, {"JobDefinitionArn": arn}


def _delete_definition(physical_id: str, props: dict[str, Any]) -> None:
    del props
    for revisions in batch._job_definitions.values():
        for record in revisions:
            if record["jobDefinitionArn"] == physical_id:
                record["status"] = "INACTIVE"
