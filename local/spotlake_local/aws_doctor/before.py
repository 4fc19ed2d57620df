"""Checks of an account before the first deployment."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from spotlake_local.aws_doctor.account import Account, Verdict, passed, to_do
from spotlake_local.workspace import ROOT

MACHINE_FILE = ROOT / "statemachine/collector.asl.json"
_BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_LEAST = 6  # the rule that the CDK writes into the template
_SPOT_VCPUS = "L-34B43A08"  # "All Standard Spot Instance Requests" (Service Quotas, read 2026-11)
_VCPUS_LEAST = 4  # setting batch_max_vcpus
_LAMBDAS_LEAST = 200  # three times the default map_concurrency, and room for other code of the account
_LAMBDAS_A_REGION = 3
_LAMBDA_QUOTA = "L-B99A9384"  # "Concurrent executions" (Service Quotas, read 2026-11)
# Families that Batch chooses from for default_arm64 and default_x86_64 (AWS Batch user guide, "Compute resource", read
# 2026-11).
_FAMILIES = {"default_arm64": ("m6g", "c6g", "r6g", "c7g"), "default_x86_64": ("m6i", "c6i", "r6i", "c7i")}


def identity(account: Account) -> Verdict:
    """Check the caller's identity and region."""
    if not account.region:
        return to_do("no region: set AWS_DEFAULT_REGION, or `region` of the profile")
    return passed(f"{account.client('sts').get_caller_identity()['Arn']} in {account.region}")


def _bootstrap(account: Account) -> Verdict:
    try:
        version = int(account.client("ssm").get_parameter(Name=_BOOTSTRAP_PARAMETER)["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return to_do("this account and region are not prepared for the CDK: `make bootstrap`")
    if version < _BOOTSTRAP_LEAST:
        return to_do(f"the CDK's bootstrap is of version {version}, {_BOOTSTRAP_LEAST} is needed: `make bootstrap`")
    return passed(f"version {version}")


def _bucket(account: Account) -> Verdict:
    try:
        account.client("s3").head_bucket(Bucket=account.bucket)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            return passed(f"{account.bucket} is free")
        return to_do(f"{account.bucket} belongs to somebody else ({status}): choose another with -c write_bucket=NAME")
    kept = "" if account.is_deployed else "; `make deploy` adopts it"
    return passed(f"{account.bucket} is yours{kept}")


def _tables(account: Account) -> Verdict:
    """Check the tables: those of a stack exist; before a deployment, tables of these names must fit the code."""
    client = account.client("dynamodb")
    kept = {f"azure-{account.stage}": ["InstanceType", "Workload"], f"{account.stack}-control": ["Key", "Sort"]}
    names = account.named("AWS::DynamoDB::Table") if account.is_deployed else list(kept)
    there = []
    for name in names:
        try:
            table = client.describe_table(TableName=name)["Table"]
        except client.exceptions.ResourceNotFoundException:
            if account.is_deployed:
                return to_do(f"table {name} is gone: restore it from a backup under this name")
            continue
        if [one["AttributeName"] for one in table["KeySchema"]] != kept.get(name, ["InstanceType", "Workload"]):
            return to_do(f"table {name} is another's, by its keys: choose another with -c workload_table=NAME")
        there.append(name)
    if account.is_deployed:
        return passed(", ".join(there))
    return passed(f"{', '.join(there)} stayed; `make deploy` adopts them" if there else "their names are free")


def side_by_side(quota: int) -> int:
    """The ``map_concurrency`` that uses half of an account's Lambdas, and leaves the other half to other code."""
    return max(1, quota // (2 * _LAMBDAS_A_REGION))


def _lambdas(account: Account) -> Verdict:
    most = account.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if most < _LAMBDAS_LEAST:
        return to_do(
            f"only {most} Lambdas at once: deploy with -c map_concurrency={side_by_side(most)}, or ask for quota "
            f"{_LAMBDA_QUOTA}"
        )
    return passed(f"{most} Lambdas at once")


def _vcpus(account: Account) -> Verdict:
    quota = account.client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=_SPOT_VCPUS)
    vcpus = int(quota["Quota"]["Value"])
    if vcpus < _VCPUS_LEAST:
        return to_do(f"{vcpus} vCPUs of spot machines, {_VCPUS_LEAST} are needed: ask for quota {_SPOT_VCPUS}")
    return passed(f"{vcpus} vCPUs of spot machines")


def _families(account: Account) -> Verdict:
    """Whether the region has a family that the compute environment may take."""
    found = account.client("batch").describe_compute_environments(computeEnvironments=[f"{account.stack}-compute-env"])[
        "computeEnvironments"
    ]
    kinds = found[0]["computeResources"]["instanceTypes"] if found else ["default_arm64"]
    families = [family for kind in kinds for family in _FAMILIES.get(kind, (kind,))]
    asked: Any = [{"Name": "instance-type", "Values": [f"{family}.*" for family in families]}]
    pages = account.client("ec2").get_paginator("describe_instance_type_offerings").paginate(Filters=asked)
    offered = {one["InstanceType"].partition(".")[0] for page in pages for one in page["InstanceTypeOfferings"]}
    usable = [family for family in families if family in offered]
    if not usable:
        other = "arm64" if kinds == ["default_x86_64"] else "x86_64"
        return to_do(f"{account.region} has none of {', '.join(families)}: deploy with -c architecture={other}")
    return passed(", ".join(usable))


def _machine(account: Account) -> Verdict:
    """Check the state machine of this checkout with Step Functions, before CloudFormation makes it."""
    text = MACHINE_FILE.read_text(encoding="utf-8")
    text = text.replace('"${FullRunExits}"', "{}").replace('"${MapChildren}"', '"EXPRESS"')
    text = re.sub(r'"\$\{\w+AtOnce\}"', "1", text)
    arn = f"arn:aws:lambda:{account.region}:000000000000:function:any"
    text = re.sub(r"\$\{\w+FunctionArn\}", arn, text)
    text = re.sub(r"\$\{\w+Arn\}", f"arn:aws:batch:{account.region}:000000000000:job-queue/any", text)
    answer = account.client("stepfunctions").validate_state_machine_definition(definition=text, type="STANDARD")
    if answer["result"] != "OK":
        told = "; ".join(f"{one.get('location', '')} {one['message']}".strip() for one in answer["diagnostics"])
        return to_do(f"Step Functions refuses {MACHINE_FILE.name}, so `make deploy` would fail: {told[:300]}")
    return passed("accepted by Step Functions")


BEFORE: tuple[tuple[str, Callable[[Account], Verdict]], ...] = (
    ("identity, region", identity),
    ("bootstrap", _bootstrap),
    ("bucket", _bucket),
    ("tables", _tables),
    ("Lambda quota", _lambdas),
    ("spot vCPU quota", _vcpus),
    ("machine families", _families),
    ("state machine", _machine),
)
