"""The synthesised stack, made again only when something that goes into it has changed."""

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


def synthesise(assembly: Path, context: Mapping[str, str]) -> None:
    """Make ``assembly`` from the CDK app with the given context, unless it has been made from the same already.

    Raises:
        ConfigurationError: The app refused; the text is its last line.
    """
    mark = assembly.with_suffix(".sha256")
    fingerprint = _fingerprint(context)
    if (assembly / "manifest.json").exists() and mark.exists() and mark.read_text() == fingerprint:
        return
    mark.unlink(missing_ok=True)
    # The CLI would add cdk.json's context; without the CLI (half the time) we do.
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
        last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message"
        raise ConfigurationError(f"the stack cannot be synthesised: {last}")
    mark.write_text(fingerprint)


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
