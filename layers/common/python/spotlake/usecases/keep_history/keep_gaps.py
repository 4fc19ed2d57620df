"""Keeps the files of gaps: which slots have no run, or a run that lacks something, and why."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from spotlake import keys
from spotlake.errors import DamagedStateError, StoreError
from spotlake.history.gaps import Gap, gap_of, missing_between, with_gaps
from spotlake.run_files import parse_manifest
from spotlake.stores.objects import ObjectStore

_LOG = logging.getLogger("spotlake")


def keep_gaps(objects: ObjectStore, merged: Sequence[datetime], looked_at: Iterable[datetime]) -> None:
    """Bring the files of gaps up to date: a file a month, each written only if it differs.

    Args:
        objects: The write bucket.
        merged: All slots that the chain of merged states remembers, in order. Between them nothing else was merged.
        looked_at: Slots whose manifests are read: those that were merged since the last time.

    Raises:
        ConflictError: Somebody else wrote a file meanwhile.
        StoreError: An object cannot be read or written.
    """
    found: dict[datetime, Gap | None] = {gap.slot_at: gap for gap in missing_between(merged)}
    found |= {slot_at: _gap(objects, slot_at) for slot_at in looked_at}
    for (year, month), slots in itertools.groupby(sorted({*found, *merged}), lambda one: (one.year, one.month)):
        _write(objects, date(year, month, 1), {one: found[one] for one in slots if one in found}, merged)


def _gap(objects: ObjectStore, slot_at: datetime) -> Gap | None:
    key = keys.manifest(slot_at)
    stored = objects.get(key)
    if stored is None:
        return gap_of(slot_at, None)
    try:
        return gap_of(slot_at, parse_manifest(stored.body, key))
    except StoreError as error:
        _LOG.warning("gaps: %s", error)
        return gap_of(slot_at, None)


def _write(objects: ObjectStore, month: date, found: dict[datetime, Gap | None], merged: Sequence[datetime]) -> None:
    key = keys.gaps(month)
    before = objects.get(key)
    try:
        body = with_gaps(before.body if before else None, month, found, between=(merged[0], merged[-1]))
    except DamagedStateError as error:  # nothing depends on it; it stays as evidence, and others are written
        _LOG.warning("%s: %s", key, error)
        return
    if before is None or before.body != body:
        etag = before.etag if before else None
        objects.put(key, body, content_type="text/csv", if_absent=etag is None, if_etag=etag)
