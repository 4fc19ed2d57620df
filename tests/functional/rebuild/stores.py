"""Stores that watch a rebuild or come between, and its slots by number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from spotlake import keys
from spotlake.stores.objects import MemoryObjects
from tests.functional.merge.conftest import FIRST


def at(number: int) -> datetime:
    return FIRST + number * timedelta(minutes=10)


class Listed(MemoryObjects):
    """Notes which folders are listed."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[str] = []

    def keys(self, prefix: str) -> Iterator[str]:
        self.listed.append(prefix)
        return super().keys(prefix)


class MergedMeanwhile(MemoryObjects):
    """While the rebuild reads raw shards, merges are quicker, so many times."""

    def __init__(self) -> None:
        super().__init__()
        self.quicker: list[Callable[[], object]] = []

    def put(self, key: str, body: bytes, **options: Any) -> str:
        if key == keys.MERGED_CHAIN and self.quicker:
            quicker, self.quicker = self.quicker, []
            quicker.pop(0)()
            self.quicker = quicker
        return super().put(key, body, **options)
