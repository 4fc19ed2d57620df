"""Keeps a few rows of kinds that no rule of prices knows, for people to look at (pure)."""

from __future__ import annotations

from spotlake.azure.price_names import words_of_kind
from spotlake.azure.retail import RetailItem
from spotlake.names import printable
from spotlake.reports import RowSample

MOST_SAMPLES, _LONGEST_SAMPLE_TEXT = 5, 80
_SAMPLE_FIELDS = ("productName", "skuName", "meterName", "armSkuName", "type", "retailPrice")


def keep_sample(kept: dict[str, RowSample], item: RetailItem) -> None:
    """Keep one row of each kind, the first in order of its text; of the kinds the first few in order of their words."""
    sample: dict[str, str | float | None] = {name: _short(item.get(name)) for name in _SAMPLE_FIELDS}
    kind = words_of_kind(*(str(sample[name]) for name in ("productName", "skuName", "meterName", "armSkuName")))
    kind = sample["kind"] = kind if sample["type"] == "Consumption" else f"{sample['type']} {kind}".strip()
    if kind not in kept or _text_of(sample) < _text_of(kept[kind]):
        kept[kind] = sample
    if len(kept) > MOST_SAMPLES:
        del kept[max(kept)]


def _text_of(sample: RowSample) -> list[str]:
    return [str(value) for value in sample.values()]


def _short(value: object) -> str | float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return printable(str(value)[:_LONGEST_SAMPLE_TEXT])
