"""Blocks of the change history made by hand, and told in plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spotlake.history.blocks import Block
from spotlake.history.fields import FRAME, KINDS, TEXT_COLUMNS, TIMES, ZONE_NAMES

SPOT, ONDEMAND, RATE = "spot_price_usd_per_hour", "ondemand_price_usd_per_hour", "interruption_frequency"
_SHORT = {"spot": SPOT, "ondemand": ONDEMAND, "rate": RATE, "s1": "score_1", "s5": "score_5", "s50": "score_50"}


def block(names: Sequence[str], *rows: Mapping[str, Any]) -> Block:
    """A block with these columns. What a row does not tell is unknown."""
    texts = sorted({"", *(one[name] for one in rows for name in TEXT_COLUMNS if one.get(name))})
    coded = {"zone": list(ZONE_NAMES), "field": list(TIMES), **dict.fromkeys(TEXT_COLUMNS, texts)}

    def number(name: str, value: Any) -> Any:
        if value is None:
            return KINDS[name][1]
        return coded[name].index(value) if name in coded else value

    columns = {name: np.array([number(name, one.get(name)) for one in rows], KINDS[name][0]) for name in names}
    return Block(texts, columns)


def workload(region: str, size: str, zone: str, **values: Any) -> dict[str, Any]:
    """A frame's row: a short name has a value, when it began and when it was confirmed; any other name its value."""
    row: dict[str, Any] = {"region": region, "instance_type": size, "zone": zone}
    for short, told in values.items():
        if short in _SHORT:
            name = _SHORT[short]
            row[name], row[f"{name}_began"], row[f"{name}_confirmed"] = told
        else:
            row[short] = told
    return row


def frame(*rows: Mapping[str, Any]) -> Block:
    """A frame of workloads, which must be in order."""
    return block(FRAME, *rows)


def told(found: Block, *names: str) -> list[tuple[Any, ...]]:
    """The rows of a block in plain values; None for unknown numbers and zones."""

    def plain(name: str, value: Any) -> Any:
        if name in TEXT_COLUMNS:
            return found.texts[value]
        if name in ("zone", "field"):
            return None if value < 0 else (ZONE_NAMES if name == "zone" else TIMES)[value]
        return None if value != value else value  # noqa: PLR0124 - nan alone differs from itself

    return [
        tuple(plain(name, value) for name, value in zip(names, row, strict=True))
        for row in zip(*(found.columns[name].tolist() for name in names), strict=True)
    ]


def known(found: Block) -> list[dict[str, Any]]:
    """The rows of a block, each with its known values alone; 0 counts as unknown."""
    names = tuple(found.columns)
    unknown = (None, "", 0, -1)
    return [
        {name: value for name, value in zip(names, row, strict=True) if name == "live" or value not in unknown}
        for row in told(found, *names)
    ]
