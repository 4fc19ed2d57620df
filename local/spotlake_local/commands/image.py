"""``spotlake image``: builds and pushes the full run's image, with docker or podman here, or else inside AWS."""

from __future__ import annotations

import argparse
import base64
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotlake.errors import ConfigurationError
from spotlake_local.arguments import add_command
from spotlake_local.base_image import pin_base_image
from spotlake_local.image_source import DOCKERFILE, content_tag
from spotlake_local.workspace import ROOT

if TYPE_CHECKING:
    from spotlake_local.cloud_build import CloudBuild

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
        "pushes it under a tag made from its content, which the deployed job names. Where no engine works, the stack's "
        "CodeBuild project builds the deployed source for the stack's architecture. What is there is not built again.",
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
    parser.add_argument(
        "--pin", action="store_true", help="write the present digest of the base image into the Dockerfile, and end"
    )
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Build and push. The engine's output, or the build's log, goes to the terminal."""
    if arguments.pin:
        print(f"full runs are built from {pin_base_image(ROOT)}: look at the change, then `make deploy`")  # noqa: T201
        return 0
    if arguments.outputs:
        return _build_what_lacks(arguments.outputs)
    if arguments.repository:
        image = _push(find_engine(), arguments.repository)
        print(f"pushed {image}: deploy with -c image_uri={image}")  # noqa: T201
        return 0
    return _build_for(outputs_of_stack(_STACK.format(stage=arguments.stage)))


def _push(engine: str, repository: str) -> str:
    """Build this checkout here, and push it. Returns the image's URI."""
    image = f"{repository}:{content_tag(ROOT)}"
    _sign_in(engine, repository)
    for words in commands(engine, image):
        if subprocess.run([engine, *words], cwd=ROOT, check=False).returncode:
            raise ConfigurationError(f"`{engine} {' '.join(words[:2])}` failed: its own words stand above")
    return image


def _project_of(outputs: dict[str, str]) -> CloudBuild:
    """The stack's CodeBuild project, in the region of its repository."""
    import boto3

    from spotlake_local.cloud_build import CloudBuild

    match = _ECR.match(outputs["ImageUri"])
    return CloudBuild.of(boto3.Session(region_name=match[2] if match else None), outputs["ImageProject"])


def _build_for(outputs: dict[str, str]) -> int:
    """Fill the stack's own repository: this checkout where an engine works, else what is deployed."""
    build = _project_of(outputs)
    repository, deployed = build.target()
    own = content_tag(ROOT)
    try:
        engine = find_engine()
    except ConfigurationError:
        engine = ""
    if not engine and deployed != own:
        print(f"note: this checkout is not what is deployed, which is built ({deployed}): `make deploy` first?")  # noqa: T201
    tag = own if engine else deployed
    if build.is_there(repository, tag):
        print(f"nothing to build, the image is there: {repository}:{tag}")  # noqa: T201
    elif engine:
        _push(engine, repository)
        print(f"pushed {repository}:{tag}")  # noqa: T201
    else:
        build.build()
        print(f"pushed {repository}:{tag}")  # noqa: T201
    print("full runs take it" if tag == deployed else f"full runs take {deployed} until `make deploy`")  # noqa: T201
    return 0


def _build_what_lacks(file: Path) -> int:
    """After a deployment: the stack's image, unless it has no repository of its own."""
    for outputs in json.loads(file.read_text(encoding="utf-8")).values():
        if "ImageProject" in outputs:
            _build_for(outputs)
    return 0


def find_engine() -> str:
    """The first of docker and podman that works. Raises ConfigurationError when none does."""
    # Many machines have a client without a daemon or without buildx.
    for engine, tries in (("docker", (["info"], ["buildx", "version"])), ("podman", (["info"],))):
        if shutil.which(engine) and all(
            subprocess.run([engine, *words], capture_output=True, check=False).returncode == 0 for words in tries
        ):
            return engine
    raise ConfigurationError(_NO_ENGINE)


def commands(engine: str, image: str) -> list[list[str]]:
    """Commands for the engine, in order."""
    if engine == "docker":
        words = ("--platform", PLATFORMS, "--file", DOCKERFILE, "--tag", image, "--push", ".")
        return [["buildx", "build", *words]]
    return [
        ["build", "--platform", PLATFORMS, "--file", DOCKERFILE, "--manifest", image, "."],
        ["manifest", "push", "--all", image, f"docker://{image}"],
    ]


def outputs_of_stack(stack: str) -> dict[str, str]:
    """The outputs of a deployed stack that has a repository. Raises ConfigurationError that says what to do."""
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


def _sign_in(engine: str, repository: str) -> None:
    """Sign in to ECR with the AWS sign-in of this shell. For other registries the engine must be signed in."""
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
    # By standard input, because everybody on the machine can read arguments.
    words: Sequence[str] = (engine, "login", "--username", "AWS", "--password-stdin", match[0])
    if subprocess.run(words, input=password, capture_output=True, check=False).returncode:
        raise ConfigurationError(f"{engine} cannot sign in to {match[0]}: has this account the right to push there?")
