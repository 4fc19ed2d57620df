"""The class and the whole sentence of an error: people act on both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def says(kind: type[Exception], text: str) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """The block raises this class, no subclass of it, with exactly this text."""
    with pytest.raises(kind) as raised:
        yield raised
    assert (type(raised.value), str(raised.value)) == (kind, text)
