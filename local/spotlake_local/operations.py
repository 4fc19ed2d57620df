"""Operations on a deployed stack: pause, resume, run a slot again, replace the secret."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from botocore.exceptions import ClientError

from spotlake.azure.credential_stores import place_of, read_credentials
from spotlake.azure.credentials import AzureCredentials
from spotlake.azure.tokens import TokenSource
from spotlake.errors import ConfigurationError, ConflictError
from spotlake.models import to_iso
from spotlake.settings import Settings

_POLL_SECONDS = 2.0
# What UpdateSchedule would reset if it were not given again (EventBridge Scheduler API, UpdateSchedule, read 2026-11).
_SCHEDULE_FIELDS = (
    "Name", "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "EndDate", "Description",
    "KmsKeyArn", "Target", "FlexibleTimeWindow", "ActionAfterCompletion",
)  # fmt: skip


class Operations:
    """Operations on one deployed stack."""

    def __init__(self, session: Any, stage: str, *, wait: Callable[[float], None] = time.sleep) -> None:
        """Prepare without any request.

        Args:
            session: A boto3 session that is signed in.
            stage: Stage of the stack.
            wait: Waits for the given seconds.
        """
        self._session, self._wait = session, wait
        self.stack = f"spotlake-azure-{stage}"

    def switch_schedule(self, *, on: bool) -> bool:
        """Switch the schedule on or off. Returns whether this changed anything.

        While the schedule is off, the alarm on missing runs sends no mail.

        Raises:
            ConfigurationError: There is no such stack, or its deployment did not switch the schedule on.
        """
        client = self._session.client("scheduler")
        try:
            found = client.get_schedule(Name=f"{self.stack}-schedule")
        except ClientError as error:
            raise self._cannot(error) from None
        state = "ENABLED" if on else "DISABLED"
        if on and found["State"] != state and not self.is_schedule_deployed():
            # Such a stack has no alarm on missing runs.
            raise ConfigurationError(
                f"stack {self.stack} was deployed with schedule_enabled=false, so there is nothing to resume: "
                "`make deploy` with -c schedule_enabled=true"
            )
        kept = {name: found[name] for name in _SCHEDULE_FIELDS if name in found}
        client.update_schedule(**kept, State=state)
        alarms = self._session.client("cloudwatch")
        (alarms.enable_alarm_actions if on else alarms.disable_alarm_actions)(
            AlarmNames=[f"{self.stack}-nocompleterun"]
        )
        return bool(found["State"] != state)

    def is_schedule_deployed(self) -> bool:
        """Whether the last deployment switched the schedule on (setting ``schedule_enabled``), paused since or not.

        Raises:
            ConfigurationError: There is no such stack.
        """
        try:
            body = self._session.client("cloudformation").get_template(StackName=self.stack)["TemplateBody"]
        except ClientError as error:
            raise self._cannot(error) from None
        schedules = [one for one in body["Resources"].values() if one["Type"] == "AWS::Scheduler::Schedule"]
        return any(one["Properties"]["State"] == "ENABLED" for one in schedules)

    def start_again(self, slot_at: datetime, *, past: bool) -> str:
        """Start an execution that collects what a slot lacks. Returns its ARN.

        Raises:
            ConfigurationError: There is no such stack.
        """
        given = {"timestamp": to_iso(slot_at), "resume": True, **({"past": True} if past else {})}
        client = self._session.client("stepfunctions")
        try:
            started = client.start_execution(
                stateMachineArn=self._outputs()["StateMachineArn"], input=orjson.dumps(given).decode()
            )
        except ClientError as error:
            raise self._cannot(error) from None
        return str(started["executionArn"])

    def ended(self, execution_arn: str) -> Mapping[str, Any]:
        """Wait for the end of an execution. Returns it as ``describe_execution`` does."""
        client = self._session.client("stepfunctions")
        while (found := client.describe_execution(executionArn=execution_arn))["status"] == "RUNNING":
            self._wait(_POLL_SECONDS)
        return dict(found)

    def replace_secret(self, secret: str, expires: str = "") -> AzureCredentials:
        """Sign in to Azure with a new secret, and only then put it into the item. Returns who signed in.

        The item also gets the day on which the secret ends; without ``expires`` an older day is removed.

        Raises:
            ConfigurationError: There is no such stack, table or item.
            SignInError: Azure refuses the new secret; the item is as it was.
            ConflictError: Somebody else has changed the item meanwhile.
        """
        settings = self.settings()
        if settings.azure_sign_in != "secret" or settings.auth_store != "table":
            raise ConfigurationError(
                f"this stack signs in with a {settings.azure_sign_in} kept in {place_of(settings)}: renew it there"
            )
        client = self._session.client("dynamodb", region_name=settings.auth_region)
        before = read_credentials(self._session, settings)
        after = replace(before, client_secret=secret)
        TokenSource(
            after, authority_url=settings.azure_authority_url or None, ca_file=settings.azure_ca_file or None
        ).headers()
        try:
            client.update_item(
                TableName=settings.auth_table,
                Key={"id": {"S": settings.auth_item}},
                UpdateExpression="SET #data.#secret = :after"
                + (", #data.#expires = :expires" if expires else " REMOVE #data.#expires"),
                ConditionExpression="#data.#secret = :before",
                ExpressionAttributeNames={
                    "#data": "data",
                    "#secret": "client_secret",
                    "#expires": "secret_expires_at",
                },
                ExpressionAttributeValues={
                    ":after": {"S": secret},
                    ":before": {"S": before.client_secret},
                    **({":expires": {"S": expires}} if expires else {}),
                },
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                raise ConflictError(
                    f"item {settings.auth_item!r} of {settings.auth_table!r} has just changed"
                ) from None
            raise ConfigurationError(f"cannot write table {settings.auth_table!r}: {code}") from None
        return after

    def settings(self) -> Settings:
        """Settings of the running code, from its functions' environment.

        Raises:
            ConfigurationError: There is no such stack.
        """
        try:
            found = self._session.client("lambda").get_function_configuration(FunctionName=f"{self.stack}-plan")
        except ClientError as error:
            raise self._cannot(error) from None
        return Settings.from_environment(found["Environment"]["Variables"])

    def bucket(self) -> str:
        """The write bucket.

        Raises:
            ConfigurationError: There is no such stack.
        """
        return self._outputs()["WriteBucket"]

    def _outputs(self) -> dict[str, str]:
        try:
            (found,) = self._session.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        except ClientError as error:
            raise self._cannot(error) from None
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

    def _cannot(self, error: ClientError) -> ConfigurationError:
        code = error.response["Error"]["Code"]
        if code in ("ResourceNotFoundException", "ValidationError"):
            return ConfigurationError(f"stack {self.stack} is not deployed here: `make deploy`, or give --stage")
        return ConfigurationError(f"stack {self.stack}: AWS answered {code} ({error.operation_name})")
