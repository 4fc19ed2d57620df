"""Looks up executions of the state machine for the claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from spotlake.errors import StoreError
from spotlake.stores.aws_errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient


def is_running(client: SFNClient, arn: str) -> bool:
    """Whether an execution still runs. An execution that Step Functions no longer knows does not run.

    Raises:
        StoreError: Step Functions did not answer; the state machine retries Plan.
    """
    try:
        return client.describe_execution(executionArn=arn)["status"] == "RUNNING"
    except client.exceptions.ExecutionDoesNotExist:
        return False
    except (ClientError, BotoCoreError) as error:
        raise StoreError(f"cannot find out whether {arn} still runs: {code_of(error)}") from error
