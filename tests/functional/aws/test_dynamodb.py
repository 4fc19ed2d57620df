from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ministack.services import dynamodb
from ministack.services._dynamodb_keywords import parse_statement

from spotlake_local.aws.patches.dynamodb import (
    checking_plainly,
    copied,
    kept_for_texts,
    measuring_plainly,
    parsing_again_at_once,
    parsing_once,
)

STATEMENTS = (
    """INSERT INTO "azure-test" VALUE {'InstanceType': ?, 'Workload': ?, 'Scores': ?}""",
    'UPDATE "azure-test" SET "T2"=? SET "Scores"=? REMOVE "RetiredAt" WHERE "InstanceType"=? AND "Version" < ?',
    'SELECT * FROM "azure-test" WHERE "InstanceType" IN [?, ?]',
    'SELECT * FROM "azure-test" WHERE "InstanceType" IN ?',
    'UPDATE "azure-test" SET "Zones"=set_add("Zones", ?) WHERE "InstanceType"=?',
    """UPDATE "azure-test" SET "T2"=<<?, ?>> WHERE "InstanceType"='Standard_D2'""",
)
scalars = st.one_of(
    st.text(max_size=5).map(lambda one: {"S": one}),
    st.integers(-9, 9).map(lambda one: {"N": str(one)}),
    st.booleans().map(lambda one: {"BOOL": one}),
    st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=3, unique=True).map(lambda one: {"SS": one}),
)
values = scalars | st.dictionaries(st.text(max_size=3), scalars, max_size=3).map(lambda one: {"M": one})


def outcome(parse: Any, text: str, parameters: Any) -> Any:
    try:
        return parse(text, parameters)
    except (ValueError, KeyError) as error:
        return type(error), str(error)


@given(st.sampled_from(STATEMENTS), st.lists(st.lists(values, max_size=4), min_size=2, max_size=4))
def test_a_text_that_comes_again_is_parsed_as_the_first_time(text: str, calls: list[list[Any]]) -> None:
    quick = parsing_once(parse_statement)
    for parameters in calls:
        assert outcome(quick, text, parameters) == outcome(parse_statement, text, parameters)


def test_a_text_is_parsed_once_for_all_values_of_the_same_types() -> None:
    texts: list[str] = []

    def parse(text: str, parameters: Any) -> Any:
        texts.append(text)
        return parse_statement(text, parameters)

    quick = parsing_once(parse)
    for number in range(5):
        parsed = quick(STATEMENTS[0], [{"S": "Standard_D2"}, {"S": "eastus#1"}, {"N": str(number)}])
        assert parsed["item"]["Scores"] == {"N": str(number)}
    assert len(texts) == 1


def test_a_batch_parses_each_statement_once() -> None:
    made: list[object] = []

    def parse(text: str, parameters: object) -> object:
        made.append(parameters)
        return object()

    quick = parsing_again_at_once(parse)
    text, first, second = STATEMENTS[0], [{"S": "a"}], [{"S": "a"}]
    looked_at = quick(text, first)
    assert quick(text, first) is looked_at
    assert quick(text, first) is not looked_at  # a third time is another batch
    assert quick(text, second) is not looked_at
    assert [one is second for one in made] == [False, False, True]


@given(st.lists(st.one_of(st.text(), st.integers(), st.lists(st.integers()), st.none())))
def test_a_number_is_checked_as_the_first_time(given_numbers: list[object]) -> None:
    check = kept_for_texts(dynamodb._partiql_number_param_error)
    for number in given_numbers * 2:
        assert check(number) == dynamodb._partiql_number_param_error(number)


odd = st.recursive(
    st.one_of(st.none(), st.text(max_size=3), st.integers(), scalars, st.just({"N": "1e999999999999"}), st.just({})),
    lambda inner: st.one_of(
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(lambda one: {"M": one}),
        st.lists(inner, max_size=3).map(lambda one: {"L": one}),
    ),
    max_leaves=8,
)
NUMBER, DEEPEST = dynamodb._partiql_number_param_error, dynamodb._DDB_MAX_NESTING_DEPTH


@given(odd, st.sampled_from([1, DEEPEST - 1, DEEPEST, DEEPEST + 1]))
def test_a_parameter_is_refused_in_the_emulators_words(value: Any, level: int) -> None:
    check = checking_plainly(dynamodb._partiql_parameter_error, NUMBER, DEEPEST)
    assert check(value, level) == dynamodb._partiql_parameter_error(value, level)


@given(st.one_of(values, values.map(lambda one: {"L": [one]}), st.dictionaries(st.text(), values, min_size=2)))
def test_an_item_is_as_large_as_the_emulator_says(value: Any) -> None:
    measure = measuring_plainly(dynamodb._attribute_value_size, dynamodb._number_size_bytes)
    assert measure(value) == dynamodb._attribute_value_size(value)


def test_parameters_that_are_none_are_refused_in_the_emulators_words() -> None:
    with pytest.raises(ValueError, match=r"(?i)parameter"):
        parsing_once(parse_statement)(STATEMENTS[0], [])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_copy_is_equal_and_shares_nothing(value: Any) -> None:
    before = copy.deepcopy(value)
    made = copied(value)
    assert made == value
    _empty(made)
    assert value == before


def _empty(value: Any) -> None:
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _empty(child)
    if isinstance(value, dict | list):
        value.clear()
