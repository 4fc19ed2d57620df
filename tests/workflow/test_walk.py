"""A walk through the state machine's file: whatever part is dropped, a check notices that knows what it is for."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.support.drops import Walk, drops, unlike, without
from tests.workflow import test_asl_file
from tests.workflow.asl import Asl, the_file

PROMISES = yaml.safe_load(Path(__file__).with_name("promises.yaml").read_text("utf-8"))

type Machine = Mapping[str, Any]
type Check = Callable[[Machine], object]


def broken(asl: Asl) -> Iterator[str]:
    """Every promise that a state machine does not keep."""
    yield from unlike(PROMISES["machine"]["is"], asl.machine)
    yield from (
        f"{name}: a state without a promise in tests/workflow/promises.yaml, or the other way round"
        for name in asl.states.keys() ^ PROMISES["states"].keys()
    )
    for name, promise in PROMISES["states"].items():
        yield from unlike(promise["is"], asl.states.get(name), name)


def every_state_does_as_promised(asl: Asl) -> None:
    for one in broken(asl):
        raise AssertionError(one)


def on(test: Callable[..., object], machine: Machine, **given: object) -> object:
    """A check of the machine when it is read anew."""
    return test(Asl(machine), **given)


def checks() -> Mapping[str, Check]:
    """The tests of the file that need nothing else, each with each of its parameters; then the table of promises."""
    found: dict[str, Check] = {}
    for name, test in vars(test_asl_file).items():
        wanted = list(inspect.signature(test).parameters) if name.startswith("test_") else []
        if wanted == ["asl"]:
            found[name] = partial(on, test)
        elif wanted[:1] == ["asl"]:
            (parameter,) = wanted[1:]
            (mark,) = test.pytestmark
            found |= {f"{name}[{value}]": partial(on, test, **{parameter: value}) for value in mark.args[1]}
    return {**found, "every_state_does_as_promised": partial(on, every_state_does_as_promised)}


def test_whatever_is_dropped_from_the_file_is_noticed() -> None:
    whole = the_file().machine
    walk = Walk(checks())
    assert len(walk.checks) > 20
    assert [name for name, check in walk.checks.items() if check(whole)] == []  # each passes on what is whole
    walk.go(("/".join(map(str, path)), without(whole, path)) for path in drops(whole, words={"Comment"}))
    sys.stdout.write(walk.told("state machine") + "\n")
    assert walk.unnoticed == [], "write a test for each, or a line with its reason in tests/workflow/promises.yaml"
    assert walk.noticed.total() > 600
