"""Writes ``datapackage.json`` beside the published files: once a day, and when it would say something else."""

from __future__ import annotations

import hashlib
import itertools
from contextlib import suppress
from dataclasses import fields

from spotlake import keys
from spotlake.errors import ConflictError
from spotlake.history.index import Index
from spotlake.published.data_package import Series, data_package, edition_of
from spotlake.stores.objects import ObjectStore

_DIGEST_LENGTH = 8
_ONE_OF_EACH = Series(**{one.name: ("a.parquet",) for one in fields(Series)})


def publish_data_package(objects: ObjectStore, index: Index, licence: str) -> bool:
    """Write the package if it is not there for this day. Returns whether it was written.

    The stored one names its edition, so most runs read one object and list no key.

    Args:
        objects: The write bucket.
        index: The index of the change history.
        licence: SPDX name of the data's licence.

    Raises:
        StoreError: An object cannot be read or written.
    """
    if index.last_slot_at is None:
        return False
    before = tuple(objects.keys(keys.BEFORE_PREFIX))
    told = data_package(_ONE_OF_EACH, edition="", licence=licence) + f"{index.compacted_until} {before}".encode()
    edition = f"{index.last_slot_at:%Y.%-m.%-d}-{hashlib.sha256(told).hexdigest()[:_DIGEST_LENGTH]}"
    stored = objects.get(keys.DATA_PACKAGE)
    if stored is not None and edition_of(stored.body) == edition:
        return False
    body = data_package(_series(objects, index, before), edition=edition, licence=licence)
    etag = stored.etag if stored else None
    with suppress(ConflictError):  # another execution writes the same
        objects.put(keys.DATA_PACKAGE, body, content_type="application/json", if_absent=etag is None, if_etag=etag)
    return True


def _series(objects: ObjectStore, index: Index, before: tuple[str, ...]) -> Series:
    days = [one for first, last in index.days for one in index.days_between(first, last)]
    snapshots = objects.keys(keys.snapshots_of_day(days[-1]))
    first = [keys.history_state(day) for day in days if index.first_day_of_month(day) == day]
    return Series(
        snapshots=tuple(itertools.islice(snapshots, 1)),
        days=[keys.history_day(day) for day in days],
        states=[key for key in objects.keys(keys.HISTORY_STATES_PREFIX) if key not in first],
        first_states=first,
        workloads=tuple(objects.keys(keys.HISTORY_REGIONS_PREFIX)),
        before=before,
        gaps=tuple(objects.keys(keys.GAPS_PREFIX)),
        sizes=tuple(objects.keys(keys.LATEST_SIZES)),
    )
