"""Values and conditions of Resource Graph's query language: parsed into functions of a row (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""(?:\s|//[^\n]*)*(?:(?P<text>'[^']*'|"[^"]*")|(?P<word>!?[A-Za-z_]\w*~?)"""
    r"""|(?P<number>\d+(?:\.\d+)?)|(?P<sign>==|=~|!=|!~|<=|>=|[|(),=<>.\[\]]))"""
)
# What the tables' own columns are; all that lies in sku or properties is dynamic.
TEXT_COLUMNS = frozenset({"id", "name", "type", "kind", "location", "tenantId", "subscriptionId"})
COLUMNS = (*sorted(TEXT_COLUMNS), "sku", "properties", "tags")
_PAIRS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "=~": lambda left, right: _low(left) == _low(right),
    "!~": lambda left, right: _low(left) != _low(right),
    "contains": lambda left, right: _low(right) in _low(left),
    "startswith": lambda left, right: _low(left).startswith(_low(right)),
    "endswith": lambda left, right: _low(left).endswith(_low(right)),
    "<": lambda left, right: _is_number(left) and left < right,
    "<=": lambda left, right: _is_number(left) and left <= right,
    ">": lambda left, right: _is_number(left) and left > right,
    ">=": lambda left, right: _is_number(left) and left >= right,
}
_TRUTHS = {"true": True, "false": False}
_LISTS = ("in", "in~", "!in", "!in~")

type Row = Mapping[str, Any]


class QueryError(Exception):
    """The query cannot be understood.

    Attributes:
        position: Position in the query, from 0.
        token: Token at the position.
    """

    def __init__(self, position: int = 0, token: str = "") -> None:
        """Where, and what was found."""
        super().__init__(f"at {position}: {token}")
        self.position, self.token = position, token


@dataclass(frozen=True)
class Value:
    """A value of a row.

    Attributes:
        of: The value, given the row.
        name: What a column of it is called when it is given no name.
        is_scalar: Whether it is text or a number, not dynamic: only such columns make a query page.
    """

    of: Callable[[Row], Any]
    name: str
    is_scalar: bool


@dataclass(frozen=True)
class Condition:
    """A test of a row, and the value lists that it needs a column to be in (for speed).

    Attributes:
        test: Whether a row passes.
        needs: Column -> values in lower case, one of which every passing row has.
    """

    test: Callable[[Row], bool]
    needs: Mapping[str, frozenset[str]]


class Parser:
    """Reads tokens one after the other; errors name the token read last."""

    def __init__(self, text: str) -> None:  # of one query
        self.tokens = list(_tokens(text))
        self.position = 0
        self.scalars = {name: name in TEXT_COLUMNS for name in COLUMNS}

    # -- conditions ----------------------------------------------------------------------------

    def condition(self) -> Condition:
        """``a and (b or c)``."""
        found = [self._all_of()]
        while self.take("or"):
            found.append(self._all_of())
        if len(found) == 1:
            return found[0]
        return Condition(lambda row: any(one.test(row) for one in found), {})

    def _all_of(self) -> Condition:
        found = [self._one()]
        while self.take("and"):
            found.append(self._one())
        needs: dict[str, frozenset[str]] = {}
        for one in found:
            for column, values in one.needs.items():
                needs[column] = needs.get(column, values) & values
        return Condition(lambda row: all(one.test(row) for one in found), needs)

    def _one(self) -> Condition:
        if self.take("not"):
            self.need("(")
            inner = self.condition()
            self.need(")")
            return Condition(lambda row: not inner.test(row), {})
        if self.take("("):
            inner = self.condition()
            self.need(")")
            return inner
        left = self.value()
        operator = self.peek()
        if operator in _LISTS:
            return self._in_list(left, self.next())
        if operator in _PAIRS:
            return self._pair(left, self.next())
        if left.name.startswith("is"):
            return Condition(lambda row: bool(left.of(row)), {})
        self.next()
        raise self.error()

    def _pair(self, left: Value, operator: str) -> Condition:
        right, holds = self.value(), _PAIRS[operator]
        literal = right.of({}) if right.name == "" else None
        is_needed = operator in ("==", "=~") and isinstance(literal, str)
        needs = {left.name: frozenset({_low(literal)})} if is_needed else {}
        return Condition(lambda row: holds(left.of(row), right.of(row)), needs)

    def _in_list(self, left: Value, operator: str) -> Condition:
        self.need("(")
        values = [self.value().of({})]
        while self.take(","):
            values.append(self.value().of({}))
        self.need(")")
        folded, negated = operator.endswith("~"), operator.startswith("!")
        wanted = frozenset(_low(value) if folded else value for value in values)
        needs = {} if negated else {left.name: frozenset(_low(value) for value in values)}
        return Condition(lambda row: ((_low(left.of(row)) if folded else left.of(row)) in wanted) is not negated, needs)

    # -- values --------------------------------------------------------------------------------

    def value(self) -> Value:
        """A literal, a column, a part of a dynamic one (``properties.spotPrices[0].priceUSD``), or a function."""
        token = self.next()
        if token[0] in "'\"":
            return Value(lambda _: token[1:-1], "", is_scalar=True)
        if token[0].isdigit():
            number = float(token) if "." in token else int(token)
            return Value(lambda _: number, "", is_scalar=True)
        if token in _TRUTHS:
            return Value(lambda _: _TRUTHS[token], "", is_scalar=True)
        if not (token[0].isalpha() or token[0] == "_"):
            raise self.error()
        found = self._function(token) if self.peek() == "(" else self._column(token)
        while self.peek() in (".", "["):
            found = self._part(found)
        return found

    def _column(self, name: str) -> Value:
        if name not in self.scalars:
            raise self.error()
        return Value(lambda row: row.get(name), name, is_scalar=self.scalars[name])

    def _part(self, whole: Value) -> Value:
        if self.take("."):
            key: Any = self.word()
        else:
            self.need("[")
            token = self.next()
            key = int(token) if token.isdecimal() else token.strip("'\"")
            self.need("]")

        def part(row: Row) -> Any:
            value = whole.of(row)
            if isinstance(key, int):
                return value[key] if isinstance(value, list) and key < len(value) else None
            return value.get(key) if isinstance(value, Mapping) else None

        return Value(part, f"{whole.name}_{key}", is_scalar=False)

    def _function(self, name: str) -> Value:
        if name not in _FUNCTIONS:
            raise self.error()
        self.need("(")
        arguments = [self.value()]
        while self.take(","):
            arguments.append(self.value())
        self.need(")")
        work, is_scalar = _FUNCTIONS[name]
        # A conversion keeps its argument's name; what is asked about a value is a condition.
        shown = name if name.startswith("is") else arguments[0].name
        return Value(lambda row: work(*(one.of(row) for one in arguments)), shown, is_scalar=is_scalar)

    def word(self) -> str:
        """The next token, which is a word."""
        token = self.next()
        if not (token[0].isalpha() or token[0] == "_"):
            raise self.error()
        return token

    def peek(self) -> str:
        """The next token, which stays; "" at the end."""
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    def next(self) -> str:
        """The next token."""
        token = self.peek()
        if not token:
            raise self.error()
        self.position += 1
        return token

    def take(self, token: str) -> bool:
        """Whether the next token is this one, which is then read."""
        found = self.peek() == token
        self.position += found
        return found

    def need(self, token: str) -> None:
        """Read this token. Raises QueryError for another."""
        if not self.take(token):
            self.position += 1
            raise self.error()

    def error(self) -> QueryError:
        """At the token that was read last."""
        if not self.tokens:
            return QueryError()
        return QueryError(*self.tokens[min(max(self.position - 1, 0), len(self.tokens) - 1)])


def text_of(value: object) -> str:
    """``tostring``: nothing is empty, a list its JSON."""
    if value is None:
        return ""
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list | dict) else str(value)


def _number_of(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


_FUNCTIONS: Mapping[str, tuple[Callable[..., Any], bool]] = {
    "tostring": (text_of, True),
    "tolower": (lambda value: text_of(value).lower(), True),
    "toupper": (lambda value: text_of(value).upper(), True),
    "strcat": (lambda *values: "".join(map(text_of, values)), True),
    "todouble": (_number_of, True),
    "toreal": (_number_of, True),
    "toint": (lambda value: None if _number_of(value) is None else int(_number_of(value) or 0), True),
    "array_length": (lambda value: len(value) if isinstance(value, list) else None, True),
    "parse_json": (_parsed, False),
    "todynamic": (_parsed, False),
    "isnotempty": (lambda value: text_of(value) != "", True),
    "isempty": (lambda value: text_of(value) == "", True),
    "isnotnull": (lambda value: value is not None, True),
    "isnull": (lambda value: value is None, True),
}


def _low(value: object) -> str:
    return text_of(value).lower()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _tokens(text: str) -> list[tuple[int, str]]:
    tokens: list[tuple[int, str]] = []
    text = re.sub(r"//[^\n]*", lambda found: " " * len(found[0]), text)
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            bad = end - len(text[position:end].lstrip())
            raise QueryError(bad, text[bad : bad + 1])
        tokens.append((found.start(found.lastgroup or 0), found[found.lastgroup or 0]))
        position = found.end()
    return tokens
