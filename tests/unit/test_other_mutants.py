"""Changes that mutmut never makes: which there are, which tests can show them, and how a fork is judged."""

from __future__ import annotations

import ast
import importlib.util
import json
import signal
from pathlib import Path

import pytest

from tests.mutants.changes import Change, changes_of
from tests.mutants.forks import _Changed, _status
from tests.mutants.reach import Reach

CHANGES = {
    "A = {1, 2}": ["A = {2, 2}", "A = {2}", "A = {1}", "A = {1, 3}"],
    "A = (b, c)": ["A = (c)", "A = (b,)"],
    "A = [b]": ["A = []"],
    "A = {'b': True}": ["A = {}", "A = {'bX': True}", "A = {'b': False}"],
    "A: Final = b'x'": ["A: Final = b'xX'"],
    "__all__ = ['a']": [],
    "_LOG = Logger('a')": [],
    "type A = Literal['b']": [],
    "'''A module.'''": [],
    "class A:\n  '''Text.'''\n  b: int = 3": ["class A:\n  '''Text.'''\n  b: int = 4"],
    "def f(a=1):\n  return 2": [],  # mutmut's
    "@property\ndef f(self):\n  return self.a < 2": [
        "@property\ndef f(self):\n  return self.a <= 2",
        "@property\ndef f(self):\n  return self.a < 3",
    ],
    "def f():\n  a()\n  b()": ["def f():\n  pass\n  b()", "def f():\n  b()\n  a()", "def f():\n  a()\n  pass"],
    "def f():\n  a[1] = b()\n  c(a)": [
        "def f():\n  pass\n  c(a)",
        "def f():\n  c(a)\n  a[1] = b()",
        "def f():\n  a[1] = b()\n  pass",
    ],
    "def f():\n  _LOG.info('a')": [],
    "def f(a):\n  del a": [],
    "def f(a):\n  del a[b], a.b": ["def f(a):\n  pass"],
    "def f():\n  if a:\n    return b": ["def f():\n  if False:\n    return b"],
    "def f():\n  return a and b": ["def f():\n  return ((a))", "def f():\n  return ((b))"],
    "def f():\n  return [a for a in b if c]": ["def f():\n  return [a for a in b if True]"],
    "def f():\n  try:\n    return a\n  except (B, C):\n    return d": [
        "def f():\n  try:\n    return a\n  except (C):\n    return d",
        "def f():\n  try:\n    return a\n  except (B,):\n    return d",
    ],
    "def f():\n  return f'{a:>4}é{b}'": [
        "def f():\n  return f'é{b}'",
        "def f():\n  return f'{a:>4}XXé{b}'",
        "def f():\n  return f'{a:>4}é'",
    ],
}


@pytest.mark.parametrize("source", CHANGES)
def test_each_kind_of_change_is_made_once_and_is_python(source: str) -> None:
    made = [one.applied(source.encode()).decode() for one in changes_of("m", source.encode())]
    assert sorted(made) == sorted(CHANGES[source])
    for text in made:
        ast.parse(text)


def test_a_change_is_told_as_a_diff_and_knows_its_place() -> None:
    source = b"MOST = 1\n\n\nclass A:\n    def f(self):\n        self.g()\n"
    constant, statement = changes_of("stores.a", source)
    assert (constant.place, constant.function, constant.names) == ("stores.a:MOST", "", ("MOST",))
    assert (statement.place, statement.function, statement.names) == ("stores.a:A.f", "A.f", ())
    assert constant.diff(source).splitlines()[3:5] == ["-MOST = 1", "+MOST = 2"]


RULES = b"""
def few(a):
    return a < TWICE

def name(a):
    return f"{a}"

class A:
    def __init__(self):
        self.a = 1
"""
SOURCES = {
    "limits": b"MOST = 3\nTWICE = 2 * MOST\n",
    "rules": RULES,
    "uses": b"def told(a):\n    return name(a) if few(a) else A()\n",
}
NOTED = {
    "tests_by_mangled_function_name": {
        "spotlake.rules.x_few": ["test_a.py::slow", "test_a.py::quick", "test_a.py::gone[1]"],
        "spotlake.uses.x_told": ["test_a.py::told"],
    },
    "duration_by_test": {
        "test_a.py::slow": 2.0,
        "test_a.py::quick": 0.5,
        "test_a.py::told": 1.0,
        "test_a.py::gone[1]": 0.1,
    },
}


@pytest.mark.parametrize(
    ("module", "function", "names", "tests"),
    [
        ("rules", "few", (), ["test_a.py::quick", "test_a.py::slow"]),
        ("limits", "", ("MOST",), ["test_a.py::quick", "test_a.py::slow"]),  # by what is made of it
        ("rules", "name", (), ["test_a.py::told"]),  # mutmut watches it not: what calls it shows the change
        ("rules", "A.__init__", (), ["test_a.py::told"]),
        ("limits", "", ("UNUSED",), []),
        (
            "limits",
            "",
            ("TESTED",),
            ["test_a.py::quick", "test_a.py::told", "test_a.py::slow"],
        ),  # by a test that names it
    ],
)
def test_which_tests_can_show_a_change(
    tmp_path: Path, module: str, function: str, names: tuple[str, ...], tests: list[str]
) -> None:
    noted = tmp_path / "noted.json"
    noted.write_text(json.dumps(NOTED))
    (tmp_path / "test_a.py").write_text("def slow(): TESTED\ndef quick(): pass\ndef told(): pass")
    change = Change(module, "constant", function, names, 0, 0, "")
    assert Reach.read(noted, SOURCES, tmp_path).of(change) == tests


def test_a_fork_imports_one_module_with_other_code(tmp_path: Path) -> None:
    name = "house_of_one_module"
    path = tmp_path / "spotlake" / f"{name}.py"
    path.parent.mkdir()
    path.write_text("MOST = 1")
    finder = _Changed(name, path, compile("MOST = 2", path, "exec"))
    spec = finder.find_spec(f"spotlake.{name}")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    assert module.MOST == 2
    assert finder.find_spec("spotlake.other") is None


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (0, "survived"),
        (1, "killed"),
        (2, "killed"),  # the changed module could not be imported
        (3, "killed"),
        (4, "killed"),  # what all tests of a folder share could not be imported
        (5, "no tests"),
        (9, "killed"),
        (-signal.SIGALRM, "timeout"),
        (-signal.SIGSEGV, "segfault"),
    ],
)
def test_how_a_fork_ended_is_what_became_of_the_change(code: int, status: str) -> None:
    assert _status(code) == status
