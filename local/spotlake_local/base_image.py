"""The digest of the full run's base image: looked up at its registry, and written into the Dockerfile."""

from __future__ import annotations

import re
from pathlib import Path

import requests

from spotlake.errors import ConfigurationError
from spotlake_local.image_source import DOCKERFILE

REGISTRY = "https://public.ecr.aws"
_BASE = re.compile(r"^(FROM public\.ecr\.aws/)(?P<name>[a-z/]+):(?P<tag>[\w.-]+)(@sha256:[0-9a-f]{64})?", re.MULTILINE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# A list of images for several architectures, in Docker's and in OCI's words (OCI distribution specification 1.1).
_LISTS = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
_SECONDS = 20


def pin_base_image(root: Path, registry: str = REGISTRY) -> str:
    """Write the present digest of the base image into each FROM line, and return the line's image.

    Raises ConfigurationError when the registry does not answer with a digest.
    """
    file = root / DOCKERFILE
    text = file.read_text(encoding="utf-8")
    named = {(match["name"], match["tag"]) for match in _BASE.finditer(text)}
    if len(named) != 1:
        raise ConfigurationError(f"{DOCKERFILE} names {len(named)} base images of public.ecr.aws; one is expected")
    ((name, tag),) = named
    digest = _digest_of(registry, name, tag)
    file.write_text(_BASE.sub(rf"\g<1>{name}:{tag}@{digest}", text), encoding="utf-8")
    return f"public.ecr.aws/{name}:{tag}@{digest}"


def _digest_of(registry: str, name: str, tag: str) -> str:
    """Ask as docker does: an anonymous token, then the head of the list of images (ECR Public user guide, 2026-11)."""
    try:
        given = requests.get(f"{registry}/token/", timeout=_SECONDS, allow_redirects=False)
        given.raise_for_status()
        found = requests.head(
            f"{registry}/v2/{name}/manifests/{tag}",
            headers={"Authorization": f"Bearer {given.json()['token']}", "Accept": _LISTS},
            timeout=_SECONDS,
            allow_redirects=False,
        )
        found.raise_for_status()
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{registry} does not tell the digest of {name}:{tag}: {error}") from None
    digest = found.headers.get("Docker-Content-Digest", "")
    if not _DIGEST.fullmatch(digest):
        raise ConfigurationError(f"{registry} tells no digest of {name}:{tag}: {digest[:80]!r}")
    return digest
