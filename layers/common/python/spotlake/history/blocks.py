"""Blocks: columns of equal length whose texts are numbers (pure)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from spotlake.history.fields import KINDS, TEXT_COLUMNS, ZONE_NAMES
from spotlake.merge.growing_columns import Column


@dataclass
class Block:
    """Rows in columns.

    Attributes:
        texts: All texts of the block, in order; the first is "". A text column holds places in it.
        columns: Columns by name, of the types of ``fields.KINDS``.
    """

    texts: list[str]
    columns: dict[str, Column]

    @classmethod
    def empty(cls, names: Collection[str]) -> Block:
        """No rows, with these columns."""
        return cls([""], {name: np.empty(0, KINDS[name][0]) for name in names})

    @classmethod
    def of(cls, texts: Sequence[str], columns: dict[str, Column]) -> Block:
        """A block from texts in any order; the texts may have doubles, and the columns hold places in them."""
        ordered = sorted({"", *texts})
        return Block(ordered, _translated(columns, texts, ordered))

    def __len__(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> Column:
        """One column."""
        return self.columns[name]

    def take(self, chosen: Column) -> Block:
        """The chosen rows: a mask, or places."""
        return Block(self.texts, {name: column[chosen] for name, column in self.columns.items()})

    def only(self, names: Collection[str]) -> Block:
        """Some of the columns."""
        return Block(self.texts, {name: self.columns[name] for name in names})

    def copy(self) -> Block:
        """A block that can be changed on its own."""
        return Block(list(self.texts), {name: column.copy() for name, column in self.columns.items()})

    def with_texts(self, texts: list[str]) -> Block:
        """The same rows over more texts (in order, with all texts of this block)."""
        return self if texts == self.texts else Block(texts, _translated(self.columns, self.texts, texts))

    def text(self, name: str) -> list[str]:
        """A text column as texts."""
        return [self.texts[place] for place in self.columns[name].tolist()]

    def place(self, text: str) -> int:
        """The place of a text; -1 when no row has it."""
        try:
            return self.texts.index(text)
        except ValueError:
            return -1

    def keys(self) -> Column:
        """A number for each row's workload, in the order of region, size and zone."""
        region, size, zone = (self.columns[name].astype(np.int64) for name in ("region", "instance_type", "zone"))
        return (region * len(self.texts) + size) * (len(ZONE_NAMES) + 1) + zone + 1


def joined(*blocks: Block) -> Block:
    """The rows of all blocks, one after the other. They have the same columns."""
    together = aligned(*blocks)
    names = together[0].columns
    return Block(
        together[0].texts, {name: np.concatenate([block.columns[name] for block in together]) for name in names}
    )


def aligned(*blocks: Block) -> list[Block]:
    """The blocks over the same texts, so that their numbers can be compared."""
    if all(block.texts == blocks[0].texts for block in blocks[1:]):
        return list(blocks)
    texts = sorted(set().union(*(block.texts for block in blocks)))
    return [block.with_texts(texts) for block in blocks]


def ordered(block: Block, *names: str) -> Block:
    """The rows in order of their workload, then of the named columns."""
    return block.take(np.lexsort([*(block.columns[name] for name in reversed(names)), block.keys()]))


def places_of(known: Column, wanted: Column) -> tuple[Column, Column]:
    """Of each wanted key: its place among the known keys (in order), and whether it is there."""
    if not len(known):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return places, known[places] == wanted


def _translated(columns: dict[str, Column], texts: Sequence[str], wanted: Sequence[str]) -> dict[str, Column]:
    place = {text: number for number, text in enumerate(wanted)}
    numbers = np.array([place[text] for text in texts], KINDS["region"][0])
    return {name: numbers[column] if name in TEXT_COLUMNS else column for name, column in columns.items()}
