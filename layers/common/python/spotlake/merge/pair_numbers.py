"""Numbers the names in a run's rows, and the pairs of region and size that the rows are about (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from spotlake.merge.growing_columns import Column, first_of_each

_NEW = -1


class Known[Key, Value](dict[Key, Value]):
    """A dictionary that makes a missing value from its key, once."""

    def __init__(self, make: Callable[[Key], Value]) -> None:
        """Empty."""
        super().__init__()
        self._make = make

    def __missing__(self, key: Key) -> Value:
        value = self[key] = self._make(key)
        return value


class Numbers[Key](dict[Key, int]):
    """A dictionary that numbers its keys in order of appearance."""

    def __missing__(self, key: Key) -> int:
        number = self[key] = len(self)
        return number

    def since(self, number: int) -> list[Key]:
        """The keys from this number on."""
        return list(islice(self, number, None)) if number < len(self) else []


@dataclass
class PairNumbers:
    """Pairs of a run's rows, spelt as in the rows, numbered in order of appearance.

    Attributes:
        regions, sizes: Name -> its number.
        region, size: By pair: the number of its region, and of its size.
    """

    regions: Numbers[str] = field(default_factory=Numbers)
    sizes: Numbers[str] = field(default_factory=Numbers)
    region: Column = field(default_factory=lambda: np.empty(0, np.int64))
    size: Column = field(default_factory=lambda: np.empty(0, np.int64))
    _table: Column = field(default_factory=lambda: np.full((16, 512), _NEW, np.int32))  # region x size -> number

    def of(self, region: Column, size: Column) -> Column:
        """The number of each row's pair, given the numbers of its region and its size. New pairs are appended."""
        table = self._large_table()
        numbers = table[region, size]
        new = np.flatnonzero(numbers == _NEW)
        if len(new):
            # Written from the last row to the first, so the place of a pair's first row stays.
            table[region[new[::-1]], size[new[::-1]]] = new[::-1]
            first = new[table[region[new], size[new]] == new]
            table[region[first], size[first]] = np.arange(len(self.region), len(self.region) + len(first))
            self.region = np.concatenate([self.region, region[first]])
            self.size = np.concatenate([self.size, size[first]])
            numbers = table[region, size]
        return np.asarray(numbers)

    def first_spelt(self, key_of_size: Column, keys: int) -> Column:
        """By pair: the number of the first pair of its region whose size has the same key, however it is spelt.

        Args:
            key_of_size: By size: the number of its join key.
            keys: How many join keys there are.
        """
        same = self.region * keys + key_of_size[self.size]
        order = np.argsort(same, kind="stable")
        is_first = first_of_each(same[order])
        number = np.empty(len(order), np.int64)
        number[order] = order[is_first][np.cumsum(is_first) - 1]
        return number

    def __len__(self) -> int:
        return len(self.region)

    def _large_table(self) -> Column:
        """The table, with room for all names: it doubles, so that it is seldom made anew."""
        rows, columns = self._table.shape
        while rows < len(self.regions):
            rows *= 2
        while columns < len(self.sizes):
            columns *= 2
        if (rows, columns) != self._table.shape:
            larger = np.full((rows, columns), _NEW, np.int32)
            larger[: self._table.shape[0], : self._table.shape[1]] = self._table
            self._table = larger
        return self._table
