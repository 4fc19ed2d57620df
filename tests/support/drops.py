"""A walk through a document of JSON: each part is dropped once, and some check has to notice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

type Path = tuple[str | int, ...]


def opened(value: Any) -> Any:
    """A text that holds a JSON object, as that object; anything else as it is."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def drops(
    value: Any, *, words: Collection[str] = (), whole: Callable[[Any], bool] = lambda value: False
) -> Iterator[Path]:
    """The path of every member and element, of JSON within texts too.

    Args:
        value: the document.
        words: names of members that only people read.
        whole: whether a part is one thing, into which the walk does not go.
    """
    inside = opened(value)
    if whole(inside):
        return
    members = inside.items() if isinstance(inside, Mapping) else enumerate(inside) if isinstance(inside, list) else ()
    for name, part in members:
        if name in words:
            continue
        yield (name,)
        yield from ((name, *rest) for rest in drops(part, words=words, whole=whole))


def without(value: Any, path: Path) -> Any:
    """The document without the part at a path; what stays is shared with the original."""
    inside = opened(value)
    name, *rest = path
    parts: Any = dict(inside) if isinstance(inside, Mapping) else list(inside)
    if rest:
        parts[name] = without(parts[name], tuple(rest))
    else:
        del parts[name]
    return json.dumps(parts) if isinstance(value, str) else parts


def unlike(promised: Any, found: Any, where: str = "", read: Callable[[str], str] = str) -> Iterator[str]:
    """Where something that was found is not what was promised. What is found besides says nothing.

    Args:
        promised: members by name, lists of the same length, numbers, and texts in which ``*`` stands for anything.
        found: what is compared.
        where: the path so far.
        read: what a text that was found is read as.

    >>> list(unlike({"a": [1, "x*"]}, {"a": [1, "y"], "b": 2}))
    ["/a/1: 'y' for 'x*'"]
    """
    found = opened(found)
    if isinstance(promised, Mapping) and isinstance(found, Mapping):
        for name, part in promised.items():
            if name in found:
                yield from unlike(part, found[name], f"{where}/{name}", read)
            else:
                yield f"{where}/{name}: missing"
    elif isinstance(promised, list) and isinstance(found, list) and len(promised) == len(found):
        for place, (part, other) in enumerate(zip(promised, found, strict=True)):
            yield from unlike(part, other, f"{where}/{place}", read)
    elif not (fnmatchcase(read(str(found)), promised) if isinstance(promised, str) else promised == found):
        yield f"{where}: {found!r} for {promised!r}"


@dataclass
class Walk[Document]:
    """Which check noticed which drop."""

    checks: Mapping[str, Callable[[Document], object]]
    noticed: Counter[str] = field(default_factory=Counter)
    unnoticed: list[str] = field(default_factory=list)

    def go(self, tried: Iterable[tuple[str, Document]]) -> None:
        """Show each (name of the drop, document without it) to the checks, until one of them fails."""
        for name, document in tried:
            by = next((check for check in self.checks if self._fails(check, document)), None)
            if by is None:
                self.unnoticed.append(name)
            else:
                self.noticed[by] += 1

    def _fails(self, name: str, document: Document) -> bool:
        try:
            self.checks[name](document)
        except Exception:  # noqa: BLE001 - a check that cannot read what is left has noticed too
            return True
        return False

    def told(self, what: str) -> str:
        """How many drops there were, and which check noticed how many."""
        lines = [f"{what}: {self.noticed.total() + len(self.unnoticed)} drops, {self.noticed.total()} noticed"]
        return "\n  ".join([*lines, *(f"{count} by {name}" for name, count in self.noticed.most_common())])
