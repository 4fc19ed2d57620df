"""Which slot a local run collects: the first free one, never one that has passed, never one that has been collected."""

from __future__ import annotations

from datetime import datetime, timedelta

from spotlake import keys
from spotlake.errors import InvalidInputError
from spotlake.models import SLOT_MINUTES, floor_to_slot, to_iso
from spotlake_local.workspace import Workspace

_SLOT = timedelta(minutes=SLOT_MINUTES)


def is_collected(workspace: Workspace, slot_at: datetime) -> bool:
    """Whether a finished run of that slot lies in the folder, however it ended."""
    return (workspace.outputs / keys.manifest(slot_at)).exists()


def newest_allowed_at(workspace: Workspace, now_at: datetime) -> datetime:
    """The moment whose next slot is the last one that may be named.

    The simulated Azure can be asked for slots that the clock has not come to, but only for the next one of those
    already begun: with a slip in the year all later runs would be of that year.
    """
    last = workspace.last_slot_at()
    return now_at if last is None else max(now_at, last)


def choose_slot(workspace: Workspace, *, now_at: datetime, is_live: bool, resumes: bool) -> datetime:
    """The slot of a run that names none.

    Args:
        workspace: What has been collected so far.
        now_at: The wall's time.
        is_live: Whether the real Azure is asked: it knows the present only.
        resumes: Whether the run goes on with a slot: with the one begun last.

    Raises:
        InvalidInputError: The real Azure is asked, and this slot and the next one have been collected.
    """
    slot_at = floor_to_slot(now_at)
    if resumes:
        return workspace.last_slot_at() or slot_at
    while is_collected(workspace, slot_at):
        slot_at += _SLOT
    if is_live and slot_at > floor_to_slot(now_at) + _SLOT:
        allowed = f"a slot to collect again with --timestamp, or wait until {to_iso(slot_at - _SLOT)}"
        raise InvalidInputError("timestamp", "the present slot and the next, both collected", allowed)
    return slot_at
