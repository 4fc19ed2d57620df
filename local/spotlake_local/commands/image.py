"""``spotlake image``: build the full run's image and push it, with docker or podman here, or else inside AWS."""

from __future__ import annotations

import argparse
import base64
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spotlake.errors import ConfigurationError
from spotlake_local.arguments import add_command
from spotlake_local.image_source import DOCKERFILE, content_tag
from spotlake_local.workspace import ROOT

PLATFORMS = "linux/arm64,linux/amd64"
_STACK = "spotlake-azure-{stage}"
_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?")
_NO_ENGINE = (
    "no container engine works here: install docker with buildx, or podman, and start it; or build where one is and "
    "deploy with -c image_uri=REPOSITORY:TAG"
)


def add_parser(subparsers: Any) -> None:
    """Add ``image`` to the command line."""
    parser = add_command(
        subparsers,
        "image",
        summary="build the full run's image and push it",
        description="Builds functions/full_run/Dockerfile for arm64 and amd64 with docker (buildx) or podman, and "
        "pushes it under a tag made from its content, and as latest, which the stack's job pulls. Where no engine "
        "works, the stack's CodeBuild project builds the deployed source for the stack's architecture.",
        epilog="examples:\n  spotlake image\n  spotlake image --repository registry.example.com/full-run",
    )
    parser.add_argument(
        "--repository",
        metavar="URI",
        help="where to push, without a tag (default: the deployed stack's own repository)",
    )
    parser.add_argument("--stage", default="test", help="of the stack whose repository is taken (default: test)")
    parser.add_argument(
        "--outputs",
        type=Path,
        metavar="FILE",
        help="what `cdk deploy --outputs-file` wrote: build only what that stack lacks, if it has a repository",
    )
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Build and push; the engine's own words, or the build's log, go to the terminal."""
    if arguments.outputs:
        return _build_what_lacks(arguments.outputs)
    if arguments.repository:
        return _build_here(find_engine(), arguments.repository)
    outputs = outputs_of_stack(_STACK.format(stage=arguments.stage))
    try:
        engine = find_engine()
    except ConfigurationError:
        return _build_there(outputs["ImageProject"])
    return _build_here(engine, _repository_of(outputs))


def _build_here(engine: str, repository: str) -> int:
    image = f"{repository}:{content_tag(ROOT)}"
    _sign_in(engine, repository)
    for words in commands(engine, image, f"{repository}:latest"):
        if subprocess.run([engine, *words], cwd=ROOT, check=False).returncode:
            raise ConfigurationError(f"`{engine} {' '.join(words[:2])}` failed: its own words stand above")
    print(f"pushed {image}, and as latest: deploy with -c image_uri={image}, or let the stack's own repository have it")  # noqa: T201
    return 0


def _build_there(project: str) -> int:
    """With the stack's CodeBuild project, from the source that was deployed."""
    import boto3

    from spotlake_local.cloud_build import CloudBuild

    build = CloudBuild.of(boto3.Session(), project)
    repository, tag = build.target()
    if tag != content_tag(ROOT):
        print(f"note: this checkout is not what is deployed; what is deployed is built ({tag}): `make deploy` first?")  # noqa: T201
    build.build()
    print(f"pushed {repository}:{tag}, and as latest, which full runs take from now on")  # noqa: T201
    return 0


def _build_what_lacks(file: Path) -> int:
    """After a deployment: the stack's image, unless its repository has it, or it has no repository of its own."""
    import boto3

    from spotlake_local.cloud_build import CloudBuild

    for outputs in json.loads(file.read_text(encoding="utf-8")).values():
        if "ImageProject" not in outputs:
            continue
        build = CloudBuild.of(boto3.Session(), outputs["ImageProject"])
        repository, tag = build.target()
        if build.is_there(repository, tag):
            print(f"full runs have their image: {repository}:{tag}")  # noqa: T201
            continue
        try:
            engine = find_engine()
        except ConfigurationError:
            _build_there(outputs["ImageProject"])
        else:
            _build_here(engine, repository)
    return 0


def find_engine() -> str:
    """The first of docker and podman that works. Raises ConfigurationError when none does."""
    # A client without a daemon or without buildx is there on many machines.
    for engine, tries in (("docker", (["info"], ["buildx", "version"])), ("podman", (["info"],))):
        if shutil.which(engine) and all(
            subprocess.run([engine, *words], capture_output=True, check=False).returncode == 0 for words in tries
        ):
            return engine
    raise ConfigurationError(_NO_ENGINE)


def commands(engine: str, image: str, latest: str) -> list[list[str]]:
    """What the engine is told, one after the other."""
    if engine == "docker":
        tags = ("--tag", image, "--tag", latest)
        return [["buildx", "build", "--platform", PLATFORMS, "--file", DOCKERFILE, *tags, "--push", "."]]
    return [
        ["build", "--platform", PLATFORMS, "--file", DOCKERFILE, "--manifest", image, "."],
        ["manifest", "push", "--all", image, f"docker://{image}"],
        ["manifest", "push", "--all", image, f"docker://{latest}"],
    ]


def outputs_of_stack(stack: str) -> dict[str, str]:
    """The outputs of a deployed stack that has a repository. Raises ConfigurationError that says how to go on."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        (found,) = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except (ClientError, BotoCoreError) as error:
        raise ConfigurationError(f"stack {stack}: {error}: deploy first, or give --repository") from None
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    if "ImageProject" not in outputs:
        raise ConfigurationError(f"stack {stack} has no repository of its own: give --repository")
    return outputs


def _repository_of(outputs: dict[str, str]) -> str:
    return outputs["ImageUri"].removesuffix(":latest")


def _sign_in(engine: str, repository: str) -> None:
    """To ECR with the AWS sign-in of this shell; other registries are the engine's own affair."""
    match = _ECR.match(repository)
    if match is None:
        return
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client("ecr", region_name=match[2])
    try:
        (given,) = client.get_authorization_token()["authorizationData"]
    except (ClientError, BotoCoreError) as error:
        raise ConfigurationError(f"ECR of {repository}: {error}") from None
    _, _, password = base64.b64decode(given["authorizationToken"]).partition(b":")
    # By standard input: arguments can be read by anybody on the machine.
    words: Sequence[str] = (engine, "login", "--username", "AWS", "--password-stdin", match[0])
    if subprocess.run(words, input=password, capture_output=True, check=False).returncode:
        raise ConfigurationError(f"{engine} cannot sign in to {match[0]}: has this account the right to push there?")
