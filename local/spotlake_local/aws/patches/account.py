"""More of an account: quotas, machine families, validation of state machines, builds that push an image.

With the SSM parameter ``/emulated-account`` (JSON) a test limits the account: ``{"spot_vcpus": 0}``,
``{"families": []}``, ``{"lambdas": 10}``, ``{"build": "FAILED"}``.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import responses
from ministack.services import cloudwatch_logs, codebuild, ec2, ecr, lambda_svc, ssm, stepfunctions

from spotlake_local.aws.patches import need
from spotlake_local.aws.patches.iam import is_allowed
from spotlake_local.workspace import ROOT

ACCOUNT_PARAMETER = "/emulated-account"
_RICH: dict[str, Any] = {
    "spot_vcpus": 64,
    "lambdas": 1000,
    "families": ["m6g", "c6g", "r6g", "c7g", "m6i", "c6i", "r6i", "c7i"],
}
_MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}


def install() -> None:
    """Without this patch these five are unknown, always succeed, or do nothing."""
    need(app, "SERVICE_HANDLERS", "service quotas")["servicequotas"] = _service_quotas
    need(ec2, "_ACTION_MAP", "families of a region")["DescribeInstanceTypeOfferings"] = _offerings
    need(ssm, "_parameters", "the account's switch")
    need(stepfunctions, "_validate_state_machine_definition", "a judge of state machines")
    stepfunctions._validate_state_machine_definition = _validate
    settings = need(lambda_svc, "_get_account_settings", "Lambda quota")
    lambda_svc._get_account_settings = lambda: _lambda_settings(settings())
    start = need(codebuild, "_start_build", "builds")
    need(ecr, "_put_image", "builds")
    codebuild._start_build = lambda data: _built(start(data))


def _account() -> dict[str, Any]:
    found = ssm._parameters.get(ACCOUNT_PARAMETER)
    return {**_RICH, **(json.loads(found["Value"]) if found else {})}


async def _service_quotas(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    del method, path, headers, query
    asked = json.loads(body)
    quota = {"QuotaCode": asked["QuotaCode"], "ServiceCode": asked["ServiceCode"], "Value": _account()["spot_vcpus"]}
    return responses.json_response({"Quota": quota})


def _offerings(parameters: Any) -> Any:
    del parameters
    items = "".join(
        f"<item><instanceType>{family}.{size}</instanceType><locationType>region</locationType>"
        f"<location>{responses.get_region()}</location></item>"
        for family in _account()["families"]
        for size in ("medium", "large")
    )
    inner = f"<instanceTypeOfferingSet>{items}</instanceTypeOfferingSet>"
    return ec2._xml(200, "DescribeInstanceTypeOfferingsResponse", inner)


def _lambda_settings(answer: Any) -> Any:
    status, headers, body = answer
    content = json.loads(body)
    content["AccountLimit"]["ConcurrentExecutions"] = _account()["lambdas"]
    return status, headers, json.dumps(content).encode()


def _validate(data: dict[str, Any]) -> Any:
    """Uses the validator of the tests, because AWS's own is not available."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "machine.asl.json"
        file.write_text(data["definition"], encoding="utf-8")
        words = [str(ROOT / "node_modules/.bin/asl-validator"), "--json-path", str(file)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return responses.json_response({"result": "OK", "diagnostics": []})
    diagnostic = {"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": (done.stdout + done.stderr)[:500]}
    return responses.json_response({"result": "FAIL", "diagnostics": [diagnostic]})


def _built(answer: Any) -> Any:
    """A finished build. Nothing is built, but an image exists if the project's role may push it."""
    status, headers, body = answer
    if status != 200:
        return answer
    build = codebuild._builds[json.loads(body)["build"]["id"]]
    role = codebuild._projects[build["projectName"]]["serviceRole"]
    given = {one["name"]: one["value"] for one in build["environment"].get("environmentVariables", ())}
    name = given["REPOSITORY"].partition("/")[2]
    repository = f"arn:aws:ecr:{responses.get_region()}:{responses.get_account_id()}:repository/{name}"
    lines = ["[emulated] no container engine: nothing is built"]
    if _account().get("build") == "FAILED" or not is_allowed(role, "ecr:PutImage", repository):
        lines.append(f"denied: {role} may not push to {repository}")
        context = {"statusCode": "COMMAND_EXECUTION_ERROR", "message": lines[-1]}
        failed = next(one for one in build["phases"] if one["phaseType"] == "BUILD")
        failed.update(phaseStatus="FAILED", contexts=[context])
        build["buildStatus"] = "FAILED"
    else:
        manifest = json.dumps({**_MANIFEST, "config": {"digest": given["TAG"]}})
        ecr._put_image({"repositoryName": name, "imageTag": given["TAG"], "imageManifest": manifest})
        lines.append(f"pushed {given['REPOSITORY']}:{given['TAG']}")
    place = {"logGroupName": build["logs"]["groupName"], "logStreamName": build["logs"]["streamName"]}
    cloudwatch_logs._create_log_group({"logGroupName": place["logGroupName"]})
    cloudwatch_logs._create_log_stream(place)
    now_ms = int(time.time() * 1000)
    events = [{"timestamp": now_ms, "message": line} for line in lines]
    cloudwatch_logs._put_log_events({**place, "logEvents": events})
    return status, headers, json.dumps({"build": build}).encode()
