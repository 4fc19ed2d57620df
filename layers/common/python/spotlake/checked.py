"""Stored JSON, checked against the type that the code expects of it."""

from __future__ import annotations

import re
import threading
from typing import Any

from spotlake.errors import StoreError

_AT = " - at `$"
_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`$")
_ANY_KEY = "[...]"  # a value of a mapping: msgspec does not say of which key
_LONGEST_VALUE = 80
_ONE_AT_A_TIME = threading.Lock()


def converted[T](content: object, kind: type[T]) -> T:
    """``content`` as a ``kind``, by msgspec: in one thread at a time.

    msgspec notes the fields of a type when it first meets it. A second thread that meets the type meanwhile finds half
    of the note, and the process ends with a segmentation fault (msgspec 0.22.0, seen in a full run, 2026-11).

    Args:
        content: Decoded JSON.
        kind: A TypedDict or a dataclass. Fields that the type does not have are dropped.

    Raises:
        msgspec.ValidationError: A field is missing or of another type.
    """
    import msgspec  # collectors only write shards and check no stored file with it, and they start cold

    with _ONE_AT_A_TIME:
        return msgspec.convert(content, kind)


def checked[T](content: object, kind: type[T], *, key: str) -> T:
    """``content`` as a ``kind``.

    Args:
        content: Decoded JSON.
        kind: A TypedDict or a dataclass. Fields that the type does not have are dropped.
        key: Where the content is stored, for messages.

    Raises:
        StoreError: A field is missing or of another type; the message names the key, the field and the value.
    """
    import msgspec

    try:
        return converted(content, kind)
    except msgspec.ValidationError as error:
        raise StoreError(f"{key} is damaged: {_sentence(str(error), content)}") from error


def _sentence(text: str, content: Any) -> str:
    """Msgspec's sentence with the value at the path that the sentence names.

    >>> _sentence("Expected `int`, got `str` - at `$.rows[1]`", {"rows": [1, "two"]})
    "rows[1] is 'two': Expected `int`, got `str`"
    >>> _sentence("Object missing required field `rows` - at `$.jobs[0]`", {"jobs": [{}]})
    'jobs[0].rows is missing'
    """
    fault, _, place = text.partition(_AT)
    path = place.removesuffix("`")
    missing = _MISSING.match(fault)
    if missing:
        return f"{path}.{missing['name']} is missing".lstrip(".")
    if not path:
        return fault
    if _ANY_KEY in path:
        return f"{path.lstrip('.')}: {fault}"
    value = content
    for name, number in _PART.findall(path):
        value = value[int(number)] if number else value[name]
    shown = repr(value)
    return f"{path.lstrip('.')} is {shown[:_LONGEST_VALUE]}{'...' if len(shown) > _LONGEST_VALUE else ''}: {fault}"
