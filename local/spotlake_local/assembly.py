"""Synthesises the stack, unless nothing that goes into the stack has changed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from spotlake.errors import ConfigurationError
from spotlake_local.workspace import ROOT

_SOURCES = ("cdk", "cdk.json", "functions", "layers/common", "build/layers", "statemachine", "uv.lock")
# How the CDK library fails when its Node process cannot be started, or ends at once (seen 2026-11-25).
_BROKEN_NODE = ("_NodeProcess", "BrokenPipeError", "No such file or directory: 'node'")


def synthesise(assembly: Path, context: Mapping[str, str]) -> None:
    """Make ``assembly`` from the CDK app and the context, unless it was already made from the same inputs.

    Raises:
        ConfigurationError: The app failed; the text is its last line.
    """
    mark = assembly.with_suffix(".sha256")
    fingerprint = _fingerprint(context)
    if (assembly / "manifest.json").exists() and mark.exists() and mark.read_text() == fingerprint:
        return
    mark.unlink(missing_ok=True)
    # The CLI would add the context of cdk.json. Without the CLI, which takes half the time, this code adds it.
    defaults = orjson.loads((ROOT / "cdk.json").read_bytes()).get("context", {})
    environment = {
        **os.environ,
        "CDK_OUTDIR": str(assembly),
        "CDK_CONTEXT_JSON": orjson.dumps({**defaults, **context}).decode(),
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }
    done = subprocess.run(
        [sys.executable, "-m", "cdk.app"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConfigurationError(f"the stack cannot be synthesised: {_reason(done.stderr)}")
    mark.write_text(fingerprint)


def _reason(words: str) -> str:
    """The app's last line, with advice for faults of the disk or of Node.

    >>> _reason("RuntimeError: ENOSPC: no space left on device, copyfile")
    'no room is left on the disk: make room, or give another STATE_DIR'
    """
    last = words.strip().splitlines()[-1] if words.strip() else "no message"
    if "ENOSPC" in words or "No space left" in words:
        return "no room is left on the disk: make room, or give another STATE_DIR"
    if any(sign in last for sign in _BROKEN_NODE):
        return f"Node does not run: `node --version` must say 20 or later ({last})"
    return last


def _fingerprint(context: Mapping[str, str]) -> str:
    digest = hashlib.sha256(orjson.dumps(dict(context), option=orjson.OPT_SORT_KEYS))
    for path in _files():
        status = path.stat()
        digest.update(f"{path.relative_to(ROOT)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    for name in _SOURCES:
        path = ROOT / name
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
