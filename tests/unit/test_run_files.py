"""Stored JSON that is not what it should be is told by key, field and value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import orjson
import pytest

from spotlake.checked import checked
from spotlake.errors import StoreError
from spotlake.run_files import parse_execution, parse_manifest
from tests.support.errors import says


class Row(TypedDict):
    name: str
    count: int
    note: NotRequired[str | None]


class File(TypedDict):
    rows: list[Row]
    by_region: dict[str, int]


class Xes(TypedDict):
    Xs: list[int]
    X: dict[str, int]


@dataclass
class Point:
    x: int


GOOD: dict[str, Any] = {"rows": [{"name": "a", "count": 1}], "by_region": {"eastus": 1}}


def test_what_fits_is_returned_and_what_the_type_lacks_is_dropped() -> None:
    more = {**GOOD, "extra": 1, "rows": [{"name": "a", "count": 1, "note": None, "extra": 2}]}
    assert checked(more, File, key="k") == {**GOOD, "rows": [{"name": "a", "count": 1, "note": None}]}
    assert checked({"x": 1}, Point, key="k") == Point(1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"by_region": {}}, "rows is missing"),
        ({**GOOD, "rows": [{"name": "a"}]}, "rows[0].count is missing"),
        ({**GOOD, "rows": [*GOOD["rows"], {"name": 7, "count": 1}]}, "rows[1].name is 7: Expected `str`, got `int`"),
        ({**GOOD, "rows": "none"}, "rows is 'none': Expected `array`, got `str`"),
        ({**GOOD, "by_region": {"eastus": "x"}}, "by_region[...]: Expected `int`, got `str`"),
        ([], "Expected `object`, got `array`"),
        (
            {**GOOD, "rows": "x" * 79},
            f"rows is '{'x' * 79}...: Expected `array`, got `str`",
        ),
        ({**GOOD, "rows": "x" * 78}, f"rows is '{'x' * 78}': Expected `array`, got `str`"),
    ],
)
def test_a_fault_is_told_with_its_place_and_its_value(content: Any, said: str) -> None:
    with says(StoreError, f"runs/x.json is damaged: {said}") as raised:
        checked(content, File, key="runs/x.json")
    assert type(raised.value.__cause__).__name__ == "ValidationError"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"X": {}}, "Xs is missing"),
        ({"Xs": [], "X": {"a": "b"}}, "X[...]: Expected `int`, got `str`"),
        ({"Xs": [1, "two"], "X": {}}, "Xs[1] is 'two': Expected `int`, got `str`"),
    ],
)
def test_names_of_fields_are_told_whole(content: Any, said: str) -> None:
    with says(StoreError, f"k is damaged: {said}"):
        checked(content, Xes, key="k")


ENTRY = {"oldest_score_age_minutes": 5.0, "coverage_percent": 99.0, "status": "complete", "sps_calls": 0}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "m is damaged: JSONDecodeError: unexpected end of data: line 1 column 2 (char 1)"),
        (b"{}", "m is damaged: schema is missing"),
        (b"[]", "m is damaged: TypeError: list indices must be integers or slices, not str"),
        (b'{"schema": 1}', "m is damaged: coverage is missing"),
        (b'{"schema": 1, "coverage": 7}', "m is damaged: TypeError: 'int' object is not iterable"),
        (
            orjson.dumps({"schema": 1, "coverage": {}, "rows": {"sps": 1, "price": 0, "eviction": 0}, **ENTRY}),
            "m is damaged: run_id is missing",
        ),
        (b'{"schema": 3}', "m: schema 3, this code reads 1 and 2"),
        (b'{"schema": "2"}', "m: schema '2', this code reads 1 and 2"),
        (b'{"schema": 2}', "m is damaged: run_id is missing"),
    ],
)
def test_a_file_that_is_no_manifest_says_why(body: bytes, said: str) -> None:
    with pytest.raises(StoreError) as raised:
        parse_manifest(body, "m")
    # The order in which msgspec looks for fields is its own.
    assert str(raised.value) == said or (
        "run_id" in said and re.fullmatch(r"m is damaged: \w+ is missing", str(raised.value))
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"{", "e is damaged: unexpected end of data: line 1 column 2 (char 1)"), (b"7", "Expected `object`, got `int`")],
)
def test_a_file_that_is_no_execution_says_why(body: bytes, said: str) -> None:
    with says(StoreError, said if said.startswith("e ") else f"e is damaged: {said}"):
        parse_execution(body, "e")
