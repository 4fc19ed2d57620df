"""A synthesised stack for tests that deploy it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk

from cdk.app import build
from spotlake_local.workspace import ROOT, host_architecture


def synthesise_here(assembly: Path, context: Mapping[str, str]) -> None:
    """Synthesise in this process, with the context of cdk.json and this one over it.

    A process's first stack takes ten seconds, because Node starts and every layer is read. A further one takes two.
    """
    defaults = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(outdir=str(assembly), context={**defaults, "architecture": host_architecture(), **context})
    build(app)
    app.synth()
