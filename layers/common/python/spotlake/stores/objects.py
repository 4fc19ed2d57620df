"""Objects in one bucket: read, write on condition, list. S3 and a twin in memory.

Each store is bound to one bucket. Production's store cannot write (``ReadOnlyObjects``); ours can (``ObjectStore``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from isal import isal_zlib

from spotlake.errors import ConflictError, StoreError
from spotlake.packing import Unpacked, unpack
from spotlake.stores.aws_errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_CONFLICT_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_MISSING_CODES = frozenset({"NoSuchKey", "404", "NotFound"})


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
        """Read an object; None when there is none. Raises StoreError when S3 does not answer."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with ``prefix``, in order."""
        ...


class ObjectStore(ReadOnlyObjects, Protocol):
    """Objects of a bucket that is written too."""

    def etag(self, key: str) -> str | None:
        """The entity tag of an object, which is not read; None when there is none. Raises StoreError."""
        ...

    def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str = ...,
        content_encoding: str | None = ...,
        if_absent: bool = ...,
        if_etag: str | None = ...,
    ) -> str:
        """Write a whole object. Readers see the old or the new object, never a part.

        Args:
            key: Key of the object.
            body: Bytes, already compressed if ``content_encoding`` says so.
            content_type: MIME type.
            content_encoding: "gzip" for objects that browsers unpack themselves.
            if_absent: Write only if there is no such object yet.
            if_etag: Write only if the object still has this entity tag.

        Returns:
            The new entity tag.

        Raises:
            ConflictError: A condition did not hold.
            StoreError: Anything else, after botocore's retries; names the key.
        """
        ...

    def put_unpacked(
        self,
        key: str,
        packed: bytes,
        *,
        content_type: str = ...,
        if_absent: bool = ...,
        if_etag: str | None = ...,
    ) -> str:
        """Write the content of a gzip, as ``put``. It is unpacked while it is sent, and never in memory as a whole."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object. Removing a missing object is no error."""
        ...


class S3Objects:
    """Objects of one S3 bucket. Botocore retries; an error that remains becomes a StoreError."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        """Bind an S3 client to a bucket."""
        self._client = client
        self.bucket = bucket

    def get(self, key: str) -> StoredObject | None:
        """See ``ReadOnlyObjects``."""

        def read() -> StoredObject:
            response = self._client.get_object(Bucket=self.bucket, Key=key)
            return StoredObject(response["Body"].read(), response["ETag"])

        return self._unless_missing(key, read)

    def etag(self, key: str) -> str | None:
        """See ``ObjectStore``."""
        return self._unless_missing(key, lambda: self._client.head_object(Bucket=self.bucket, Key=key)["ETag"])

    def _unless_missing[Read](self, key: str, read: Callable[[], Read]) -> Read | None:
        """What a request reads; None when there is no such object."""
        try:
            return read()
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
        options = {"ContentType": content_type} | ({"ContentEncoding": content_encoding} if content_encoding else {})
        return self._put(key, body, options, if_absent=if_absent, if_etag=if_etag)

    def put_unpacked(
        self,
        key: str,
        packed: bytes,
        *,
        content_type: str = "application/octet-stream",
        if_absent: bool = False,
        if_etag: str | None = None,
    ) -> str:
        """See ``ObjectStore``."""
        body = Unpacked(packed)
        return self._put(key, body, {"ContentType": content_type}, if_absent=if_absent, if_etag=if_etag)

    def _put(
        self, key: str, body: bytes | Unpacked, options: dict[str, Any], *, if_absent: bool, if_etag: str | None
    ) -> str:
        if if_absent:
            options["IfNoneMatch"] = "*"
        if if_etag is not None:
            options["IfMatch"] = if_etag
        try:
            sent: Any = body  # botocore reads from whatever has ``read``
            return self._client.put_object(Bucket=self.bucket, Key=key, Body=sent, **options)["ETag"]
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
        return StoreError(f"cannot {verb} s3://{self.bucket}/{key}: {code_of(error)}")


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

    def etag(self, key: str) -> str | None:
        """See ``ObjectStore``."""
        body = self.objects.get(key)
        return None if body is None else _etag(body)

    def keys(self, prefix: str) -> Iterator[str]:
        """See ``ReadOnlyObjects``."""
        return iter(sorted(key for key in tuple(self.objects) if key.startswith(prefix)))  # threads may write

    def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str = "",
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

    def put_unpacked(
        self,
        key: str,
        packed: bytes,
        *,
        content_type: str = "",
        if_absent: bool = False,
        if_etag: str | None = None,
    ) -> str:
        """See ``ObjectStore``."""
        return self.put(key, unpack(packed), content_type=content_type, if_absent=if_absent, if_etag=if_etag)

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        self.objects.pop(key, None)


def _etag(body: bytes) -> str:
    return f'"{isal_zlib.crc32(body):08x}-{len(body):x}"'
