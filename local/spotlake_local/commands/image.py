"""``spotlake image``: builds the full run's image for both architectures and pushes it, with docker or podman."""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spotlake.errors import ConfigurationError
from spotlake_local.arguments import add_command
from spotlake_local.workspace import ROOT

DOCKERFILE = "functions/full_run/Dockerfile"
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
        summary="build the full run's image for arm64 and amd64 and push it",
        description="Builds functions/full_run/Dockerfile for both architectures with docker (buildx) or podman, and "
        "pushes it under a tag made from its content, and as latest. The stack's own repository takes latest.",
        epilog="examples:\n  spotlake image\n  spotlake image --repository registry.example.com/full-run",
    )
    parser.add_argument(
        "--repository",
        metavar="URI",
        help="where to push, without a tag (default: the deployed stack's own repository)",
    )
    parser.add_argument("--stage", default="test", help="of the stack whose repository is taken (default: test)")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Build and push. The engine's output goes to the terminal."""
    engine = find_engine()
    repository: str = arguments.repository or repository_of_stack(_STACK.format(stage=arguments.stage))
    image = f"{repository}:{content_tag(ROOT)}"
    _sign_in(engine, repository)
    for words in commands(engine, image, f"{repository}:latest"):
        if subprocess.run([engine, *words], cwd=ROOT, check=False).returncode:
            raise ConfigurationError(f"`{engine} {' '.join(words[:2])}` failed: its own words stand above")
    print(f"pushed {image}, and as latest: deploy with -c image_uri={image}, or let the stack's own repository have it")  # noqa: T201
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


def commands(engine: str, image: str, latest: str) -> list[list[str]]:
    """Commands for the engine, in order."""
    if engine == "docker":
        tags = ("--tag", image, "--tag", latest)
        return [["buildx", "build", "--platform", PLATFORMS, "--file", DOCKERFILE, *tags, "--push", "."]]
    return [
        ["build", "--platform", PLATFORMS, "--file", DOCKERFILE, "--manifest", image, "."],
        ["manifest", "push", "--all", image, f"docker://{image}"],
        ["manifest", "push", "--all", image, f"docker://{latest}"],
    ]


def content_tag(root: Path) -> str:
    """Twelve digits made from every file that goes into the image."""
    digest = hashlib.sha256()
    for file in image_files(root):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def image_files(root: Path) -> Iterator[Path]:
    """The files that ``.dockerignore`` lets through, in order."""
    wanted = [line[1:] for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"]
    for pattern in sorted(wanted):
        yield from sorted(one for one in root.glob(pattern) if one.is_file() and "__pycache__" not in one.parts)


def repository_of_stack(stack: str) -> str:
    """The repository that a deployed stack made. Raises ConfigurationError that says what to do."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    way_out = "deploy first, or give --repository"
    try:
        (found,) = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except (ClientError, BotoCoreError) as error:
        raise ConfigurationError(f"stack {stack}: {error}: {way_out}") from None
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    repository, _, tag = outputs.get("ImageUri", "").rpartition(":")
    if tag != "latest" or not _ECR.match(repository):
        raise ConfigurationError(f"stack {stack} has no repository of its own: give --repository")
    return repository


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
