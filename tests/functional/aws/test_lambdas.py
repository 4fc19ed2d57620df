"""Lambdas on the emulator: the interpreter, layers, exception names and memory are as on AWS."""

from __future__ import annotations

import queue
import re
from types import SimpleNamespace

import pytest

from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.aws.patches.lambdas import lines_until_the_end
from spotlake_local.workspace import ROOT
from tests.support.emulator import execute, invoke, log_lines, make_function, make_role, statement, zipped

pytestmark = pytest.mark.emulator


def test_a_function_runs_on_its_own_interpreter_and_sees_nothing_of_the_tools(aws: EmulatedAws) -> None:
    code = """
import importlib.util, sys
def handler(event, context):
    return [sys.prefix, [name for name in event["names"] if importlib.util.find_spec(name)]]
"""
    make_function(aws, "sees", code)
    names = ["rich", "orjson", "ministack", "pytest", "spotlake", "spotlake_local", "boto3"]
    answer, error = invoke(aws, "sees", {"names": names})
    assert (answer, error) == ([str(lambda_python(ROOT).parents[1]), ["boto3"]], None)


def test_a_package_that_no_layer_brings_fails_the_import(aws: EmulatedAws) -> None:
    make_function(aws, "lacks", "import rich\ndef handler(event, context): ...")
    answer, error = invoke(aws, "lacks")
    assert error
    assert "No module named 'rich'" in answer["errorMessage"]


FAILING = r"""
class QuotaGoneError(Exception): ...
def handler(event, context):
    raise QuotaGoneError("first line\nsecond line")
"""


def test_an_exception_is_known_by_its_class(aws: EmulatedAws) -> None:
    make_function(aws, "fails", FAILING)
    answer, error = invoke(aws, "fails")
    assert error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("QuotaGoneError", "first line\nsecond line")


def test_a_workflow_catches_an_exception_by_its_class(aws: EmulatedAws) -> None:
    arn = make_function(aws, "caught", FAILING)
    role = make_role(aws, "catcher", statement("lambda:InvokeFunction"))
    catch = [{"ErrorEquals": ["QuotaGoneError"], "Next": "Right"}, {"ErrorEquals": ["States.ALL"], "Next": "Wrong"}]
    states = {
        "Run": {"Type": "Task", "Resource": arn, "Catch": catch, "Next": "Right"},
        "Right": {"Type": "Succeed"},
        "Wrong": {"Type": "Fail"},
    }
    ended = execute(aws, "catching", role, states)
    assert ended.status == "SUCCEEDED"
    assert ended.output["Error"] == "QuotaGoneError"


def test_an_exception_of_an_earlier_call_does_not_name_the_next_one(aws: EmulatedAws) -> None:
    code = """
import time
def handler(event, context):
    if event["slow"]:
        time.sleep(30)
    raise KeyError("x")
"""
    arn = make_function(aws, "mixed", code)
    client = aws.client("lambda")
    client.update_function_configuration(FunctionName=arn, Timeout=1)  # type: ignore[attr-defined]
    assert invoke(aws, "mixed", {"slow": False})[0]["errorType"] == "KeyError"
    assert invoke(aws, "mixed", {"slow": True})[0]["errorType"] == "Sandbox.Timedout"


def test_a_layer_is_unpacked_once_for_all_workers(aws: EmulatedAws) -> None:
    layer = zipped({"python/brought.py": "WORD = 'brought'"})
    code = """
import os, brought
def handler(event, context):
    return [brought.WORD, os.path.realpath(brought.__file__), os.getpid()]
"""
    for name in ("one", "two"):
        make_function(aws, f"layer-{name}", code, layers=(layer,))
    (word, path, process), (_, other_path, other_process) = (invoke(aws, f"layer-{name}")[0] for name in ("one", "two"))
    assert word == "brought"
    assert process != other_process
    assert path == other_path


def test_layers_of_one_function_stay_apart(aws: EmulatedAws) -> None:
    layers = tuple(zipped({f"python/part{number}.py": f"WORD = {number}"}) for number in range(2))
    code = "import part0, part1\ndef handler(event, context):\n    return [part0.WORD, part1.WORD]"
    make_function(aws, "layers", code, layers=layers)
    assert invoke(aws, "layers")[0] == [0, 1]


def test_the_report_tells_each_invocations_own_memory(aws: EmulatedAws) -> None:
    code = """
def handler(event, context):
    block = bytearray(event["megabytes"] * 2**20)
    return len(block)
"""
    make_function(aws, "eats", code)
    for megabytes in (1, 200, 1):
        invoke(aws, "eats", {"megabytes": megabytes})
    reports = "\n".join(log_lines(aws, "/aws/lambda/eats"))
    before, most, after = (int(one) for one in re.findall(r"Max Memory Used: (\d+) MB", reports))
    assert 5 < before < 150
    assert most - before == pytest.approx(200, abs=20)
    assert after < most - 150


def test_a_log_has_every_line_of_its_invocation_and_none_of_another(aws: EmulatedAws) -> None:
    code = """
def handler(event, context):
    print(event["word"])
    print(*range(500), sep="\\n")
    if event["fails"]:
        raise ValueError(event["word"])
"""
    make_function(aws, "tells", code)
    for word, fails in (("one", False), ("two", True), ("three", False)):
        invoke(aws, "tells", {"word": word, "fails": fails})
    lines = [line for line in log_lines(aws, "/aws/lambda/tells") if line.isalnum() and not line.isupper()]
    numbers = [str(number) for number in range(500)]
    assert lines == ["one", *numbers, "two", *numbers, "three", *numbers]


def test_a_line_that_is_read_late_is_of_the_log_too() -> None:
    class LateQueue(queue.Queue[str]):
        """Has nothing for whoever does not wait."""

        def get_nowait(self) -> str:
            raise queue.Empty

    lines = LateQueue()
    for line in ("first", "last", "\x1e", "of the next"):
        lines.put(line)
    assert lines_until_the_end(SimpleNamespace(_stderr_queue=lines), first_line_wait=0.1) == "first\nlast"
