"""Writes down every request that the stack sends to the emulated AWS, one line each: what a run asks is counted here.

This is a second way to the counts that the functions make of their own requests (``spotlake/costs/counting.py``).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_VARIABLE = "SPOTLAKE_REQUESTS_FILE"
_SCOPE = re.compile(rb"Credential=([^/,\s]*)/\d+/[^/]*/([a-z0-9-]+)/aws4_request")


@dataclass(frozen=True)
class Sent:
    """A request: its service ("s3"), its operation ("GetObject"), its path, and the bytes of its body."""

    service: str
    operation: str
    path: str
    bytes_sent: int


@dataclass(frozen=True)
class RequestFile:
    """The file; requests of the root user, who is the local command, are left out."""

    path: Path
    root_key: str

    def note(self, scope: Mapping[str, Any]) -> None:
        """Write a line for a request of a role."""
        headers: dict[bytes, bytes] = {name.lower(): value for name, value in scope["headers"]}
        signed = _SCOPE.search(headers.get(b"authorization", b""))
        if signed is None or signed[1].decode("latin-1") == self.root_key:
            return
        service = signed[2].decode("latin-1")
        line = {
            "service": service,
            "operation": _operation(service, scope, headers),
            "path": scope["path"],
            "bytes_sent": int(headers.get(b"x-amz-decoded-content-length") or headers.get(b"content-length") or 0),
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read_requests(path: Path, *, after: int = 0) -> tuple[list[Sent], int]:
    """The requests from a byte of the file on, and the byte where the file ends."""
    if not path.exists():
        return [], 0
    with path.open("rb") as file:
        file.seek(after)
        body = file.read()
    return [Sent(**json.loads(line)) for line in body.splitlines()], after + len(body)


def by_operation(sent: Iterable[Sent]) -> dict[str, int]:
    """Number of requests by "service Operation", sorted."""
    return dict(sorted(Counter(f"{one.service} {one.operation}" for one in sent).items()))


def _operation(service: str, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
    target = headers.get(b"x-amz-target", b"").decode("latin-1")
    if target:
        return target.rpartition(".")[2]
    if service != "s3":
        return str(scope["method"])
    return _s3_operation(str(scope["method"]), scope.get("query_string", b""), is_copy=b"x-amz-copy-source" in headers)


def _s3_operation(method: str, query: bytes, *, is_copy: bool) -> str:
    for mark, operation in (
        (b"list-type=2", "ListObjectsV2"),
        (b"partNumber=", "UploadPart"),
        (b"uploadId=", "CompleteMultipartUpload" if method == "POST" else "AbortMultipartUpload"),
        (b"uploads", "CreateMultipartUpload"),
        (b"delete", "DeleteObjects"),
    ):
        if mark in query:
            return operation
    names = {"GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject", "POST": "PostObject"}
    return names.get(method, "CopyObject" if is_copy else "PutObject")
