"""The reference implementation of JSONata as a second opinion on the state machine's expressions."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spotlake_local.workspace import ROOT


class NothingError(Exception):
    """An expression gives nothing or fails; on AWS the state fails with States.QueryEvaluationError."""


class Reference:
    """A process that evaluates one expression after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def evaluate(self, expression: str, variables: Mapping[str, Any]) -> Any:
        """Raises NothingError when it gives nothing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"expression": expression, "variables": variables}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "value" not in answer:
            raise NothingError(f"{expression}: {answer.get('error', 'nothing')}")
        return answer["value"]

    def filled(self, template: Any, variables: Mapping[str, Any]) -> Any:
        """A part of the machine with every ``{% expression %}`` in it evaluated, as Step Functions does."""
        if isinstance(template, str) and template.startswith("{%"):
            return self.evaluate(template[2:-2], variables)
        if isinstance(template, Mapping):
            return {name: self.filled(one, variables) for name, one in template.items()}
        if isinstance(template, list):
            return [self.filled(one, variables) for one in template]
        return template


@contextmanager
def start_reference() -> Iterator[Reference]:
    """Start it, and stop it at the end."""
    script = Path(__file__).with_name("reference.cjs")
    environment = {**os.environ, "NODE_PATH": str(ROOT / "node_modules")}
    with subprocess.Popen(
        ["node", str(script)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Reference(process)
        assert process.stdin is not None
        process.stdin.close()
