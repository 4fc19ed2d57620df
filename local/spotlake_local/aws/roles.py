"""Sessions of the stack's roles on the emulated AWS, to see what the roles may do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from spotlake.errors import InvalidInputError
from spotlake_local.aws.launcher import ACCOUNT, EmulatedAws

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_sts.client import STSClient

_ROOT_MAY_ASSUME = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}


def function_roles(aws: EmulatedAws) -> dict[str, str]:
    """ARNs of the roles of all Lambda functions, by the last part of the function's name (``sps``)."""
    functions = cast("LambdaClient", aws.client("lambda")).list_functions()["Functions"]
    return {one["FunctionName"].rsplit("-", 1)[-1]: one["Role"] for one in functions}


def role_of_function(aws: EmulatedAws, function: str) -> str:
    """The ARN of a function's role. Raises InvalidInputError that lists the functions."""
    known = function_roles(aws)
    if function not in known:
        raise InvalidInputError("--role", function, f"a function of the stack: {', '.join(sorted(known))}")
    return known[function]


def credentials_of_role(aws: EmulatedAws, role_arn: str) -> dict[str, str]:
    """A session of a role, as environment variables (AWS_ACCESS_KEY_ID, ...).

    Roles trust only services. So this role trusts the root user for a moment; its rights do not change.
    """
    iam, sts = cast("IAMClient", aws.client("iam")), cast("STSClient", aws.client("sts"))
    name = role_arn.rsplit("/", 1)[-1]
    usual: object = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(_ROOT_MAY_ASSUME))
    try:
        given = sts.assume_role(RoleArn=role_arn, RoleSessionName="local")["Credentials"]
    finally:
        document = usual if isinstance(usual, str) else json.dumps(usual)
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }
