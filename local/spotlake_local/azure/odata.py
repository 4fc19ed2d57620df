"""The filter grammar of the retail prices API: eq, and, or, parentheses, contains (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_COMPARISONS = 20
FIELDS = frozenset(
    "armRegionName location meterId meterName productId skuId productName skuName serviceName serviceId serviceFamily "
    "priceType armSkuName type reservationTerm currencyCode".split()
)
PRICE_TYPES = frozenset({"Consumption", "Reservation", "DevTestConsumption", "SavingsPlan"})
_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z][A-Za-z0-9]*)|(?P<sign>[(),]))")

type Row = Mapping[str, Any]
type Test = Callable[[Row], bool]


class FilterError(Exception):
    """The API answers "Invalid OData parameters supplied"."""


@dataclass(frozen=True)
class Filter:
    """A parsed filter: the test, and the one region of all matching rows, if there is one (for speed)."""

    test: Test
    region: str | None


def parse_filter(text: str, *, case_sensitive: bool) -> Filter:
    """Parse ``$filter``. An empty text matches everything. Raises FilterError."""
    if not text.strip():
        return Filter(lambda _: True, None)
    return _Parser(text, case_sensitive=case_sensitive).parse()


class _Parser:
    def __init__(self, text: str, *, case_sensitive: bool) -> None:
        self.tokens = list(_tokens(text))
        self.position = 0
        self.comparisons = 0
        self.regions: list[str] = []
        self.fold = (lambda value: value) if case_sensitive else str.lower

    def parse(self) -> Filter:
        test = self._either()
        if self.position != len(self.tokens) or self.comparisons > MOST_COMPARISONS:
            raise FilterError
        return Filter(test, self.regions[0] if len(self.regions) == 1 else None)

    def _either(self) -> Test:
        outside = len(self.regions)
        tests = [self._both()]
        while self._take("or"):
            tests.append(self._both())
        if len(tests) > 1:
            del self.regions[outside:]  # a condition in one alternative does not bind every row
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._take("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._take("("):
            test = self._either()
            self._need(")")
            return test
        word = self._next()
        self.comparisons += 1
        if word == "contains":
            self._need("(")
            field = self._field()
            self._need(",")
            part = self.fold(self._text())
            self._need(")")
            return lambda row: part in self.fold(str(row.get(field, "")))
        field = self._field(word)
        if not self._take("eq"):
            raise FilterError
        return self._equal(field, self._text())

    def _equal(self, field: str, value: str) -> Test:
        if field == "priceType":
            if value not in PRICE_TYPES:
                raise FilterError
            field = "type"
        if field == "armRegionName":
            self.regions.append(value)
        folded = self.fold(value)
        return lambda row: self.fold(str(row.get(field, ""))) == folded

    def _field(self, word: str | None = None) -> str:
        name = self._next() if word is None else word
        if name not in FIELDS:
            raise FilterError
        return name

    def _text(self) -> str:
        token = self._next()
        if not token.startswith("'"):
            raise FilterError
        return token[1:-1].replace("''", "'")

    def _next(self) -> str:
        if self.position >= len(self.tokens):
            raise FilterError
        self.position += 1
        return self.tokens[self.position - 1]

    def _take(self, token: str) -> bool:
        found = self.position < len(self.tokens) and self.tokens[self.position] == token
        self.position += found
        return found

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise FilterError


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            raise FilterError
        tokens.append(found.group().strip() if not found["text"] else found["text"])
        position = found.end()
    return tokens
