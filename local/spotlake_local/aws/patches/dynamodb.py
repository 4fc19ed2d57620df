"""DynamoDB: speed alone, for an upsert of 150,000 items.

Each PartiQL text is parsed once, and parameters are put into the parsed form. Items are copied as plain values.
"""

from __future__ import annotations

import copy
import functools
import operator
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from ministack.services import dynamodb

from spotlake_local.aws.patches import need

_KEPT_TEXTS = 256
_KEPT_NUMBERS = 65_536
type _Value = dict[str, Any]
type _Filled = Callable[[Sequence[_Value]], Any]  # parameters -> a parsed statement, or a part of it


def install() -> None:
    """Without this patch an upsert of a full run takes twice as long."""
    need(dynamodb, "copy", "items copied quickly")
    dynamodb.parse_partiql_statement = parsing_once(need(dynamodb, "parse_partiql_statement", "PartiQL parsed once"))
    # A batch parses each statement to look at it, and again to execute it.
    dynamodb._parse_partiql = parsing_again_at_once(need(dynamodb, "_parse_partiql", "PartiQL parsed once"))
    check_number = need(dynamodb, "_partiql_number_param_error", "numbers checked once")
    dynamodb._partiql_number_param_error = kept_for_texts(check_number)
    check_parameter = need(dynamodb, "_partiql_parameter_error", "parameters checked quickly")
    dynamodb._partiql_parameter_error = checking_plainly(
        check_parameter, dynamodb._partiql_number_param_error, need(dynamodb, "_DDB_MAX_NESTING_DEPTH", "parameters")
    )
    dynamodb._number_size_bytes = kept_for_texts(need(dynamodb, "_number_size_bytes", "items measured quickly"))
    size = need(dynamodb, "_attribute_value_size", "items measured quickly")
    dynamodb._attribute_value_size = measuring_plainly(size, dynamodb._number_size_bytes)
    dynamodb.copy = SimpleNamespace(deepcopy=copied, copy=copy.copy)


def parsing_once(parse: Callable[..., Any]) -> Callable[..., Any]:
    """The same result as ``parse(text, parameters)``, but quicker for a repeated text."""
    templates = functools.lru_cache(_KEPT_TEXTS)(functools.partial(_template, parse))

    def parse_once(text: str, parameters: Sequence[_Value] | None) -> Any:
        if not parameters or not all(isinstance(one, dict) and len(one) == 1 for one in parameters):
            return parse(text, parameters)  # the emulator then refuses it in its own words
        made = templates(text, tuple([next(iter(one)) for one in parameters]))
        return parse(text, parameters) if made is None else made(parameters)

    return parse_once


def parsing_again_at_once(parse: Callable[..., Any]) -> Callable[..., Any]:
    """The same result as ``parse(text, parameters)``; the second call in a row for the same list has the first's."""
    kept = threading.local()

    def parse_again(text: str, parameters: object) -> Any:
        before, kept.last = getattr(kept, "last", None), None
        if before is not None and before[0] is text and before[1] is parameters:
            return before[2]
        found = parse(text, parameters)
        kept.last = (text, parameters, found)
        return found

    return parse_again


def kept_for_texts[Found](work: Callable[[Any], Found]) -> Callable[[Any], Found]:
    """The same result as ``work(text)``, but quicker for a repeated text."""
    kept = functools.lru_cache(_KEPT_NUMBERS)(work)
    return lambda text: kept(text) if type(text) is str else work(text)


def checking_plainly(
    check: Callable[..., str | None], check_number: Callable[[object], str | None], deepest: int
) -> Callable[..., str | None]:
    """The same result as ``check(value, level)``, but quicker for texts, numbers, and maps of them."""

    def check_plainly(value: Any, level: int = 1) -> str | None:
        if level <= deepest and type(value) is dict and len(value) == 1:
            for kind, inner in value.items():
                if kind == "S":
                    return None
                if kind == "N":
                    return check_number(inner)
                if kind == "M" and type(inner) is dict:
                    for child in inner.values():
                        error = check_plainly(child, level + 1)
                        if error:
                            return error
                    return None
        return check(value, level)

    return check_plainly


def measuring_plainly(size: Callable[[Any], int], number_size: Callable[[Any], int]) -> Callable[[Any], int]:
    """The same result as ``size(value)``, but quicker for texts, numbers, and maps of them."""

    def measure(value: Any) -> int:
        if type(value) is dict and len(value) == 1:
            for kind, inner in value.items():
                if kind == "S" and type(inner) is str:
                    return _bytes_of(inner)
                if kind == "N":
                    return number_size(inner)
                if kind == "M" and type(inner) is dict:
                    total = 3
                    for name, child in inner.items():
                        total += 1 + _bytes_of(name) + measure(child)
                    return total
        return size(value)

    return measure


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def copied(value: Any) -> Any:
    """A deep copy of JSON types and bytes. Other types go to ``copy``."""
    kind = type(value)
    if kind is dict:
        return {name: one if type(one) is str else copied(one) for name, one in value.items()}
    if kind is list:
        return [copied(one) for one in value]
    return value if kind in {str, int, float, bool, bytes, type(None)} else copy.deepcopy(value)


def _template(parse: Callable[..., Any], text: str, types: tuple[str, ...]) -> _Filled | None:
    """Makes a parsed statement from its parameters; None where the parser needs the real values, or refuses the text.

    The parser checks types of parameters, so each combination of types has its own template.
    """
    slots = [{kind: "0"} for kind in types]
    try:
        template = parse(text, slots)
    except ValueError:
        return None
    places = {id(slot): place for place, slot in enumerate(slots)}
    return _filling(template, places) if _found(template, places.keys()) == places.keys() else None


def _found(node: Any, slots: Collection[int]) -> set[int]:
    if id(node) in slots:
        return {id(node)}
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    return set().union(*(_found(child, slots) for child in children))


def _filling(node: Any, places: Mapping[int, int]) -> _Filled | None:
    """Makes a copy of a node from the parameters; None: the node itself serves, since nobody can change it."""
    if id(node) in places:
        return operator.itemgetter(places[id(node)])
    if not isinstance(node, dict | list | tuple):
        return None
    children = list(node.items() if isinstance(node, dict) else enumerate(node))
    filled = [(name, fill) for name, child in children if (fill := _filling(child, places)) is not None]
    if type(node) is tuple and not filled:
        return None

    def made(values: Sequence[_Value]) -> Any:
        copy_of_node = dict(node) if isinstance(node, dict) else list(node)
        for name, fill in filled:
            copy_of_node[name] = fill(values)
        return copy_of_node

    return made if type(node) is not tuple else lambda values: tuple(made(values))
