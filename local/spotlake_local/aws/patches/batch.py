"""Batch jobs that run: the job definition's command as a process, with the job role's credentials.

Done: command with parameters, environment, job role (IAM enforced), log group, retry strategy with
``evaluateOnExit``, attempt time-out, TerminateJob, a spot reclaim on request, and ``submitJob(.sync)`` of
Step Functions. Not done: array jobs, dependencies, limits of vCPU and memory.
"""

from __future__ import annotations

import contextvars
import copy
import fnmatch
import hashlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.services import batch, cloudwatch_logs, stepfunctions, sts

from spotlake_local.aws.patches import PatchOptions, need
from spotlake_local.aws.patches.batch_resources import lower_camel

RECLAIM_PATH = "/v1/reclaimjob"  # ours: {"jobId", "graceSeconds"}: the host of the job's attempt is taken away
RECLAIM_REASON = "Host EC2 (instance i-0123456789abcdef0) terminated."
_STOPPED_EXIT_CODES = {signal.SIGTERM: 143, signal.SIGKILL: 137}
_NOT_STARTED_EXIT_CODE = 127  # as a shell has it for a command that is not there
_POLL_SECONDS = 0.05
_running: dict[str, _Attempt] = {}


class _Attempt:
    """One attempt's process, and why it was stopped if it was."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.status_reason = "Essential container in task exited"
        self.terminated = False
        self._timers: list[threading.Timer] = []

    def stop(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL after the grace time."""
        self.process.terminate()
        self._after(grace_seconds, self.process.kill)

    def limit(self, seconds: float) -> None:
        """SIGKILL when the attempt takes longer."""
        self._after(seconds, self._time_out)

    def ended(self) -> int:
        """Wait for the process: its exit code, as a container's would be."""
        code = self.process.wait()
        for timer in self._timers:
            timer.cancel()
        return _STOPPED_EXIT_CODES.get(signal.Signals(-code), 128 - code) if code < 0 else code

    def _time_out(self) -> None:
        self.status_reason = "Job attempt duration exceeded timeout"
        self.process.kill()

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, action)
        timer.daemon = True  # or the emulator could not stop before it has fired
        self._timers.append(timer)
        timer.start()


def install(options: PatchOptions) -> None:
    """Without it a submitted job says SUCCEEDED and does nothing."""
    dispatch = need(batch, "_DISPATCH", "Batch jobs")
    integrations = need(stepfunctions, "_SERVICE_DISPATCH", "Batch jobs")
    for owner, name in ((batch, "_json"), (sts, "register_session"), (cloudwatch_logs, "_put_log_events")):
        need(owner, name, "Batch jobs")
    runner = _Runner(options)
    dispatch["/v1/submitjob"] = runner.submit
    dispatch["/v1/terminatejob"] = _terminate
    dispatch["/v1/canceljob"] = _terminate
    dispatch[RECLAIM_PATH] = _reclaim
    integrations["arn:aws:states:::batch:submitJob"] = runner.run_task
    get_state = batch.get_state
    batch.get_state = lambda: _without_running(get_state)


def _without_running(get_state: Any) -> Any:
    """A state to persist: jobs that run cannot come back."""
    state = get_state()
    for job in list(state["jobs"]._data.values()):
        if job["status"] not in ("SUCCEEDED", "FAILED"):
            job.update(status="FAILED", statusReason="the emulator was stopped")
    return state


class _Runner:
    def __init__(self, options: PatchOptions) -> None:
        self.options = options

    def submit(self, payload: dict[str, Any]) -> Any:
        """SubmitJob: start a thread that runs the attempts."""
        definition = _definition_of(payload.get("jobDefinition", ""))
        queue = batch._job_queues.get(payload.get("jobQueue", "").rsplit("/", 1)[-1])
        if definition is None or queue is None:
            missing = "job definition" if definition is None else "job queue"
            return responses.error_response_json("ClientException", f"{missing} does not exist", 400)
        job_id = responses.new_uuid()
        now = int(time.time() * 1000)
        job = {
            "jobId": job_id,
            "jobArn": batch._job_arn(job_id),
            "jobName": payload.get("jobName", ""),
            "jobQueue": queue["jobQueueArn"],
            "jobDefinition": definition["jobDefinitionArn"],
            "status": "STARTING",
            "statusReason": "",
            "createdAt": now,
            "startedAt": now,
            "attempts": [],
            "container": {},
            "parameters": {**definition.get("parameters", {}), **payload.get("parameters", {})},
            "tags": payload.get("tags", {}),
        }
        batch._jobs[job_id] = job
        # The thread sees the account and region of the request.
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(self._run, job, definition, payload), daemon=True).start()
        return batch._json(200, {"jobId": job_id, "jobName": job["jobName"], "jobArn": job["jobArn"]})

    def run_task(self, resource: str, arguments: dict[str, Any]) -> Any:
        """The integration of Step Functions: waits for the true result with ``.sync``."""
        status, _, body = self.submit(lower_camel(arguments))
        answer = json.loads(body)
        if status != 200:
            raise stepfunctions._ExecutionError("Batch.ClientException", str(answer.get("message")))
        if ".sync" not in resource:
            return _pascal(answer)
        job = batch._jobs[answer["jobId"]]
        while job["status"] not in ("SUCCEEDED", "FAILED"):
            time.sleep(_POLL_SECONDS)
        result = _pascal(job)
        if job["status"] == "FAILED":
            raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(result))
        return result

    def _run(self, job: dict[str, Any], definition: dict[str, Any], payload: dict[str, Any]) -> None:
        strategy = payload.get("retryStrategy") or definition.get("retryStrategy") or {}
        most = int(strategy.get("attempts", 1))
        job["status"] = "RUNNING"
        for number in range(1, most + 1):
            exit_code, reason, terminated = self._attempt(job, definition, payload, number)
            container = {"exitCode": exit_code, "reason": reason}
            job["attempts"].append({"container": container, "statusReason": reason})
            job["container"] = container
            if exit_code == 0 and not terminated:
                job.update(status="SUCCEEDED", statusReason="Essential container in task exited")
                break
            if terminated or number == most or not _wants_retry(strategy, exit_code, reason):
                job.update(statusReason=reason, stoppedAt=int(time.time() * 1000), status="FAILED")
                break
        job["stoppedAt"] = int(time.time() * 1000)

    def _attempt(
        self, job: dict[str, Any], definition: dict[str, Any], payload: dict[str, Any], number: int
    ) -> tuple[int, str, bool]:
        """Run one attempt: exit code, status reason, whether it was terminated by the user."""
        container = definition["containerProperties"]
        overrides = payload.get("containerOverrides") or {}
        command = [_resolved(word, job["parameters"]) for word in overrides.get("command") or container["command"]]
        if command[0].startswith("python"):
            command[0] = str(self.options.lambda_python)
        environment = self._environment(job, container, overrides, number)
        try:
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/"
            )
        except OSError as error:
            return _NOT_STARTED_EXIT_CODE, f"CannotStartContainerError: {error}", False
        attempt = _running[job["jobId"]] = _Attempt(process)
        if timeout := (payload.get("timeout") or definition.get("timeout") or {}).get("attemptDurationSeconds"):
            attempt.limit(float(timeout))
        _write_log(container, job["jobId"], process)
        exit_code = attempt.ended()
        del _running[job["jobId"]]
        return exit_code, attempt.status_reason, attempt.terminated

    def _environment(
        self, job: dict[str, Any], container: dict[str, Any], overrides: dict[str, Any], number: int
    ) -> dict[str, str]:
        listed = [*container.get("environment", []), *overrides.get("environment", [])]
        region = responses.get_region()
        return {
            "PATH": os.environ.get("PATH", ""),
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108 - the run's own folder
            **{one["name"]: one["value"] for one in listed},
            "PYTHONPATH": os.pathsep.join(map(str, self.options.job_python_path)),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",  # the folders are the checkout's own
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.options.endpoint_url,
            "AWS_BATCH_JOB_ID": job["jobId"],
            "AWS_BATCH_JOB_ATTEMPT": str(number),
            "AWS_BATCH_JQ_NAME": job["jobQueue"].rsplit("/", 1)[-1],
            **_credentials(container.get("jobRoleArn", ""), job["jobId"]),
        }


def _definition_of(reference: str) -> dict[str, Any] | None:
    """The definition that an ARN, ``name:revision`` or name means; active ones only."""
    name, _, revision = reference.rsplit("/", 1)[-1].partition(":")
    active = [one for one in batch._job_definitions.get(name, []) if one["status"] == "ACTIVE"]
    if revision:
        active = [one for one in active if one["revision"] == int(revision)]
    return active[-1] if active else None


def _resolved(word: str, parameters: dict[str, str]) -> str:
    return parameters.get(word[5:], word) if word.startswith("Ref::") else word


def _credentials(role_arn: str, job_id: str) -> dict[str, str]:
    """A session of the job role, as the instance's credentials endpoint would give it; none without a role."""
    if not role_arn:
        return {}
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    digest = hashlib.sha256(f"{role_arn}:{job_id}".encode()).hexdigest()
    key, secret, token = f"ASIA{digest[:16].upper()}", f"secret{digest}", f"token{digest}"
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{job_id}",
        "UserId": f"{name}:{job_id}",
        "SecretAccessKey": secret,
        "SessionToken": token,
    }
    sts.register_session(key, session)
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


def _write_log(container: dict[str, Any], job_id: str, process: subprocess.Popen[str]) -> None:
    """The process's output, line by line, into the definition's log group."""
    options = container.get("logConfiguration", {}).get("options", {})
    group = options.get("awslogs-group", "/aws/batch/job")
    stream = f"{options.get('awslogs-stream-prefix', 'job')}/default/{job_id}"
    cloudwatch_logs._create_log_group({"logGroupName": group})  # fine when it exists
    cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    for line in process.stdout or ():
        event = {"timestamp": int(time.time() * 1000), "message": line.rstrip("\n")}
        cloudwatch_logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": [event]})


def _wants_retry(strategy: dict[str, Any], exit_code: int, reason: str) -> bool:
    """The first rule all of whose patterns fit decides; a strategy without rules retries."""
    rules = strategy.get("evaluateOnExit") or []
    for rule in rules:
        facts = (("onExitCode", str(exit_code)), ("onStatusReason", reason), ("onReason", reason))
        if all(fnmatch.fnmatchcase(fact, rule[name]) for name, fact in facts if name in rule):
            return str(rule["action"]).upper() == "RETRY"
    return True


def _terminate(payload: dict[str, Any]) -> Any:
    """TerminateJob: SIGTERM, then SIGKILL; no further attempt."""
    attempt = _running.get(payload.get("jobId", ""))
    if attempt:
        attempt.terminated, attempt.status_reason = True, str(payload.get("reason", "terminated"))
        attempt.stop(grace_seconds=30.0)
    return batch._json(200, {})


def _reclaim(payload: dict[str, Any]) -> Any:
    """The spot host is taken away: SIGTERM (unless the grace is 0), SIGKILL after it, reason "Host EC2 ..."."""
    attempt = _running.get(payload.get("jobId", ""))
    if attempt:
        attempt.status_reason = RECLAIM_REASON
        grace = float(payload.get("graceSeconds", 0.0))
        if grace:
            attempt.stop(grace)
        else:
            attempt.process.kill()
    return batch._json(200, {"stopped": attempt is not None})


def _pascal(value: Any) -> Any:
    """The API's spelling to Step Functions' one."""
    if isinstance(value, list):
        return [_pascal(one) for one in value]
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: _pascal(one) for key, one in copy.deepcopy(value).items()}
    return value
