"""The document ``call_plan.json.gz``: the blocks that cover all pairs, and a digest of those pairs."""

from __future__ import annotations

from collections.abc import Iterable

from spotlake import keys
from spotlake.planning.cover import Block
from spotlake.stores.documents import read_json, write_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

PLAN_SCHEMA = 1


def read_plan(objects: ReadOnlyObjects) -> tuple[str, tuple[Block, ...]]:
    """Read the call plan: the digest of its pairs, and its blocks; ("", ()) when there is no plan."""
    content, _ = read_json(objects, keys.CALL_PLAN, schema=PLAN_SCHEMA)
    if content is None:
        return "", ()
    blocks = (Block(tuple(one["regions"]), tuple(one["instance_types"])) for one in content["blocks"])
    return content["pairs_digest"], tuple(blocks)


def write_plan(objects: ObjectStore, pairs_digest: str, blocks: Iterable[Block]) -> None:
    """Store the call plan and the digest of the pairs that it covers."""
    named = [{"regions": block.regions, "instance_types": block.instance_types} for block in blocks]
    write_json(objects, keys.CALL_PLAN, {"pairs_digest": pairs_digest, "blocks": named}, schema=PLAN_SCHEMA)
