"""What goes into the full run's image, and the tag that is made from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

DOCKERFILE = "functions/full_run/Dockerfile"


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
