"""Gathers what the collectors of placement scores need to know from its documents."""

from __future__ import annotations

from datetime import datetime

from spotlake.planning.lessons import Learnt
from spotlake.planning.score_knowledge import ScoreKnowledge
from spotlake.state.lessons import RESTRICTED
from spotlake.state.locations import LOCATIONS
from spotlake.state.refused_subscriptions import refused_lately
from spotlake.stores.objects import ReadOnlyObjects


def read_score_knowledge(objects: ReadOnlyObjects, now_at: datetime) -> ScoreKnowledge:
    """Read what Plan puts into the work object: for work that an older version planned, and for facts of sizes.

    Raises:
        StoreError: What is known of restrictions cannot be read.
    """
    known, restricted = LOCATIONS.read(objects), RESTRICTED.read(objects)
    knowledge = ScoreKnowledge(
        zones=known.zones if known else {},
        reference=known.reference if known else "",
        refused=refused_lately(objects, now_at),
    )
    return knowledge.with_restrictions(Learnt(restricted=restricted.pairs, restricted_for=restricted.by_subscription))
