"""DynamoDB: nothing but speed, for an upsert of 150,000 items.

A PartiQL text is parsed once, its parameters are put into what came of it; items are copied as the plain values they
are.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from ministack.services import dynamodb

from spotlake_local.aws.patches import need

_KEPT_TEXTS = 256
type _Value = dict[str, Any]


def install() -> None:
    """Without it an upsert of a full run takes twice as long."""
    need(dynamodb, "copy", "items copied quickly")
    dynamodb.parse_partiql_statement = parsing_once(need(dynamodb, "parse_partiql_statement", "PartiQL parsed once"))
    dynamodb.copy = SimpleNamespace(deepcopy=copied, copy=copy.copy)


def parsing_once(parse: Callable[..., Any]) -> Callable[..., Any]:
    """The same as ``parse(text, parameters)``, quicker when a text comes again."""
    templates = functools.lru_cache(_KEPT_TEXTS)(functools.partial(_template, parse))

    def parse_once(text: str, parameters: Sequence[_Value] | None) -> Any:
        if not parameters or not all(isinstance(one, dict) and len(one) == 1 for one in parameters):
            return parse(text, parameters)  # to be refused in the emulator's own words
        template, slots = templates(text, tuple(next(iter(one)) for one in parameters))
        if len(slots) != len(parameters):
            return parse(text, parameters)
        return _filled(template, dict(zip(slots, parameters, strict=True)))

    return parse_once


def copied(value: Any) -> Any:
    """A deep copy of JSON's types and bytes; others go to ``copy``."""
    kind = type(value)
    if kind is dict:
        return {name: one if type(one) is str else copied(one) for name, one in value.items()}
    if kind is list:
        return [copied(one) for one in value]
    return value if kind in {str, int, float, bool, bytes, type(None)} else copy.deepcopy(value)


def _template(parse: Callable[..., Any], text: str, types: tuple[str, ...]) -> tuple[Any, tuple[int, ...]]:
    """A parsed statement with a slot for each parameter, and the slots' identities.

    The parser checks the types of parameters, so each combination has a template. No slots: the parser looks
    into values too (or refuses the text), and must see the real ones.
    """
    slots = [{kind: "0"} for kind in types]
    try:
        template = parse(text, slots)
    except ValueError:
        return None, ()
    kept = {id(slot) for slot in slots}
    return (template, tuple(map(id, slots))) if _found(template, kept) == kept else (None, ())


def _found(node: Any, slots: set[int]) -> set[int]:
    if id(node) in slots:
        return {id(node)}
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    return set().union(*(_found(child, slots) for child in children))


def _filled(node: Any, values: dict[int, _Value]) -> Any:
    kind = type(node)
    if kind is str:
        return node
    if kind is tuple:
        return tuple([_filled(child, values) for child in node])
    if kind is dict:
        known = values.get(id(node))
        return {name: _filled(child, values) for name, child in node.items()} if known is None else known
    if kind is list:
        return [_filled(child, values) for child in node]
    return node
