"""What ``spotlake doctor --aws`` asks: each check reads one thing and says "passed" or what to do, in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from spotlake_local.aws_doctor.account import Account, Verdict, to_do
from spotlake_local.aws_doctor.after import AFTER
from spotlake_local.aws_doctor.before import BEFORE, identity

CHECKS: tuple[tuple[str, Callable[[Account], Verdict]], ...] = (*BEFORE, *AFTER)


def check_all(session: Any, *, stage: str, bucket: str = "") -> Iterator[tuple[str, Verdict]]:
    """Name and verdict of every check, as each is made; without a sign-in only the first."""
    account = Account(session, stage, bucket)
    for name, check in CHECKS:
        verdict = _asked(check, account)
        yield name, verdict
        if check is identity and not verdict.passed:
            return


def _asked(check: Callable[[Account], Verdict], account: Account) -> Verdict:
    try:
        return check(account)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return to_do(f"AWS answered {code}: has this sign-in the right to look ({error.operation_name})?")
    except BotoCoreError as error:
        return to_do(f"AWS could not be asked ({type(error).__name__}): sign in with `aws configure sso`, set a region")
