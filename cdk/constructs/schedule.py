"""The schedule: every ten minutes, with the scheduled time in the input; off until asked for."""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.constructs.isolation import own_service
from cdk.settings import StackSettings

# A start that is nearly a slot late is of no use: the next one is about to come.
_MAXIMUM_AGE_SECONDS = 540
_RETRY_ATTEMPTS = 1


class Schedule(Construct):
    """EventBridge Scheduler's schedule, its role and its dead letters."""

    def __init__(self, scope: Construct, name: str, *, settings: StackSettings, machine: sfn.StateMachine) -> None:
        super().__init__(scope, name)
        self.dead_letters = sqs.Queue(self, "DeadLetters", enforce_ssl=True, retention_period=cdk.Duration.days(14))
        self.role = iam.Role(self, "Role", assumed_by=own_service(self, "scheduler.amazonaws.com"))
        machine.grant_start_execution(self.role)
        self.dead_letters.grant_send_messages(self.role)
        self.schedule = scheduler.CfnSchedule(
            self,
            "EveryTenMinutes",
            name=f"{settings.stack_name}-schedule",
            schedule_expression=settings.schedule_expression,
            schedule_expression_timezone="UTC",
            state="ENABLED" if settings.schedule_enabled else "DISABLED",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=machine.state_machine_arn,
                role_arn=self.role.role_arn,
                input=json.dumps({"timestamp": "<aws.scheduler.scheduled-time>"}),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=_MAXIMUM_AGE_SECONDS, maximum_retry_attempts=_RETRY_ATTEMPTS
                ),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.dead_letters.queue_arn),
            ),
        )
        self.schedule.node.add_dependency(self.role)
