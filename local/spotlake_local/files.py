"""Objects of a bucket as plain files in a folder, by key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from spotlake.errors import StoreError
from spotlake.packing import unpack
from spotlake.stores.objects import ReadOnlyObjects, StoredObject

_GZIP_MAGIC = b"\x1f\x8b"


class FileObjects:
    """A folder read as a bucket (``spotlake.stores.objects.ReadOnlyObjects``)."""

    def __init__(self, folder: Path) -> None:
        """``folder`` stands for the bucket; keys are paths beneath it."""
        self.bucket = folder.name
        self._folder = folder

    def get(self, key: str) -> StoredObject | None:
        """The file at that key, or None."""
        path = self._folder / key
        try:
            body = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from error
        return StoredObject(body, hashlib.md5(body, usedforsecurity=False).hexdigest())

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with ``prefix``, in order."""
        found = (path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*") if path.is_file())
        return iter(sorted(key for key in found if key.startswith(prefix)))


def copy_objects(source: ReadOnlyObjects, wanted: list[str], folder: Path) -> None:
    """Copy objects into files, each whole or not at all. Missing keys are skipped."""
    for key in wanted:
        found = source.get(key)
        if found is None:
            continue
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        # The bucket holds pages compressed, with a Content-Encoding. A file has no such header, so it is
        # plain.
        is_packed = found.body.startswith(_GZIP_MAGIC) and not key.endswith(".gz")
        partial.write_bytes(unpack(found.body) if is_packed else found.body)
        partial.replace(path)
