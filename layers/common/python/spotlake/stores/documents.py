"""Documents of a bucket: JSON with a schema number, replaced on condition; and objects that are never overwritten."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from spotlake.errors import ConflictError, StoreError
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

_ROUNDS = 16  # writers of one object at the same time are few


def read_json(store: ReadOnlyObjects, key: str, *, schema: int, older: int | None = None) -> tuple[Any, str | None]:
    """A state object (gzip or plain JSON with a ``schema`` number) and its entity tag.

    Args:
        store: Where.
        key: Which object.
        schema: The schema number that is expected.
        older: Another schema number that the caller reads too, if any; ``content["schema"]`` says which it is.

    Returns:
        ``(content, etag)``, or ``(None, None)`` when there is none.

    Raises:
        StoreError: It cannot be read, is damaged, or has another schema number.
    """
    found = store.get(key)
    if found is None:
        return None, None
    try:
        content = orjson.loads(gzip.decompress(found.body) if key.endswith(".gz") else found.body)
        if content["schema"] not in (schema, older):
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
    """Write a state object, whole or on a condition. Returns its new entity tag; raises as ``ObjectStore.put``."""
    body = encode_json(key, content, schema=schema)
    return store.put(key, body, content_type="application/json", if_absent=if_absent, if_etag=if_etag)


def put_once(store: ObjectStore, key: str, body: bytes, *, content_type: str) -> bytes:
    """Write an object that is never overwritten, and return what is stored under its key.

    That is ``body``, also when an earlier write of ours took effect though its answer was lost. When somebody
    else has written the key before, it is theirs, and it stays.

    Raises:
        StoreError: It can be neither written nor read.
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
    """The bytes of a state object: compact JSON with its ``schema`` number first, gzip where the key says so.

    They depend on the content alone (gzip without a time), so writing twice changes nothing.
    """
    body = orjson.dumps({"schema": schema, **content}, option=orjson.OPT_NON_STR_KEYS)
    return gzip.compress(body, compresslevel=6, mtime=0) if key.endswith(".gz") else body


def change_json[Content: Mapping[str, object]](
    store: ObjectStore,
    key: str,
    change: Callable[[Any], Content | None],
    *,
    schema: int,
    older: int | None = None,
) -> None:
    """Read a state object, change it, and write it if it is still as it was read; else from the start.

    So no change of another writer is lost, however many there are at once.

    Args:
        store: Where.
        key: Which object.
        change: Content as read (None when there is none) -> new content; None to leave it as it is. It is
            called again after a conflict, so it must depend on its argument alone.
        schema: The schema number that is written.
        older: Another one that ``change`` reads too, if any.

    Raises:
        StoreError: It cannot be read or written, or others replaced it too often.
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
