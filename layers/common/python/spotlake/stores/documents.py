"""Documents of a bucket: JSON with a schema number; and objects that are never overwritten."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from spotlake.errors import ConflictError, DamagedStateError, StoreError
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects


def read_json(store: ReadOnlyObjects, key: str, *, schema: int, older: Collection[int] = ()) -> tuple[Any, str | None]:
    """A state object (gzip or plain JSON with a ``schema`` number) and its entity tag.

    Args:
        store: Where.
        key: Which object.
        schema: The schema number that is expected.
        older: Other schema numbers that the caller reads too; ``content["schema"]`` says which it is.

    Returns:
        ``(content, etag)``, or ``(None, None)`` when there is none.

    Raises:
        DamagedStateError: It is damaged, or has another schema number.
        StoreError: It cannot be read.
    """
    found = store.get(key)
    if found is None:
        return None, None
    return decode_json(found.body, f"s3://{store.bucket}/{key}", schema=schema, older=older), found.etag


def decode_json(body: bytes, key: str, *, schema: int, older: Collection[int] = ()) -> Any:
    """The content of a state object. Raises DamagedStateError when it is damaged or of a schema not named."""
    try:
        content = orjson.loads(gzip.decompress(body) if key.endswith(".gz") else body)
        found = content["schema"]
    except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise DamagedStateError(f"{key}: damaged ({type(error).__name__})") from error
    if found not in (schema, *older):
        raise DamagedStateError(f"{key}: schema {found!r}, this code reads {schema}")
    return content


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
