"""Doctests of docstrings become code blocks on the site: as prose their brackets would be read as links."""

from __future__ import annotations

import re
from typing import Any

import griffe

DOCTEST = re.compile(r"(?:^|(?<=\n))(>>> .*(?:\n.+)*)")


def fenced(text: str) -> str:
    r"""A docstring with a fence around each doctest.

    >>> fenced("Twice.\n\n>>> 1 + 1\n2").splitlines()
    ['Twice.', '', '```pycon', '>>> 1 + 1', '2', '```']
    """
    return DOCTEST.sub(r"```pycon\n\1\n```", text)


class Doctests(griffe.Extension):
    """Fences the doctests of every object."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring in place."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)
