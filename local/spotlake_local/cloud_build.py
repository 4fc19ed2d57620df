"""Builds the full run's image with the stack's CodeBuild project, and follows the log to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from spotlake.errors import ConfigurationError

_POLL_SECONDS = 3.0
_ELSE = "install docker or podman here, or deploy with -c image_uri=REPOSITORY:TAG"
# A new account may have few builds, or none (CodeBuild user guide, limits, read 2026-11).
_LIMITED = "AccountLimitExceededException"


@dataclass(frozen=True)
class CloudBuild:
    """One CodeBuild project of a session's account.

    Attributes:
        codebuild, ecr, logs: boto3 clients.
        project: Name of the project.
        say: Prints a line for people.
        wait: Waits for the given seconds.
    """

    codebuild: Any
    ecr: Any
    logs: Any
    project: str
    say: Callable[[str], None] = print
    wait: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, session: Any, project: str) -> CloudBuild:
        """Make the clients of a boto3 session."""
        return cls(session.client("codebuild"), session.client("ecr"), session.client("logs"), project)

    def target(self) -> tuple[str, str]:
        """Repository and tag of the deployed source. Raises ConfigurationError without a project."""
        try:
            found = self.codebuild.batch_get_projects(names=[self.project])["projects"]
        except (ClientError, BotoCoreError) as error:
            raise ConfigurationError(f"CodeBuild project {self.project}: {error}") from None
        if not found:
            raise ConfigurationError(f"there is no CodeBuild project {self.project}: `make deploy` makes it")
        given = {one["name"]: one["value"] for one in found[0]["environment"]["environmentVariables"]}
        return given["REPOSITORY"], given["TAG"]

    def is_there(self, repository: str, tag: str) -> bool:
        """Whether the repository has an image with this tag, which then can be no other: tags are immutable."""
        wanted = {"repositoryName": repository.partition("/")[2], "imageIds": [{"imageTag": tag}]}
        try:
            return bool(self.ecr.describe_images(**wanted)["imageDetails"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ImageNotFoundException":
                return False
            raise ConfigurationError(f"ECR repository {repository}: {error}") from None

    def build(self) -> None:
        """Build and push. Phases and log go to ``say``. Raises ConfigurationError when the build fails."""
        try:
            build_id = self.codebuild.start_build(projectName=self.project)["build"]["id"]
            self.say(f"building in AWS (CodeBuild, about five minutes): {build_id}")
            build = self._follow(build_id)
        except ClientError as error:
            limited = error.response["Error"]["Code"] == _LIMITED
            way_out = f"ask AWS support for concurrent builds, or {_ELSE}" if limited else _ELSE
            raise ConfigurationError(f"CodeBuild project {self.project}: {error}: {way_out}") from None
        except BotoCoreError as error:
            raise ConfigurationError(f"CodeBuild project {self.project}: {error}: {_ELSE}") from None
        if build["buildStatus"] != "SUCCEEDED":
            raise ConfigurationError(f"the build ended as {build['buildStatus']}{_why(build)}: {_ELSE}")

    def _follow(self, build_id: str) -> Mapping[str, Any]:
        try:
            return self._followed(build_id)
        except KeyboardInterrupt:
            self.say(f"the build goes on in AWS: aws codebuild batch-get-builds --ids {build_id}")
            raise

    def _followed(self, build_id: str) -> Mapping[str, Any]:
        lines = _Lines(self.logs)
        phase = ""
        while True:
            (build,) = self.codebuild.batch_get_builds(ids=[build_id])["builds"]
            if build.get("currentPhase", "") != phase:
                phase = build["currentPhase"]
                self.say(f"-- {phase.lower().replace('_', ' ')}")
            for line in lines.new(build.get("logs", {})):
                self.say(line)
            if build["buildStatus"] != "IN_PROGRESS":
                return dict(build)
            self.wait(_POLL_SECONDS)


class _Lines:
    """Reads new lines of a log stream."""

    def __init__(self, client: Any) -> None:
        self._client, self._token = client, ""

    def new(self, place: Mapping[str, str]) -> Iterator[str]:
        """Lines since the last call; none while there is no stream."""
        if not place.get("groupName") or not place.get("streamName"):
            return
        while True:
            more = {"nextToken": self._token} if self._token else {}
            try:
                answer = self._client.get_log_events(
                    logGroupName=place["groupName"], logStreamName=place["streamName"], startFromHead=True, **more
                )
            except self._client.exceptions.ResourceNotFoundException:
                return
            for event in answer["events"]:
                yield event["message"].rstrip("\n")
            # A repeated token marks the present end of the stream (CloudWatch Logs, GetLogEvents, read 2026-11).
            is_end, self._token = answer["nextForwardToken"] == self._token, answer["nextForwardToken"]
            if is_end or not answer["events"]:
                return


def _why(build: Mapping[str, Any]) -> str:
    """`` in BUILD (COMMAND_EXECUTION_ERROR: exit status 1)``, of the first phase that failed."""
    for phase in build.get("phases", ()):
        if phase.get("phaseStatus", "SUCCEEDED") != "SUCCEEDED":
            said = "; ".join(f"{one.get('statusCode')}: {one.get('message')}" for one in phase.get("contexts", ()))
            return f" in {phase['phaseType']}" + (f" ({said})" if said else "")
    return ""
