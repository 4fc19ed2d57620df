"""What ``spotlake doctor --aws`` asks: each check reads one thing and says "passed" or what to do, in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_LEAST = 6  # the rule that the CDK writes into the template
_SPOT_VCPUS = "L-34B43A08"  # "All Standard Spot Instance Requests" (Service Quotas, read 2026-11)
_VCPUS_LEAST = 4  # setting batch_max_vcpus
_LAMBDAS_LEAST = 200  # three times the default map_concurrency, and room for what else the account runs
_LAMBDAS_A_REGION = 3
_LAMBDA_QUOTA = "L-B99A9384"  # "Concurrent executions" (Service Quotas, read 2026-11)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a thing is as it must be, and one sentence: what was found, or what to do."""

    passed: bool
    said: str


class _Account:
    """The AWS account of a session, and a stack's names in it."""

    def __init__(self, session: Any, stage: str, bucket: str) -> None:
        self.session, self.bucket = session, bucket
        self.stack = f"spotlake-azure-{stage}"

    def client(self, service: str) -> Any:
        return self.session.client(service)

    def has_stack(self) -> bool:
        try:
            (found,) = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        except ClientError:
            return False
        return bool(found["StackStatus"].endswith("COMPLETE") and found["StackStatus"] != "ROLLBACK_COMPLETE")


def check_all(session: Any, *, stage: str, bucket: str) -> Iterator[tuple[str, Verdict]]:
    """Name and verdict of every check, as each is made; without a sign-in only the first."""
    account = _Account(session, stage, bucket)
    for name, check in _CHECKS:
        verdict = _asked(check, account)
        yield name, verdict
        if check is _identity and not verdict.passed:
            return


def _asked(check: Callable[[_Account], Verdict], account: _Account) -> Verdict:
    try:
        return check(account)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return _to_do(f"AWS answered {code}: has this sign-in the right to look ({error.operation_name})?")
    except BotoCoreError as error:
        return _to_do(
            f"AWS could not be asked ({type(error).__name__}): sign in with `aws configure sso`, set a region"
        )


def _passed(said: str) -> Verdict:
    return Verdict(passed=True, said=said)


def _to_do(said: str) -> Verdict:
    return Verdict(passed=False, said=said)


def _identity(account: _Account) -> Verdict:
    region = account.session.region_name
    if not region:
        return _to_do("no region: set AWS_DEFAULT_REGION, or `region` of the profile")
    return _passed(f"{account.client('sts').get_caller_identity()['Arn']} in {region}")


def _bootstrap(account: _Account) -> Verdict:
    try:
        version = int(account.client("ssm").get_parameter(Name=_BOOTSTRAP_PARAMETER)["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return _to_do("this account and region are not prepared for the CDK: `make bootstrap`")
    if version < _BOOTSTRAP_LEAST:
        return _to_do(f"the CDK's bootstrap is of version {version}, {_BOOTSTRAP_LEAST} is needed: `make bootstrap`")
    return _passed(f"version {version}")


def _bucket(account: _Account) -> Verdict:
    try:
        account.client("s3").head_bucket(Bucket=account.bucket)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            return _passed(f"{account.bucket} is free")
        return _to_do(f"{account.bucket} belongs to somebody else ({status}): choose another with -c write_bucket=NAME")
    kept = "" if account.has_stack() else "; `make deploy` adopts it"
    return _passed(f"{account.bucket} is yours{kept}")


def side_by_side(quota: int) -> int:
    """The ``map_concurrency`` that takes half of an account's Lambdas, so that what else runs has the other half."""
    return max(1, quota // (2 * _LAMBDAS_A_REGION))


def _lambdas(account: _Account) -> Verdict:
    most = account.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if most < _LAMBDAS_LEAST:
        return _to_do(
            f"only {most} Lambdas at once: deploy with -c map_concurrency={side_by_side(most)}, or ask for quota "
            f"{_LAMBDA_QUOTA}"
        )
    return _passed(f"{most} Lambdas at once")


def _vcpus(account: _Account) -> Verdict:
    quota = account.client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=_SPOT_VCPUS)
    vcpus = int(quota["Quota"]["Value"])
    if vcpus < _VCPUS_LEAST:
        return _to_do(f"{vcpus} vCPUs of spot machines, {_VCPUS_LEAST} are needed: ask for quota {_SPOT_VCPUS}")
    return _passed(f"{vcpus} vCPUs of spot machines")


def _image(account: _Account) -> Verdict:
    name = f"{account.stack}-full-run"
    try:
        account.client("ecr").describe_images(repositoryName=name, imageIds=[{"imageTag": "latest"}])
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ImageNotFoundException", "RepositoryNotFoundException"):
            raise
        return _to_do("full runs have no image: `make image` (after `make deploy`)")
    return _passed(f"{name}:latest")


def _mail(account: _Account) -> Verdict:
    found = account.client("sns").list_subscriptions()["Subscriptions"]
    ours = [one for one in found if account.stack in one["TopicArn"]]
    if not ours:
        return _to_do("nobody is told of faults: deploy with -c alert_email=ADDRESS")
    waiting = [one["Endpoint"] for one in ours if one["SubscriptionArn"] == "PendingConfirmation"]
    if waiting:
        return _to_do(f"{waiting[0]} has not confirmed: open the link in the mail from SNS")
    return _passed(", ".join(one["Endpoint"] for one in ours))


def _schedule(account: _Account) -> Verdict:
    try:
        state = account.client("scheduler").get_schedule(Name=f"{account.stack}-schedule")["State"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return _to_do("the stack is not deployed: `make deploy`")
    if state != "ENABLED":
        return _to_do("nothing runs by itself: deploy with -c schedule_enabled=true")
    return _passed("on")


_CHECKS: tuple[tuple[str, Callable[[_Account], Verdict]], ...] = (
    ("identity, region", _identity),
    ("bootstrap", _bootstrap),
    ("bucket", _bucket),
    ("Lambda quota", _lambdas),
    ("spot vCPU quota", _vcpus),
    ("image", _image),
    ("mail", _mail),
    ("schedule", _schedule),
)
