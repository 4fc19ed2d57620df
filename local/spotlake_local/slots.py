"""Chooses the slot of a local run: the first free one, never a past or collected one."""

from __future__ import annotations

from datetime import datetime, timedelta

from spotlake import keys
from spotlake.errors import InvalidInputError
from spotlake.models import SLOT_MINUTES, floor_to_slot, to_iso
from spotlake_local.workspace import Workspace

_SLOT = timedelta(minutes=SLOT_MINUTES)


def is_collected(workspace: Workspace, slot_at: datetime) -> bool:
    """Whether the folder holds a finished run of that slot."""
    return (workspace.outputs / keys.manifest(slot_at)).exists()


def newest_allowed_at(workspace: Workspace, now_at: datetime) -> datetime:
    """The moment after which only the next slot may be named.

    The simulated Azure accepts slots of the future, but only the one after the last slot that was begun. Otherwise a
    typing error in the year would move all later runs to that year.
    """
    last = workspace.last_slot_at()
    return now_at if last is None else max(now_at, last)


def choose_slot(workspace: Workspace, *, now_at: datetime, is_live: bool, resumes: bool) -> datetime:
    """Choose the slot of a run that names none.

    Args:
        workspace: Folder with the slots collected so far.
        now_at: Present time of the wall clock.
        is_live: Whether the real Azure is asked, which knows only the present.
        resumes: Whether the run continues the slot that was begun last.

    Raises:
        InvalidInputError: The real Azure is asked, and both the present and the next slot have been collected.
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
