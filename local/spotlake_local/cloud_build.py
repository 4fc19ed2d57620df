"""The full run's image, built by the stack's CodeBuild project: its log is followed to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from spotlake.errors import ConfigurationError

_POLL_SECONDS = 3.0
_ELSE = "install docker or podman here, or deploy with -c image_uri=REPOSITORY:TAG"
# A new account may have none at all ("Cannot have more than 0 builds in queue"; AWS re:Post, read 2026-11).
_LIMITED = "AccountLimitExceededException"


@dataclass(frozen=True)
class CloudBuild:
    """One project of the account of a session.

    Attributes:
        codebuild, ecr, logs: boto3 clients.
        project: Its name.
        say: Takes each line that people see.
        wait: Passes the seconds between two looks.
    """

    codebuild: Any
    ecr: Any
    logs: Any
    project: str
    say: Callable[[str], None] = print
    wait: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, session: Any, project: str) -> CloudBuild:
        """With clients of a boto3 session."""
        return cls(session.client("codebuild"), session.client("ecr"), session.client("logs"), project)

    def target(self) -> tuple[str, str]:
        """Repository and tag that the deployed source is built to. Raises ConfigurationError without a project."""
        try:
            found = self.codebuild.batch_get_projects(names=[self.project])["projects"]
        except (ClientError, BotoCoreError) as error:
            raise ConfigurationError(f"CodeBuild project {self.project}: {error}") from None
        if not found:
            raise ConfigurationError(f"there is no CodeBuild project {self.project}: `make deploy` makes it")
        given = {one["name"]: one["value"] for one in found[0]["environment"]["environmentVariables"]}
        return given["REPOSITORY"], given["TAG"]

    def is_there(self, repository: str, tag: str) -> bool:
        """Whether the repository has this tag, and as ``latest``, which is what the job pulls."""
        wanted = {"repositoryName": repository.partition("/")[2], "imageIds": [{"imageTag": tag}]}
        try:
            found = self.ecr.describe_images(**wanted)["imageDetails"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ImageNotFoundException":
                return False
            raise ConfigurationError(f"ECR repository {repository}: {error}") from None
        return any("latest" in one.get("imageTags", ()) for one in found)

    def build(self) -> None:
        """Build and push; phases and log go to ``say`` as they come. Raises ConfigurationError when it fails."""
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
    """The lines of a log stream that were not seen yet."""

    def __init__(self, client: Any) -> None:
        self._client, self._token = client, ""

    def new(self, place: Mapping[str, str]) -> Iterator[str]:
        """What came since the last time; nothing while there is no stream."""
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
            # The same token again is the stream's end for now (CloudWatch Logs, GetLogEvents, read 2026-11).
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
