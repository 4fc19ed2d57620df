"""Pinning the base image, against a registry of this machine that speaks as docker's registries do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from spotlake.errors import ConfigurationError
from spotlake_local.base_image import pin_base_image
from spotlake_local.image_source import DOCKERFILE, content_tag
from spotlake_local.workspace import ROOT

DIGEST, NEWER = "sha256:" + "a1" * 32, "sha256:" + "b2" * 32


class Registry(ThreadingHTTPServer):
    digest = DIGEST
    asked: list[tuple[str, str, str]]


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"token": "anybody"}')

    def do_HEAD(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"], self.headers["Accept"]))
        self.send_response(200)
        self.send_header("Docker-Content-Digest", self.server.digest)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def url_of(registry: Registry) -> str:
    return f"http://127.0.0.1:{registry.server_port}"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The Dockerfile as it is, below a root of its own."""
    (tmp_path / DOCKERFILE).parent.mkdir(parents=True)
    (tmp_path / DOCKERFILE).write_bytes((ROOT / DOCKERFILE).read_bytes())
    (tmp_path / ".dockerignore").write_text("*\n!functions/full_run/**\n")
    return tmp_path


def from_lines(root: Path) -> list[str]:
    return [line for line in (root / DOCKERFILE).read_text().splitlines() if line.startswith("FROM ")]


def test_both_stages_get_the_digest_and_later_the_newer_one(registry: Registry, copy: Path) -> None:
    tags = {content_tag(copy)}
    for digest in (DIGEST, NEWER):
        registry.digest = digest
        said = pin_base_image(copy, url_of(registry))
        image = f"public.ecr.aws/docker/library/python:3.13-slim@{digest}"
        assert said == image
        assert from_lines(copy) == [f"FROM {image} AS packages", f"FROM {image}"]
        tags.add(content_tag(copy))
    assert len(tags) == 3, "another base is another image"
    path, token, accepted = registry.asked[0]
    assert (path, token) == ("/v2/docker/library/python/manifests/3.13-slim", "Bearer anybody")
    assert "application/vnd.oci.image.index.v1+json" in accepted  # the list, not one architecture


@pytest.mark.parametrize("digest", ["", "sha256:short", "sha256:" + "a1" * 32 + "\n RUN evil"])
def test_what_is_no_digest_is_refused_and_changes_nothing(registry: Registry, copy: Path, digest: str) -> None:
    registry.digest = digest.replace("\n", " ")
    before = from_lines(copy)
    with pytest.raises(ConfigurationError, match="tells no digest"):
        pin_base_image(copy, url_of(registry))
    assert from_lines(copy) == before


def test_without_a_registry_one_sentence_says_so(copy: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"does not tell the digest of docker/library/python:3\.13-slim"):
        pin_base_image(copy, "http://127.0.0.1:9")
