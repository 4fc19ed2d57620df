"""The state machine, from ``statemachine/collector.asl.json`` and its placeholders."""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.constructs.full_run_job import FullRunJob
from cdk.constructs.functions import ROOT, Functions, retention
from cdk.constructs.isolation import own_service
from cdk.settings import StackSettings
from spotlake.usecases.full_run.exit_codes import failures_by_exit_code

DEFINITION = ROOT / "statemachine/collector.asl.json"
MAP_LABEL = "regions"  # of CollectRegions; it stands in the names of the Map's children


class Workflow(Construct):
    """A Standard state machine: a failed run can be redriven."""

    def __init__(
        self, scope: Construct, name: str, *, settings: StackSettings, functions: Functions, job: FullRunJob
    ) -> None:
        super().__init__(scope, name)
        machine_name = self.machine_name = f"{settings.stack_name}-collector"
        self.role = iam.Role(self, "Role", assumed_by=own_service(self, "states.amazonaws.com"))
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=machine_name,
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_string(definition(settings)),
            definition_substitutions=substitutions(functions, job),
            role=self.role,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Log",
                    log_group_name=f"/aws/vendedlogs/states/{machine_name}",
                    retention=retention(settings.log_retention_days),
                    removal_policy=cdk.RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )


def definition(settings: StackSettings) -> str:
    """The state machine's file with numbers, a table and a word filled in. CloudFormation substitutes only texts."""
    text = DEFINITION.read_text(encoding="utf-8")
    # All groups together collect at most ``map_concurrency`` regions side by side.
    groups_at_once = min(settings.running.region_groups, settings.map_concurrency)
    filled = {
        "FullRunExits": failures_by_exit_code(),
        "GroupsAtOnce": groups_at_once,
        "RegionsAtOnce": settings.map_concurrency // groups_at_once,
        "MapChildren": settings.map_children,
    }
    for name, value in filled.items():
        text = text.replace(f'"${{{name}}}"', json.dumps(value, sort_keys=True))
    return text


def substitutions(functions: Functions, job: FullRunJob) -> dict[str, str]:
    """Placeholder -> value. A test compares them with the file."""
    arns = {f"{name.capitalize()}FunctionArn": one.function_arn for name, one in functions.by_name.items()}
    return {
        **arns,
        "JobQueueArn": job.queue.job_queue_arn,
        "JobDefinitionArn": job.definition.job_definition_arn,
    }
