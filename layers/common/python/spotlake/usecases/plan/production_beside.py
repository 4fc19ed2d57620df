"""Production beside us: its desired count, and whether it uses the quota too. A run works without it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from spotlake import keys
from spotlake.models import from_iso, to_iso
from spotlake.planning.production_position import parse_sps_metadata
from spotlake.state.kinds import Note
from spotlake.state.production_seen import PRODUCTION_SEEN, ProductionSeen
from spotlake.stores.foreign import read_if_allowed
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

STANDS_STILL = timedelta(minutes=30)  # production moves on with each of its ten-minute runs


@dataclass(frozen=True, kw_only=True)
class Production:
    """Production as a run knows it.

    Attributes:
        index: Production's position in the rotation of desired counts; None when a run does not follow production.
        ignored: Why a run does not follow production; "" when it does.
        shares_quota: Whether production may use the quota of the same subscriptions.
    """

    index: int | None = None
    ignored: str = ""
    shares_quota: bool = False


def look_at_production(production: ReadOnlyObjects, objects: ObjectStore, slot_at: datetime, note: Note) -> Production:
    """Read production's configuration of scores. If it is wrong, the run only lacks its advice.

    Args:
        production: Production's bucket, which may belong to another account.
        objects: The write bucket, which stores since when production has its position.
        slot_at: The run's slot.
        note: Called with the reason when the configuration cannot be read.
    """
    found = read_if_allowed(production, keys.PRODUCTION_SPS_METADATA)
    if found.why:
        note(f"no production beside us: {found.why}")
    position = parse_sps_metadata(found.stored.body if found.stored else None, slot_at.date())
    shares_quota = found.stored is not None or not found.is_known
    if position.index is None:
        return Production(ignored=position.ignored or "", shares_quota=shares_quota)
    since_at = _standing_since(objects, f"{position.day} {position.index}", slot_at, note)
    if slot_at - since_at >= STANDS_STILL:
        ignored = f"production stands at index {position.index} since {to_iso(since_at)}"
        return Production(ignored=ignored, shares_quota=shares_quota)
    return Production(index=position.index, shares_quota=shares_quota)


def _standing_since(objects: ObjectStore, position: str, slot_at: datetime, note: Note) -> datetime:
    """The slot in which a run first saw production's present position."""
    seen = PRODUCTION_SEEN.read(objects, note)
    if seen.position == position:
        return from_iso(seen.since)
    PRODUCTION_SEEN.write(objects, ProductionSeen(position=position, since=to_iso(slot_at)), note)
    return slot_at
