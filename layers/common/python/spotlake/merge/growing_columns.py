"""NumPy columns of equal length that grow by parts (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

type Column = npt.NDArray[Any]


def distinct(values: Column) -> Column:
    """Distinct values in order. ``numpy.unique`` is slower, and loads masked arrays (40 ms) to see that these are none.

    >>> distinct(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    ordered = np.sort(values)
    return ordered[first_of_each(ordered)]


def first_of_each(ordered: Column) -> Column:
    """For each element: whether it is the first of equal neighbours."""
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return first


def last_of_each(ordered: Column) -> Column:
    """For each element: whether it is the last of equal neighbours."""
    return first_of_each(ordered[::-1])[::-1]


def last_known(pair: Column, values: Column, pairs: Column) -> Column:
    """For each pair in ``pairs`` (sorted): the pair's last value that is not nan, else nan."""
    found = np.full(len(pairs), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    last = known[np.lexsort((known, pair[known]))]
    last = last[last_of_each(pair[last])]
    found[np.searchsorted(pairs, pair[last])] = values[last]
    return found


class GrowingColumns:
    """Columns of equal length that grow by parts."""

    def __init__(self, **kinds: str) -> None:
        """No rows; ``kinds`` are NumPy's types of the columns."""
        self._kinds = kinds
        self._parts: dict[str, list[Column]] = {name: [] for name in kinds}

    def add(self, **columns: Sequence[Any] | Column) -> None:
        """Append rows, which nobody may change after that; None in a column of floats is nan."""
        for name, kind in self._kinds.items():
            self._parts[name].append(np.asarray(columns[name], kind))

    def __getitem__(self, name: str) -> Column:
        """A whole column, which nobody may change in place."""
        if len(self._parts[name]) != 1:
            self._parts[name] = [np.concatenate([np.empty(0, self._kinds[name]), *self._parts[name]])]
        (whole,) = self._parts[name]
        whole.flags.writeable = False
        return whole

    def columns(self) -> dict[str, Column]:
        """Every column by its name."""
        return {name: self[name] for name in self._kinds}

    def keep(self, chosen: Column) -> None:
        """Leave the rows that are chosen."""
        self.replace(**{name: column[chosen] for name, column in self.columns().items()})

    def spread_last(self, name: str, things: Column, *, unknown: int) -> None:
        """Give each row of a thing the last value of the thing's rows that is not ``unknown``, if there is one."""
        values, each = self[name], distinct(things)
        last = last_known(things, np.where(values == unknown, np.nan, values), each)
        found = np.where(np.isnan(last), unknown, last).astype(values.dtype)
        self.replace(**{**self.columns(), name: found[np.searchsorted(each, things)]})

    def replace(self, **columns: Column) -> None:
        """Put these rows in place of all there are."""
        self._parts = {name: [columns[name]] for name in self._kinds}
