"""Writing a file that shows the newest state: of two merges at once the newer one has the last word."""

from __future__ import annotations

from collections.abc import Callable

from spotlake.errors import ConflictError, StoreError
from spotlake.stores.objects import ObjectStore

_ROUNDS = 8


def put_newest(
    objects: ObjectStore,
    key: str,
    body: bytes,
    content_type: str,
    *,
    content_encoding: str | None = "gzip",
    is_overtaken: Callable[[], bool],
) -> None:
    """Write a file, unless a newer state is committed: then the merge of that state writes the file.

    Args:
        objects: The write bucket.
        key: Key of the file.
        body: The content, packed if ``content_encoding`` says so.
        content_type: Media type of the unpacked content.
        content_encoding: "gzip" for what browsers unpack; None for what is stored as it is.
        is_overtaken: Whether a newer state is committed; asked after the file has been read.

    Raises:
        StoreError: The file cannot be written, or others replaced it too often.
    """
    for _ in range(_ROUNDS):
        stored = objects.get(key)
        if is_overtaken():
            return
        try:
            objects.put(
                key,
                body,
                content_type=content_type,
                content_encoding=content_encoding,
                if_absent=stored is None,
                if_etag=stored.etag if stored else None,
            )
        except ConflictError:
            continue
        return
    raise StoreError(f"{key}: others replaced it {_ROUNDS} times in a row")
