"""The account that is looked at, and what a check says of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

_EMPTY = ("ROLLBACK_COMPLETE", "DELETE_COMPLETE")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check found, or what to do, in one sentence.

    Attributes:
        passed: Whether the thing is as it must be.
        said: The sentence.
        later: Not passed, but only for want of a deployment, which comes next: no fault.
    """

    passed: bool
    said: str
    later: bool = False


def passed(said: str) -> Verdict:
    """All is well; what was found."""
    return Verdict(passed=True, said=said)


def to_do(said: str) -> Verdict:
    """Something is to be done; what."""
    return Verdict(passed=False, said=said)


def after_deployment() -> Verdict:
    """The thing comes with the deployment."""
    return Verdict(passed=False, later=True, said="comes with `make deploy`")


class Account:
    """The AWS account of a session, and a stack's names in it.

    Attributes:
        bucket: The write bucket: what was given, else that of the deployed stack, else the default of its stage.
    """

    def __init__(self, session: Any, stage: str, bucket: str = "") -> None:
        self.session, self.stage = session, stage
        self.stack = f"spotlake-azure-{stage}"
        self._bucket = bucket

    @property
    def region(self) -> str:
        """Of the session; empty when there is none."""
        return str(self.session.region_name or "")

    @property
    def bucket(self) -> str:
        """See the class."""
        return self._bucket or self.outputs.get("WriteBucket", f"spotlake-{self.stage}")

    @property
    def is_deployed(self) -> bool:
        """Whether the stack is there and whole."""
        return bool(self.outputs)

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return self.session.client(service)

    @functools.cached_property
    def outputs(self) -> dict[str, str]:
        """Of the stack; none while it is not there or not whole."""
        try:
            (found,) = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":  # "does not exist"
                return {}
            raise
        if not found["StackStatus"].endswith("COMPLETE") or found["StackStatus"] in _EMPTY:
            return {}
        return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}

    def named(self, kind: str) -> list[str]:
        """Physical names of the stack's resources of a type."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        listed = [one for page in pages for one in page["StackResourceSummaries"]]
        return [one["PhysicalResourceId"] for one in listed if one["ResourceType"] == kind]
