"""The document ``call_plan.json.gz``: the blocks that cover all pairs, and a digest of those pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from spotlake import keys
from spotlake.planning.cover import Block
from spotlake.state.kinds import Advice


class BlockJson(TypedDict):
    """A block: its regions, and its sizes."""

    regions: list[str]
    instance_types: list[str]


class PlanJson(TypedDict):
    """The document."""

    pairs_digest: str
    blocks: list[BlockJson]


@dataclass(frozen=True, kw_only=True)
class StoredPlan:
    """The blocks that cover all pairs.

    Attributes:
        pairs_digest: Of the pairs; "" before the first plan.
        blocks: Each becomes a call for each desired count.
    """

    pairs_digest: str = ""
    blocks: tuple[Block, ...] = ()


def _parse(content: PlanJson) -> StoredPlan:
    blocks = (Block(tuple(one["regions"]), tuple(one["instance_types"])) for one in content["blocks"])
    return StoredPlan(pairs_digest=content["pairs_digest"], blocks=tuple(blocks))


def _dump(plan: StoredPlan) -> PlanJson:
    blocks: list[BlockJson] = [
        {"regions": list(block.regions), "instance_types": list(block.instance_types)} for block in plan.blocks
    ]
    return {"pairs_digest": plan.pairs_digest, "blocks": blocks}


CALL_PLAN = Advice(key=keys.CALL_PLAN, schema=1, parse=_parse, dump=_dump, empty=StoredPlan)
