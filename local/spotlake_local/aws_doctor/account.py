"""The account to check, and the verdict of a check."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

_EMPTY = ("ROLLBACK_COMPLETE", "DELETE_COMPLETE")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict of a check, in one sentence.

    Attributes:
        passed: Whether the check passed.
        said: What was found, or what to do.
        later: Whether only the next deployment is missing, which is no fault.
    """

    passed: bool
    said: str
    later: bool = False


def passed(said: str) -> Verdict:
    """A passed check, with what was found."""
    return Verdict(passed=True, said=said)


def to_do(said: str) -> Verdict:
    """A failed check, with what to do."""
    return Verdict(passed=False, said=said)


def after_deployment() -> Verdict:
    """A check that the deployment will pass."""
    return Verdict(passed=False, later=True, said="comes with `make deploy`")


class Account:
    """The AWS account of a session, and a stack's names in it.

    Attributes:
        bucket: The write bucket: the given one, else that of the deployed stack, else the default of the stage.
    """

    def __init__(self, session: Any, stage: str, bucket: str = "") -> None:
        self.session, self.stage = session, stage
        self.stack = f"spotlake-azure-{stage}"
        self._bucket = bucket

    @property
    def region(self) -> str:
        """Region of the session; empty when there is none."""
        return str(self.session.region_name or "")

    @property
    def bucket(self) -> str:
        """See the class."""
        return self._bucket or self.outputs.get("WriteBucket", f"spotlake-{self.stage}")

    @property
    def is_deployed(self) -> bool:
        """Whether the stack exists and is complete."""
        return bool(self.outputs)

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return self.session.client(service)

    @functools.cached_property
    def outputs(self) -> dict[str, str]:
        """Outputs of the stack; none while it is missing or incomplete."""
        try:
            (found,) = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":  # "does not exist"
                return {}
            raise
        if not found["StackStatus"].endswith("COMPLETE") or found["StackStatus"] in _EMPTY:
            return {}
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

    def named(self, kind: str) -> list[str]:
        """Physical names of the stack's resources of a type."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        listed = [one for page in pages for one in page["StackResourceSummaries"]]
        return [one["PhysicalResourceId"] for one in listed if one["ResourceType"] == kind]
