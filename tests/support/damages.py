"""Every way in which one place of a JSON document can be of another type, or gone."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_ODD: Sequence[Any] = (None, 3, "odd", [], ["odd"], {"odd": None})


def damages(content: Any) -> Iterator[tuple[str, Any]]:
    """Each place (as ``.run.mode``), and a copy of the content in which the place is odd or gone.

    >>> [told for place, told in damages({"a": 1}) if place == ".a is gone"]
    [{}]
    """
    for path in _places(content):
        name = "".join(f".{step}" for step in path)
        for odd in _ODD:
            yield f"{name} is {odd!r}", _changed(content, path, odd)
        gone = copy.deepcopy(content)
        del _at(gone, path[:-1])[path[-1]]
        yield f"{name} is gone", gone


def _places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = (
        content.items() if isinstance(content, Mapping) else enumerate(content) if isinstance(content, list) else ()
    )
    for step, value in inside:
        yield (*path, step)
        yield from _places(value, (*path, step))


def _changed(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    found = copy.deepcopy(content)
    _at(found, path[:-1])[path[-1]] = value
    return found


def _at(content: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        content = content[step]
    return content
