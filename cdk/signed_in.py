"""``python -m cdk.signed_in``: checks whether this shell is signed in to AWS."""

from __future__ import annotations

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_WAY_OUT = (
    "sign in first: `aws configure sso`, then `export AWS_PROFILE=...`; `aws sts get-caller-identity` shows who you are"
)


def main() -> int:
    """Return 0 when AWS knows the caller; else print what to do, and return 1."""
    config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    try:
        boto3.client("sts", region_name=boto3.Session().region_name or "us-east-1", config=config).get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        sys.stderr.write(f"no AWS credentials that count ({type(error).__name__}): {_WAY_OUT}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
