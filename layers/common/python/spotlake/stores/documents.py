"""Documents of a bucket: JSON with a schema number, replaced on condition; objects that are never overwritten."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Collection, Mapping
from typing import Any

import orjson

from spotlake.errors import ConflictError, StoreError
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

_ROUNDS = 16  # few writers write one object at the same time


def read_json(store: ReadOnlyObjects, key: str, *, schema: int, older: Collection[int] = ()) -> tuple[Any, str | None]:
    """Read a state object (gzip or plain JSON with a ``schema`` number) and its entity tag.

    Args:
        store: Bucket of the object.
        key: Key of the object.
        schema: Expected schema number.
        older: Other schema numbers that the caller can read. ``content["schema"]`` has the actual number.

    Returns:
        ``(content, etag)``, or ``(None, None)`` when there is none.

    Raises:
        StoreError: The object cannot be read, is damaged, or has another schema number.
    """
    found = store.get(key)
    if found is None:
        return None, None
    try:
        content = orjson.loads(gzip.decompress(found.body) if key.endswith(".gz") else found.body)
        if content["schema"] not in (schema, *older):
            raise StoreError(f"s3://{store.bucket}/{key}: schema {content['schema']!r}, this code reads {schema}")
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"s3://{store.bucket}/{key}: damaged ({type(error).__name__})") from error
    return content, found.etag


def write_json(
    store: ObjectStore,
    key: str,
    content: Mapping[str, object],
    *,
    schema: int,
    if_absent: bool = False,
    if_etag: str | None = None,
) -> str:
    """Write a state object, always or on a condition. Returns the new entity tag; raises as ``ObjectStore.put``."""
    body = encode_json(key, content, schema=schema)
    return store.put(key, body, content_type="application/json", if_absent=if_absent, if_etag=if_etag)


def put_once(store: ObjectStore, key: str, body: bytes, *, content_type: str) -> bytes:
    """Write an object that is never overwritten, and return what is stored under its key.

    The stored bytes are ``body``, even if an earlier write of ours succeeded and its answer was lost. If another
    process wrote the key before, its object stays and its bytes are returned.

    Raises:
        StoreError: The object can be neither written nor read.
    """
    try:
        store.put(key, body, content_type=content_type, if_absent=True)
    except ConflictError:
        stored = store.get(key)
        if stored is None:
            raise StoreError(f"s3://{store.bucket}/{key}: it is there when written, and gone when read") from None
        return stored.body
    return body


def encode_json(key: str, content: Mapping[str, object], *, schema: int) -> bytes:
    """Bytes of a state object: compact JSON with the ``schema`` number first, gzip if the key ends in .gz.

    The bytes depend on the content alone (gzip without a time), so writing twice changes nothing.
    """
    body = orjson.dumps({"schema": schema, **content}, option=orjson.OPT_NON_STR_KEYS)
    return gzip.compress(body, compresslevel=6, mtime=0) if key.endswith(".gz") else body


def change_json[Content: Mapping[str, object]](
    store: ObjectStore,
    key: str,
    change: Callable[[Any], Content | None],
    *,
    schema: int,
    older: Collection[int] = (),
) -> None:
    """Read a state object, change the content, and write it if nobody else wrote meanwhile; else start again.

    So no change of another writer is lost, however many write at once.

    Args:
        store: Bucket of the object.
        key: Key of the object.
        change: Content as read (None when there is no object) -> new content; None leaves the object unchanged. Called
            again after a conflict, so the result must depend on the argument alone.
        schema: Schema number to write.
        older: Other schema numbers that ``change`` can read.

    Raises:
        StoreError: The object cannot be read or written, or others replaced it too often.
    """
    for _ in range(_ROUNDS):
        content, etag = read_json(store, key, schema=schema, older=older)
        changed = change(content)
        if changed is None:
            return
        try:
            write_json(store, key, changed, schema=schema, if_absent=etag is None, if_etag=etag)
        except ConflictError:
            continue
        return
    raise StoreError(f"s3://{store.bucket}/{key}: others replaced it {_ROUNDS} times in a row")
