"""Rows of a stored shard as plain dictionaries, so that tests do not depend on the library's types."""

from __future__ import annotations

from typing import Any

import orjson

from spotlake.shards import RawShard


def parsed_rows(shard: RawShard) -> list[dict[str, Any]]:
    """Every row of an opened shard."""
    return [orjson.loads(line) for line in bytes(shard.lines).splitlines()]
