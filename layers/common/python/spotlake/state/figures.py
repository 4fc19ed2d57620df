"""Figures of a slot's snapshot, beside its manifest. Advice: a report without them counts the snapshot itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TypedDict

from spotlake import keys
from spotlake.checked import checked
from spotlake.errors import StoreError
from spotlake.snapshot_figures import SnapshotFigures
from spotlake.stores.documents import decode_json, encode_json
from spotlake.stores.objects import ReadOnlyObjects

SCHEMA = 1
_LOG = logging.getLogger(__name__)


class FiguresDocument(TypedDict):
    """The document; ``before`` is the run whose snapshot is compared with, None for none.

    ``figures`` is None after the snapshot was written again by a merge that had not the state before at hand.
    """

    before: str | None
    figures: SnapshotFigures | None


NOT_COUNTED = FiguresDocument(before=None, figures=None)


def encode_figures(slot_at: datetime, content: FiguresDocument) -> bytes:
    """The document's bytes."""
    return encode_json(keys.figures(slot_at), dict(content), schema=SCHEMA)


def read_figures(
    objects: ReadOnlyObjects, slot_at: datetime, note: Callable[[str], None] = _LOG.warning
) -> FiguresDocument | None:
    """Read the document; None when there is none. ``note`` is called for one that cannot be read."""
    key = keys.figures(slot_at)
    try:
        stored = objects.get(key)
        return (
            None if stored is None else checked(decode_json(stored.body, key, schema=SCHEMA), FiguresDocument, key=key)
        )
    except StoreError as error:
        note(f"{error}; the snapshot is counted")
        return None
