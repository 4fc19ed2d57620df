"""Writing a file that shows the newest state: of two merges at once the newer one has the last word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from spotlake import keys
from spotlake.errors import ConflictError, StoreError
from spotlake.merge.files import Files
from spotlake.stores.objects import ObjectStore

_ROUNDS = 8


def write_newest_files(
    objects: ObjectStore, files: Files, slot_at: datetime, *, is_overtaken: Callable[[], bool]
) -> None:
    """Write ``keys.NEWEST_FILES``, one after the other: together they would take 50 MB.

    Raises:
        StoreError: A file cannot be written, or others replaced it too often.
    """
    packed = files.latest(slot_at)
    put_newest(objects, keys.LATEST_PACKED, packed, "application/gzip", is_overtaken=is_overtaken)
    put_newest(objects, keys.LATEST, packed, "application/json", is_overtaken=is_overtaken, unpacked=True)
    for key, made in ((keys.QUERY_SELECTOR, files.selector), (keys.ASSOCIATION, files.association)):
        put_newest(objects, key, made(), "application/json", is_overtaken=is_overtaken)


def put_newest(
    objects: ObjectStore,
    key: str,
    body: bytes,
    content_type: str,
    *,
    is_overtaken: Callable[[], bool],
    unpacked: bool = False,
) -> None:
    """Write a file, unless a newer state is committed: then the merge of that state writes the file.

    Args:
        objects: The write bucket.
        key: Key of the file.
        body: The content. No Content-Encoding is set: the file is what its name says.
        content_type: Its media type.
        is_overtaken: Whether a newer state is committed; asked after the file's entity tag has been read.
        unpacked: Whether the file is what the body, a gzip, holds.

    Raises:
        StoreError: The file cannot be written, or others replaced it too often.
    """
    for _ in range(_ROUNDS):
        etag = objects.etag(key)
        if is_overtaken():
            return
        try:
            put = objects.put_unpacked if unpacked else objects.put
            put(key, body, content_type=content_type, if_absent=etag is None, if_etag=etag)
        except ConflictError:
            continue
        return
    raise StoreError(f"{key}: others replaced it {_ROUNDS} times in a row")
