"""Where an archive lies: a folder, a bucket or a web server, read by key and by range.

A range is read in one request. Nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from spotlake.errors import ConfigurationError, StoreError
from spotlake.stores.objects import S3Objects, StoredObject

if TYPE_CHECKING:
    import requests
    from mypy_boto3_s3.client import S3Client

_SPAN = re.compile(r"bytes \d+-\d+/\d+")
_TIMEOUT_SECONDS = (10.0, 60.0)  # to connect, between two bytes


@dataclass(frozen=True)
class Part:
    """Some bytes of an object: where they begin, and how large the whole object is."""

    begin: int
    body: bytes
    size: int


class Place(Protocol):
    """An archive's objects, read only."""

    @property
    def bucket(self) -> str:
        """The place's name, for messages."""
        ...

    def get(self, key: str) -> StoredObject | None:
        """A whole object; None when there is none."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with ``prefix``, in order."""
        ...

    def tail(self, key: str, length: int) -> Part | None:
        """The last bytes of an object; None when there is none."""
        ...

    def part(self, key: str, begin: int, length: int) -> Part:
        """Bytes from ``begin`` on."""
        ...


class Folder:
    """A folder with one file a key, such as ``.local/spotlake-test``."""

    def __init__(self, root: Path) -> None:
        """Bind an existing folder."""
        self._root = root
        self.bucket = str(root)

    def get(self, key: str) -> StoredObject | None:
        """See ``Place``."""
        path = self._root / key
        return StoredObject(path.read_bytes(), "") if path.is_file() else None

    def keys(self, prefix: str) -> Iterator[str]:
        """See ``Place``."""
        folder = self._root / prefix.rpartition("/")[0]
        names = (str(path.relative_to(self._root)) for path in folder.rglob("*") if path.is_file())
        return iter(sorted(name for name in names if name.startswith(prefix)))

    def tail(self, key: str, length: int) -> Part | None:
        """See ``Place``."""
        path = self._root / key
        if not path.is_file():
            return None
        size = path.stat().st_size
        return self.part(key, max(0, size - length), length)

    def part(self, key: str, begin: int, length: int) -> Part:
        """See ``Place``."""
        path = self._root / key
        with path.open("rb") as file:
            file.seek(begin)
            return Part(begin, file.read(length), path.stat().st_size)


class Bucket(S3Objects):
    """An S3 bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        """Bind an S3 client to a bucket."""
        super().__init__(client, bucket)
        self._s3 = client

    def tail(self, key: str, length: int) -> Part | None:
        """See ``Place``."""
        return self._range(key, f"bytes=-{length}")

    def part(self, key: str, begin: int, length: int) -> Part:
        """See ``Place``."""
        found = self._range(key, f"bytes={begin}-{begin + length - 1}")
        if found is None:
            raise StoreError(f"s3://{self.bucket}/{key}: it is gone")
        return found

    def _range(self, key: str, wanted: str) -> Part | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._s3.get_object(Bucket=self.bucket, Key=key, Range=wanted)
            return _part(answer["ContentRange"], answer["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise StoreError(f"cannot read s3://{self.bucket}/{key}: {error.response['Error']['Code']}") from error
        except BotoCoreError as error:
            raise StoreError(f"cannot read s3://{self.bucket}/{key}: {type(error).__name__}") from error


class Web:
    """A web server that serves an archive's files below one address."""

    def __init__(self, session: requests.Session, address: str) -> None:
        """Bind an address (https, or http on this machine)."""
        self._session = session
        self.bucket = address.rstrip("/")

    def get(self, key: str) -> StoredObject | None:
        """See ``Place``."""
        answer = self._ask(key, {})
        return None if answer is None else StoredObject(answer.content, answer.headers.get("ETag", ""))

    def keys(self, prefix: str) -> Iterator[str]:
        """A web server does not list its files. Raises StoreError."""
        raise StoreError(f"{self.bucket}/{prefix}: a web server lists no files; name a bucket or a folder")

    def tail(self, key: str, length: int) -> Part | None:
        """See ``Place``."""
        return self._range(key, f"bytes=-{length}")

    def part(self, key: str, begin: int, length: int) -> Part:
        """See ``Place``."""
        found = self._range(key, f"bytes={begin}-{begin + length - 1}")
        if found is None:
            raise StoreError(f"{self.bucket}/{key}: it is gone")
        return found

    def _range(self, key: str, wanted: str) -> Part | None:
        answer = self._ask(key, {"Range": wanted})
        if answer is None:
            return None
        told = answer.headers.get("Content-Range", "")
        if answer.status_code == 206 and _SPAN.fullmatch(told):
            return _part(told, answer.content)
        # A server without ranges sends everything. Some refuse a range longer than the file, or do not tell its size.
        whole = answer if answer.status_code == 200 else self._ask(key, {})
        return None if whole is None else Part(0, whole.content, len(whole.content))

    def _ask(self, key: str, headers: dict[str, str]) -> requests.Response | None:
        from requests import RequestException

        address = f"{self.bucket}/{key}"
        try:
            # What is compressed in the files stays so: a range of a file is a range of its stored bytes.
            answer = self._session.get(
                address, headers={"Accept-Encoding": "identity", **headers}, timeout=_TIMEOUT_SECONDS
            )
        except RequestException as error:
            raise StoreError(f"cannot read {address}: {type(error).__name__}") from error
        if answer.status_code == 404:
            return None
        if answer.status_code not in (200, 206, 416 if headers else 200):
            raise StoreError(f"cannot read {address}: the server answers {answer.status_code}")
        return answer


def place_of(address: str) -> Place:
    """The place that an address names: ``s3://bucket``, ``https://...`` or a folder.

    Raises:
        ConfigurationError: There is no such folder, or the address has another form.
    """
    if address.startswith("s3://"):
        import boto3

        from spotlake.stores.aws_clients import BOTO

        return Bucket(boto3.client("s3", config=BOTO), address.removeprefix("s3://").strip("/"))
    if address.startswith(("https://", "http://localhost", "http://127.0.0.1")):
        import requests

        return Web(requests.Session(), address)
    if "://" in address:
        raise ConfigurationError(f"{address}: an archive is a folder, s3://BUCKET or https://...")
    folder = Path(address)
    if not folder.is_dir():
        raise ConfigurationError(f"{address}: there is no such folder; `make run` makes .local/spotlake-test")
    return Folder(folder)


def _part(content_range: str, body: bytes) -> Part:
    """A part from its header: ``bytes 100-199/4000``."""
    span, _, size = content_range.removeprefix("bytes ").partition("/")
    return Part(int(span.partition("-")[0]), body, int(size))
