"""The part of Resource Graph's query language that the spot tables need: parse it, or refuse it (pure).

``table | where ... | project ... | order by ... | limit n``, with ``==``, ``=~``, ``!=``, ``in``, ``in~``,
``isnotempty`` and ``tostring``. Anything else is refused, as Azure refuses what it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'[^']*'|"[^"]*")|(?P<word>[A-Za-z_][\w.]*~?)|(?P<number>\d+)|(?P<sign>==|=~|!=|[|(),=]))"""
)
# What the table's own columns are; all that lies in sku or properties is dynamic.
_TEXT_COLUMNS = frozenset({"id", "name", "type", "kind", "location", "tenantId", "subscriptionId"})

type Row = Mapping[str, Any]
type Test = Callable[[Row], bool]


class QueryError(Exception):
    """The query cannot be understood.

    Attributes:
        position: Where, from 0.
        token: What stands there.
    """

    def __init__(self, position: int = 0, token: str = "") -> None:
        """Where, and what was found."""
        super().__init__(f"at {position}: {token}")
        self.position, self.token = position, token


@dataclass(frozen=True)
class Column:
    """An output column: its name, where it comes from, whether it is text (else dynamic)."""

    name: str
    source: str
    is_text: bool


@dataclass(frozen=True)
class Query:
    """A parsed query.

    Attributes:
        table: Lower case.
        tests: On source rows, all of which hold.
        columns: Of the output.
        order: (column, descending) pairs.
        limit: At most so many rows in all; such a query has one page only.
        locations: That ``where`` names, lower case; None: all.
        types: The same of the rows' type.
    """

    table: str
    tests: tuple[Test, ...]
    columns: tuple[Column, ...]
    order: tuple[tuple[str, bool], ...]
    limit: int | None
    locations: frozenset[str] | None
    types: frozenset[str] | None = None

    @property
    def has_pages(self) -> bool:
        """Whether there is a token to go on: not after ``limit``, nor when every column is dynamic."""
        return self.limit is None and any(column.is_text for column in self.columns)

    def sorted(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """``rows`` in the query's order."""
        for name, descending in reversed(self.order):
            rows = sorted(rows, key=lambda row, name=name: str(row[name]), reverse=descending)  # type: ignore[misc]
        return rows


def parse_query(text: str) -> Query:
    """Parse a query. Raises QueryError for anything unknown."""
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.position = 0
        self.tests: list[Test] = []
        self.columns: list[Column] = []
        self.order: list[tuple[str, bool]] = []
        self.limit: int | None = None
        self.locations: frozenset[str] | None = None
        self.types: frozenset[str] | None = None

    def parse(self) -> Query:
        table = self._word()
        stages = {
            "where": self._where,
            "project": self._project,
            "order": self._order,
            "sort": self._order,
            "limit": self._limit,
            "take": self._limit,
        }
        while self._peek():
            self._need("|")
            verb = self._word()
            if verb not in stages:
                raise self._error()
            stages[verb]()
        if not self.columns or not {name for name, _ in self.order} <= {column.name for column in self.columns}:
            raise self._error()
        return Query(
            table.lower(),
            tuple(self.tests),
            tuple(self.columns),
            tuple(self.order),
            self.limit,
            self.locations,
            self.types,
        )

    def _where(self) -> None:
        self.tests.append(self._condition())
        while self._take("and"):
            self.tests.append(self._condition())

    def _condition(self) -> Test:
        if self._take("isnotempty"):
            self._need("(")
            source = self._source()
            self._need(")")
            return lambda row: bool(row.get(source))
        source = self._source()
        operator = self._next()
        if operator in ("in", "in~"):
            self._need("(")
            values = [self._text()]
            while self._take(","):
                values.append(self._text())
            self._need(")")
        elif operator in ("==", "=~", "!="):
            values = [self._text()]
        else:
            raise self._error()
        return self._comparison(source, operator, values)

    def _comparison(self, source: str, operator: str, values: list[str]) -> Test:
        folded = operator in ("=~", "in~")
        wanted = frozenset(value.lower() if folded else value for value in values)
        if operator == "!=":
            return lambda row: row.get(source) not in wanted
        if source == "location":
            self.locations = wanted if self.locations is None else self.locations & wanted
        if source == "type" and folded:
            self.types = wanted if self.types is None else self.types & wanted
        if folded:
            return lambda row: str(row.get(source, "")).lower() in wanted
        return lambda row: row.get(source) in wanted

    def _project(self) -> None:
        columns = [self._column()]
        while self._take(","):
            columns.append(self._column())
        self.columns = columns

    def _column(self) -> Column:
        name = "" if self._peek() == "tostring" else self._word()
        if name and not self._take("="):
            return Column(name, name, name in _TEXT_COLUMNS)
        if self._take("tostring"):
            self._need("(")
            source = self._word()
            self._need(")")
            return Column(name or source.replace(".", "_"), source, is_text=True)
        source = self._word()
        return Column(name, source, source in _TEXT_COLUMNS)

    def _order(self) -> None:
        self._need("by")
        more = True
        while more:
            name = self._word()
            # Kusto sorts downwards unless told otherwise.
            self.order.append((name, not self._take("asc")))
            self._take("desc")
            more = self._take(",")

    def _limit(self) -> None:
        number = self._next()
        if not number.isdecimal():
            raise self._error()
        self.limit = int(number)

    def _source(self) -> str:
        """A column of the table; an alias of ``project`` is traced back."""
        name = self._word()
        return next((column.source for column in self.columns if column.name == name), name)

    def _text(self) -> str:
        token = self._next()
        if token[0] not in "'\"":
            raise self._error()
        return token[1:-1]

    def _word(self) -> str:
        token = self._next()
        if not (token[0].isalpha() or token[0] == "_"):
            raise self._error()
        return token

    def _peek(self) -> str:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise self._error()
        self.position += 1
        return token

    def _take(self, token: str) -> bool:
        found = self._peek() == token
        self.position += found
        return found

    def _need(self, token: str) -> None:
        if not self._take(token):
            self.position += 1
            raise self._error()

    def _error(self) -> QueryError:
        """At the token that was read last."""
        if not self.tokens:
            return QueryError()
        return QueryError(*self.tokens[min(max(self.position - 1, 0), len(self.tokens) - 1)])


def _tokens(text: str) -> list[tuple[int, str]]:
    tokens: list[tuple[int, str]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            bad = end - len(text[position:end].lstrip())
            raise QueryError(bad, text[bad : bad + 1])
        tokens.append((found.start(found.lastgroup or 0), found[found.lastgroup or 0]))
        position = found.end()
    return tokens
