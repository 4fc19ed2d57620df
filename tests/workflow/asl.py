"""The state machine's file, read: its states however deep they lie, its tasks, and the functions that these call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cdk.constructs.workflow import DEFINITION


class Asl:
    """A state machine by its definition."""

    def __init__(self, machine: Mapping[str, Any]) -> None:
        self.machine = machine
        self.states = dict(_states(machine))
        self.tasks = {name: state for name, state in self.states.items() if state["Type"] == "Task"}
        # Task -> function, as cdk/settings.py calls it.
        self.functions = {
            name: str(state["Arguments"]["FunctionName"])[2:].removesuffix("FunctionArn}").lower()
            for name, state in self.tasks.items()
            if "FunctionName" in state["Arguments"]
        }


def _states(container: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, state in container["States"].items():
        yield name, state
        for inner in (*state.get("Branches", ()), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])):
            yield from _states(inner)


def the_file() -> Asl:
    """The one that is deployed, with its placeholders."""
    return Asl(json.loads(DEFINITION.read_text(encoding="utf-8")))
