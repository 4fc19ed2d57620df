"""Small changes that mutmut never makes: constants and their elements, f-strings, dropped statements, order.

A change replaces one stretch of a module's source. Nothing is written: tests/mutants/forks.py compiles it in a fork.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_UNTOUCHED_CALLS = ("Logger", "NewType", "TypeVar", "cast", "say")  # words for people or mypy; logs too
_UNTOUCHED_NAMES = ("__all__", "__slots__", "_LOG")
_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_FLIPPED: dict[type[ast.cmpop], str] = {ast.Eq: "!=", ast.NotEq: "==", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">="}
_FLIPPED |= {ast.GtE: ">", ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is"}


@dataclass(frozen=True, slots=True)
class Change:
    """Bytes ``start`` to ``end`` of a module become ``text``.

    ``names`` are what the changed place defines: what uses them shows the change. ``function`` holds the place, as
    ``Class.method`` or ``function``; nothing if it stands outside of functions.
    """

    module: str
    kind: str
    function: str
    names: tuple[str, ...]
    start: int
    end: int
    text: str

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.module}:{self.function or ','.join(self.names) or 'module'}"

    def applied(self, source: bytes) -> bytes:
        """The whole module after the change."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def diff(self, source: bytes) -> str:
        """The change as people read it, with three lines around it."""
        was, becomes = (text.decode().splitlines() for text in (source, self.applied(source)))
        return "\n".join(difflib.unified_diff(was, becomes, self.module, self.module, lineterm=""))


def changes_of(module: str, source: bytes) -> list[Change]:
    """Every change of a module, in the order of its lines.

    >>> text = b"MOST = 3\\ndef f(found):\\n  if found > MOST:\\n    raise ValueError(f'{found} is much')"
    >>> for one in changes_of("keys", text):
    ...     print(one.kind, one.applied(text).decode().splitlines())
    constant ['MOST = 4', 'def f(found):', '  if found > MOST:', "    raise ValueError(f'{found} is much')"]
    condition ['MOST = 3', 'def f(found):', '  if False:', "    raise ValueError(f'{found} is much')"]
    value ['MOST = 3', 'def f(found):', '  if found > MOST:', "    raise ValueError(f' is much')"]
    text ['MOST = 3', 'def f(found):', '  if found > MOST:', "    raise ValueError(f'{found}XX is much')"]
    """
    finder = _Finder(module, source)
    finder.visit(ast.parse(source))
    found = [one for one in finder.found if one.kind not in ("element", "text") or _is_python(one.applied(source))]
    return sorted(found, key=lambda one: (one.start, one.end, one.text))


class _Finder(ast.NodeVisitor):
    """Walks a module, and notes where it is: in a class, in a function, in one that mutmut leaves alone."""

    def __init__(self, module: str, source: bytes) -> None:
        self.found: list[Change] = []
        self._module = module
        self._source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._class = ""
        self._function = ""
        self._names: tuple[str, ...] = ()
        self._decorated = False

    # Where the walk is

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        outer, self._class = self._class, node.name
        self._visit_all(node.body)
        self._class = outer

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if self._function:
            self._visit_block(node.body)
            return
        self._function = f"{self._class}.{node.name}" if self._class else node.name
        alone = [one for one in node.decorator_list if ast.unparse(one) not in ("staticmethod", "classmethod")]
        self._decorated, self._names = bool(alone), (node.name,) if alone else ()
        if self._decorated:
            self._visit_all([*node.args.defaults, *filter(None, node.args.kw_defaults)])
        self._visit_block(node.body)
        self._function, self._decorated, self._names = "", False, ()

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's name

    def generic_visit(self, node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                self._visit_block(value)
            elif isinstance(value, list):
                self._visit_all([one for one in value if isinstance(one, ast.AST)])
            elif isinstance(value, ast.AST):
                self.visit(value)

    # Outside of functions

    def visit_Assign(self, node: ast.Assign | ast.AnnAssign) -> None:
        if self._function:
            self.generic_visit(node)
            return
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = tuple(one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name))
        if node.value is not None and not set(names) & set(_UNTOUCHED_NAMES):
            self._names = names
            self.visit(node.value)
            self._names = ()

    visit_AnnAssign = visit_Assign  # noqa: N815 - ast's name

    def visit_TypeAlias(self, node: ast.TypeAlias) -> None:
        """mypy holds types."""

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # else a docstring
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if self._function and not self._decorated:
            return  # mutmut's
        match node.value:
            case bool():
                becomes = str(not node.value)
            case int() | float():
                becomes = repr(node.value + 1)
            case str():
                becomes = repr(node.value + "X")
            case bytes():
                becomes = repr(node.value + b"X")
            case _:
                return
        self._note("constant", node, becomes)

    def visit_Compare(self, node: ast.Compare) -> None:
        if self._decorated and len(node.ops) == 1 and type(node.ops[0]) in _FLIPPED:
            sign = _FLIPPED[type(node.ops[0])]
            self._note("comparison", node, f"{ast.unparse(node.left)} {sign} {ast.unparse(node.comparators[0])}")
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        if self._function:
            self.visit(node.slice)

    def visit_Set(self, node: ast.Set | ast.List | ast.Tuple) -> None:
        if not self._function and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            self._drop_each(node, [(one, one) for one in node.elts])
        self.generic_visit(node)

    visit_List = visit_Tuple = visit_Set  # noqa: N815 - ast's names

    def visit_Dict(self, node: ast.Dict) -> None:
        if not self._function:
            self._drop_each(node, [(key or value, value) for key, value in zip(node.keys, node.values, strict=True)])
        self.generic_visit(node)

    # Anywhere

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self._note("value", part, "")
                self.visit(part.value)
            elif isinstance(part, ast.Constant) and str(part.value).strip():
                start, _ = self._span(part)
                self._add("text", start, start, "XX")

    def visit_Call(self, node: ast.Call) -> None:
        if not _is_for_people(node):
            self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if self._function:
            self._note("condition", node.test, "False")
            if not isinstance(node.body[-1], _LEAVING):
                self._note("condition", node.test, "True")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for dropped in node.values:
            rest = [ast.unparse(one) for one in node.values if one is not dropped]
            sign = " and " if isinstance(node.op, ast.And) else " or "
            self._note("operand", node, f"({sign.join(f'({one})' for one in rest)})")
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._note("condition", test, "True")
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if isinstance(node.type, ast.Tuple):
            self._drop_each(node.type, [(one, one) for one in node.type.elts])
        self._visit_block(node.body)

    # How changes are noted

    def _visit_all(self, nodes: Sequence[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _visit_block(self, body: Sequence[ast.stmt]) -> None:
        if self._function:
            for statement in body:
                if _acts(statement):
                    self._note("statement", statement, "pass")
            for first, second in pairwise(body):
                if _calls(first) and _calls(second) and not _needs(second, first):
                    (start, first_end), (second_start, end) = self._span(first), self._span(second)
                    parts = (second_start, end), (first_end, second_start), (start, first_end)
                    swapped = b"".join(self._source[begin:stop] for begin, stop in parts)
                    self._add("order", start, end, swapped.decode())
        self._visit_all(body)

    def _drop_each(self, node: ast.expr, pairs: Sequence[tuple[ast.expr, ast.expr]]) -> None:
        """Drop each element: with the comma after it, or the last one with the comma before it."""
        for place, (first, last) in enumerate(pairs):
            start, end = self._span(first)[0], self._span(last)[1]
            if place + 1 < len(pairs):
                self._add("element", start, self._span(pairs[place + 1][0])[0], "")
            elif place:
                before = self._span(pairs[place - 1][1])[1]
                rest = self._source[end : self._span(node)[1]].decode().lstrip()
                self._add("element", before, end, "," if isinstance(node, ast.Tuple) and rest[:1] != "," else "")
            elif isinstance(node, ast.Set):
                self._note("element", node, "set()")
            else:
                self._note("element", node, {ast.List: "[]", ast.Tuple: "()", ast.Dict: "{}"}[type(node)])

    def _note(self, kind: str, node: ast.expr | ast.stmt, text: str) -> None:
        self._add(kind, *self._span(node), text)

    def _add(self, kind: str, start: int, end: int, text: str) -> None:
        self.found.append(Change(self._module, kind, self._function, self._names, start, end, text))

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.lineno - 1] + node.col_offset, self._starts[node.end_lineno - 1] + node.end_col_offset


def _is_python(source: bytes) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _is_for_people(call: ast.Call) -> bool:
    called = ast.unparse(call.func)
    return called in _UNTOUCHED_CALLS or called.startswith("_LOG.")


def _acts(statement: ast.stmt) -> bool:
    """Whether a statement does something that stays: a call, a change of something that was there."""
    match statement:
        case ast.Expr(value=ast.Call() as call):
            return not _is_for_people(call)
        case ast.AugAssign():
            return True
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):  # no mere name, as `del unused`
            return any(isinstance(one, ast.Attribute | ast.Subscript) for one in targets)
        case _:
            return False


def _calls(statement: ast.stmt) -> bool:
    """Whether a statement does something by a call, which another call before it could meet."""
    return _acts(statement) and any(isinstance(one, ast.Call) for one in ast.walk(statement))


def _needs(second: ast.stmt, first: ast.stmt) -> bool:
    """Whether the second statement reads a name that the first one sets."""
    written = {one.id for one in ast.walk(first) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    return bool(written & {one.id for one in ast.walk(second) if isinstance(one, ast.Name)})
