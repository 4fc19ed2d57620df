"""Executions of the state machine, as far as a claim has to know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from spotlake.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient


def is_running(client: SFNClient, arn: str) -> bool:
    """Whether an execution still runs; one that nobody remembers does not.

    Raises:
        StoreError: It cannot be told now; Step Functions tries Plan again.
    """
    try:
        return client.describe_execution(executionArn=arn)["status"] == "RUNNING"
    except client.exceptions.ExecutionDoesNotExist:
        return False
    except (ClientError, BotoCoreError) as error:
        raise StoreError(f"cannot tell whether {arn} still runs: {type(error).__name__}") from error
