"""Following a CodeBuild build, against answers in AWS's own shapes (botocore's Stubber checks them)."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from spotlake.errors import ConfigurationError
from spotlake_local.cloud_build import CloudBuild

PROJECT, BUILD = "spotlake-azure-test-image", "spotlake-azure-test-image:1"
PLACE = {"groupName": "/aws/codebuild/spotlake-azure-test-image", "streamName": "1"}
REPOSITORY = "111111111111.dkr.ecr.us-west-2.amazonaws.com/spotlake-azure-test-full-run"


class Aws:
    """CodeBuild, ECR and CloudWatch Logs that answer what they are told to, in this order."""

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {
            name: boto3.client(name, region_name="us-west-2") for name in ("codebuild", "ecr", "logs")
        }
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        for stub in self.stubs.values():
            stub.activate()
        self.said: list[str] = []
        self.waited: list[float] = []
        self.build = CloudBuild(**self.clients, project=PROJECT, say=self.said.append, wait=self.waited.append)

    def seen(self, status: str, phase: str, **more: Any) -> None:
        """The build at one look."""
        build = {"id": BUILD, "buildStatus": status, "currentPhase": phase, **more}
        self.stubs["codebuild"].add_response("batch_get_builds", {"builds": [build]}, {"ids": [BUILD]})

    def logged(self, lines: list[str], token: str, *, given: str = "") -> None:
        """What the log has at one look."""
        wanted = {"logGroupName": PLACE["groupName"], "logStreamName": PLACE["streamName"], "startFromHead": True}
        events = [{"message": f"{line}\n", "timestamp": 0} for line in lines]
        answer = {"events": events, "nextForwardToken": token}
        self.stubs["logs"].add_response("get_log_events", answer, wanted | ({"nextToken": given} if given else {}))

    def all_asked(self) -> None:
        for stub in self.stubs.values():
            stub.assert_no_pending_responses()


@pytest.fixture
def aws() -> Aws:
    aws = Aws()
    aws.stubs["codebuild"].add_response("start_build", {"build": {"id": BUILD}}, {"projectName": PROJECT})
    return aws


def test_phases_and_lines_are_told_as_they_come_and_each_once(aws: Aws) -> None:
    aws.seen("IN_PROGRESS", "QUEUED")  # there is no log yet
    aws.seen("IN_PROGRESS", "BUILD", logs=PLACE)
    aws.stubs["logs"].add_client_error("get_log_events", "ResourceNotFoundException")
    aws.seen("IN_PROGRESS", "BUILD", logs=PLACE)
    aws.logged(["one", "two"], "t1")
    aws.logged([], "t1", given="t1")
    aws.seen("SUCCEEDED", "COMPLETED", logs=PLACE)
    aws.logged(["three"], "t2", given="t1")
    aws.logged([], "t2", given="t2")
    aws.build.build()
    aws.all_asked()
    assert aws.said[1:] == ["-- queued", "-- build", "one", "two", "-- completed", "three"]
    assert len(aws.waited) == 3


def test_a_build_that_fails_says_in_which_phase_why_and_what_to_do(aws: Aws) -> None:
    context = {"statusCode": "COMMAND_EXECUTION_ERROR", "message": "docker build: exit status 1"}
    phases = [
        {"phaseType": "PRE_BUILD", "phaseStatus": "SUCCEEDED"},
        {"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [context]},
    ]
    aws.seen("FAILED", "COMPLETED", phases=phases)
    with pytest.raises(ConfigurationError, match=r"FAILED in BUILD \(COMMAND_EXECUTION_ERROR: .*install docker"):
        aws.build.build()


@pytest.mark.parametrize(
    ("code", "way_out"),
    [("AccountLimitExceededException", "ask AWS support"), ("AccessDeniedException", "install docker or podman")],
)
def test_a_build_that_may_not_begin_says_what_to_do(code: str, way_out: str) -> None:
    aws = Aws()
    aws.stubs["codebuild"].add_client_error("start_build", code, "Cannot have more than 0 builds in queue")
    with pytest.raises(ConfigurationError, match=way_out):
        aws.build.build()


def test_what_is_interrupted_goes_on_and_says_how_to_look(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(aws.clients["codebuild"], "batch_get_builds", interrupt)
    with pytest.raises(KeyboardInterrupt):
        aws.build.build()
    assert aws.said[-1] == f"the build goes on in AWS: aws codebuild batch-get-builds --ids {BUILD}"


def test_a_project_that_is_not_there_is_told() -> None:
    aws = Aws()
    aws.stubs["codebuild"].add_response("batch_get_projects", {"projects": [], "projectsNotFound": [PROJECT]})
    with pytest.raises(ConfigurationError, match="`make deploy` makes it"):
        aws.build.target()


@pytest.mark.parametrize(("tags", "wanted"), [(["abc"], True), (None, False)], ids=["there", "none"])
def test_an_image_is_there_when_the_jobs_tag_is(tags: list[str] | None, *, wanted: bool) -> None:
    aws = Aws()
    asked = {"repositoryName": "spotlake-azure-test-full-run", "imageIds": [{"imageTag": "abc"}]}
    if tags is None:
        aws.stubs["ecr"].add_client_error("describe_images", "ImageNotFoundException", expected_params=asked)
    else:
        aws.stubs["ecr"].add_response("describe_images", {"imageDetails": [{"imageTags": tags}]}, asked)
    assert aws.build.is_there(REPOSITORY, "abc") is wanted
