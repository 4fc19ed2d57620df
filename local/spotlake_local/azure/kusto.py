"""Parses the part of Resource Graph's query language that queries of spot data use (pure).

``table | where | project | extend | order by | limit | top | distinct | summarize | count``, with comments, ``and``,
``or``, ``not``, parentheses, parts of dynamic columns and the functions of ``kusto_values``. Anything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from spotlake_local.azure.kusto_values import COLUMNS, Condition, Parser, QueryError, Row, Value

__all__ = ["Column", "Query", "QueryError", "Row", "parse_query"]

type Rows = list[dict[str, Any]]
type Stream = Iterable[dict[str, Any]]
type Stage = Callable[[Stream], Stream]  # makes only as many rows as the answer needs


@dataclass(frozen=True)
class Column:
    """An output column: its name, whether it is text or a number (else dynamic)."""

    name: str
    is_scalar: bool


@dataclass(frozen=True)
class Query:
    """A parsed query.

    Attributes:
        table: Lower case.
        stages: Operations on the table's rows, in order.
        columns: Columns of the output.
        is_ordered: Whether the query orders its output.
        is_limited: Whether the query ends in a limit. Such a query has only one page.
        locations: Locations that a ``where`` requires, in lower case; None: all.
        types: Row types that a ``where`` requires; None: all.
        sizes: Values of ``sku.name`` that a ``where`` requires; None: all.
    """

    table: str
    stages: tuple[Stage, ...]
    columns: tuple[Column, ...]
    is_ordered: bool
    is_limited: bool
    locations: frozenset[str] | None
    types: frozenset[str] | None
    sizes: frozenset[str] | None

    @property
    def has_pages(self) -> bool:
        """Whether a page has a token for the next: not after ``limit``, nor if every column is dynamic."""
        return not self.is_limited and any(column.is_scalar for column in self.columns)

    def answer(self, rows: Iterable[Row]) -> Rows:
        """The output for a table's rows."""
        found: Stream = (dict(row) for row in rows)
        for stage in self.stages:
            found = stage(found)
        names = [column.name for column in self.columns]
        return [{name: row.get(name) for name in names} for row in found]


def parse_query(text: str) -> Query:
    """Parse a query. Raises QueryError for anything unknown."""
    return _Stages(text).parse()


class _Stages(Parser):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.stages: list[Stage] = []
        self.is_ordered = self.is_limited = False
        self.needs: dict[str, frozenset[str]] = {}

    def parse(self) -> Query:
        table = self.word()
        verbs = {
            "where": self._where, "project": self._project, "extend": self._extend, "order": self._order,
            "sort": self._order, "limit": self._limit, "take": self._limit, "top": self._top,
            "distinct": self._distinct, "summarize": self._summarize, "count": self._count,
        }  # fmt: skip
        while self.peek():
            self.need("|")
            verb = self.word()
            if verb not in verbs:
                raise self.error()
            verbs[verb]()
        return Query(
            table=table.lower(),
            stages=tuple(self.stages),
            columns=tuple(Column(name, is_scalar) for name, is_scalar in self.scalars.items()),
            is_ordered=self.is_ordered,
            is_limited=self.is_limited,
            locations=self.needs.get("location"),
            types=self.needs.get("type"),
            sizes=self.needs.get("sku_name"),
        )

    def _where(self) -> None:
        condition: Condition = self.condition()
        self.stages.append(lambda rows: (row for row in rows if condition.test(row)))
        if set(COLUMNS) <= set(self.scalars):  # otherwise a column could have the name of another
            for column, values in condition.needs.items():
                self.needs[column] = self.needs.get(column, values) & values

    def _named(self) -> list[tuple[str, Value]]:
        """``name = value``, or a value with its own name, separated by commas."""
        found = [self._one_named()]
        while self.take(","):
            found.append(self._one_named())
        return found

    def _one_named(self) -> tuple[str, Value]:
        following = self.tokens[self.position + 1][1] if self.position + 1 < len(self.tokens) else ""
        name = ""
        if following == "=":
            name = self.word()
            self.need("=")
        value = self.value()
        return name or value.name or f"Column{self.position}", value

    def _project(self) -> None:
        self._set(self._named())

    def _set(self, columns: Sequence[tuple[str, Value]]) -> None:
        self.stages.append(lambda rows: ({name: value.of(row) for name, value in columns} for row in rows))
        self.scalars = {name: value.is_scalar for name, value in columns}

    def _extend(self) -> None:
        columns = self._named()
        self.stages.append(lambda rows: ({**row, **{name: value.of(row) for name, value in columns}} for row in rows))
        self.scalars |= {name: value.is_scalar for name, value in columns}

    def _order(self) -> None:
        self.need("by")
        keys = [self._key()]
        while self.take(","):
            keys.append(self._key())
        self._sort(keys)

    def _key(self) -> tuple[Value, bool]:
        value = self.value()
        # Kusto sorts in descending order by default.
        descending = not self.take("asc")
        self.take("desc")
        return value, descending

    def _sort(self, keys: Sequence[tuple[Value, bool]]) -> None:
        def stage(rows: Stream) -> Stream:
            for value, descending in reversed(keys):
                rows = sorted(rows, key=lambda row, of=value.of: _rank(of(row)), reverse=descending)  # type: ignore[misc]
            return rows

        self.stages.append(stage)
        self.is_ordered = True

    def _number(self) -> int:
        number = self.next()
        if not number.isdecimal():
            raise self.error()
        return int(number)

    def _limit(self) -> None:
        most = self._number()
        self.stages.append(lambda rows: islice(rows, most))
        self.is_limited = True

    def _top(self) -> None:
        most = self._number()
        self._order()
        self.stages.append(lambda rows: islice(rows, most))
        self.is_limited = True

    def _distinct(self) -> None:
        self._project()
        self.stages.append(lambda rows: list({repr(row): row for row in rows}.values()))

    def _count(self) -> None:
        self.stages.append(lambda rows: [{"Count": sum(1 for _ in rows)}])
        self.scalars = {"Count": True}

    def _summarize(self) -> None:
        """``[name =] count()`` or max, min, avg of a value, by values."""
        sums = [self._aggregate()]
        while self.take(","):
            sums.append(self._aggregate())
        by = self._named() if self.take("by") else []

        def stage(rows: Stream) -> Stream:
            groups: dict[str, tuple[dict[str, Any], Rows]] = {}
            for row in rows:
                head = {name: value.of(row) for name, value in by}
                groups.setdefault(repr(head), (head, []))[1].append(row)
            return [{**head, **{name: of(found) for name, of in sums}} for head, found in groups.values()]

        self.stages.append(stage)
        self.scalars = {**{name: value.is_scalar for name, value in by}, **{name: True for name, _ in sums}}

    def _aggregate(self) -> tuple[str, Callable[[Rows], Any]]:
        name = self.word()
        given = name if self.take("=") else ""
        function = self.word() if given else name
        self.need("(")
        if function == "count":
            self.need(")")
            return given or "count_", len
        if function not in ("max", "min", "avg"):
            raise self.error()
        value = self.value()
        self.need(")")

        def work(rows: Rows) -> Any:
            values = [one for row in rows if (one := value.of(row)) is not None]
            if not values:
                return None
            return sum(values) / len(values) if function == "avg" else {"max": max, "min": min}[function](values)

        return given or f"{function}_{value.name}", work


def _rank(value: object) -> tuple[int, float, str]:
    """Sort key: no value first, then numbers, then text."""
    if value is None:
        return 0, 0.0, ""
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, str(value))
