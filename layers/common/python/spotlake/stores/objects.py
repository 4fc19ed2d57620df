"""Objects in one bucket: read, write on condition, list. S3 and a twin in memory.

A store is bound to one bucket when it is made, so every read names its bucket: production's
store has no way to write (``ReadOnlyObjects``), ours does (``ObjectStore``).
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from spotlake.errors import ConflictError, StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_CONFLICT_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_MISSING_CODES = frozenset({"NoSuchKey", "404", "NotFound"})
_ROUNDS = 16  # writers of one object at the same time are few


@dataclass(frozen=True)
class StoredObject:
    """An object as read: its bytes and its entity tag, for a later conditional write."""

    body: bytes
    etag: str


class ReadOnlyObjects(Protocol):
    """Objects of a bucket that is only read."""

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        ...

    def get(self, key: str) -> StoredObject | None:
        """The object, or None when there is none. Raises StoreError when it cannot be known."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with ``prefix``, in order."""
        ...


class ObjectStore(ReadOnlyObjects, Protocol):
    """Objects of a bucket that is written too."""

    def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        content_encoding: str | None = None,
        if_absent: bool = False,
        if_etag: str | None = None,
    ) -> str:
        """Write the whole object at once; readers see the old or the new one, never half.

        Args:
            key: Where.
            body: What, already compressed where ``content_encoding`` says so.
            content_type: MIME type.
            content_encoding: "gzip" for what browsers unpack by themselves.
            if_absent: Only if there is none yet.
            if_etag: Only if it is still the one that was read.

        Returns:
            The new entity tag.

        Raises:
            ConflictError: A condition did not hold.
            StoreError: Anything else, after botocore's retries; names the key.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object; fine when there is none."""
        ...


class S3Objects:
    """Objects of one S3 bucket. botocore retries; what remains is a StoreError."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        """Bind a boto3 S3 client to a bucket."""
        self._client = client
        self.bucket = bucket

    def get(self, key: str) -> StoredObject | None:
        """See ``ReadOnlyObjects``."""
        try:
            response = self._client.get_object(Bucket=self.bucket, Key=key)
            return StoredObject(response["Body"].read(), response["ETag"])
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING_CODES:
                return None
            raise self._failure("read", key, error) from error
        except BotoCoreError as error:
            raise self._failure("read", key, error) from error

    def keys(self, prefix: str) -> Iterator[str]:
        """See ``ReadOnlyObjects``."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        try:
            for page in pages:
                for entry in page.get("Contents", []):
                    yield entry["Key"]
        except (ClientError, BotoCoreError) as error:
            raise self._failure("list", prefix, error) from error

    def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        content_encoding: str | None = None,
        if_absent: bool = False,
        if_etag: str | None = None,
    ) -> str:
        """See ``ObjectStore``."""
        options: dict[str, Any] = {"ContentType": content_type}
        if content_encoding:
            options["ContentEncoding"] = content_encoding
        if if_absent:
            options["IfNoneMatch"] = "*"
        if if_etag is not None:
            options["IfMatch"] = if_etag
        try:
            return self._client.put_object(Bucket=self.bucket, Key=key, Body=body, **options)["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _CONFLICT_CODES | (_MISSING_CODES if if_etag else frozenset()):
                raise ConflictError(f"s3://{self.bucket}/{key}: written by somebody else meanwhile") from error
            raise self._failure("write", key, error) from error
        except BotoCoreError as error:
            raise self._failure("write", key, error) from error

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        try:
            self._client.delete_object(Bucket=self.bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise self._failure("delete", key, error) from error

    def _failure(self, verb: str, key: str, error: Exception) -> StoreError:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        return StoreError(f"cannot {verb} s3://{self.bucket}/{key}: {code}")


class MemoryObjects:
    """The twin in memory, with the same conditions (tests, benchmarks)."""

    def __init__(self, bucket: str = "memory", objects: dict[str, bytes] | None = None) -> None:
        """Start empty or from given objects."""
        self.bucket = bucket
        self.objects: dict[str, bytes] = dict(objects or {})

    def get(self, key: str) -> StoredObject | None:
        """See ``ReadOnlyObjects``."""
        body = self.objects.get(key)
        return None if body is None else StoredObject(body, _etag(body))

    def keys(self, prefix: str) -> Iterator[str]:
        """See ``ReadOnlyObjects``."""
        return iter(sorted(key for key in self.objects if key.startswith(prefix)))

    def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        content_encoding: str | None = None,
        if_absent: bool = False,
        if_etag: str | None = None,
    ) -> str:
        """See ``ObjectStore``; type and encoding are not kept."""
        del content_type, content_encoding
        old = self.objects.get(key)
        if (if_absent and old is not None) or (if_etag is not None and (old is None or _etag(old) != if_etag)):
            raise ConflictError(f"s3://{self.bucket}/{key}: written by somebody else meanwhile")
        self.objects[key] = body
        return _etag(body)

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        self.objects.pop(key, None)


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


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
    content: Mapping[str, Any],
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


def encode_json(key: str, content: Mapping[str, Any], *, schema: int) -> bytes:
    """The bytes of a state object: compact JSON with its ``schema`` number first, gzip where the key says so.

    They depend on the content alone (gzip without a time), so writing twice changes nothing.
    """
    body = orjson.dumps({"schema": schema, **content}, option=orjson.OPT_NON_STR_KEYS)
    return gzip.compress(body, compresslevel=6, mtime=0) if key.endswith(".gz") else body


def change_json(
    store: ObjectStore,
    key: str,
    change: Callable[[Any], Mapping[str, Any] | None],
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
