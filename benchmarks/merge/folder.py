"""Objects in a folder, so that they take no memory of the process that is measured."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from spotlake.errors import ConflictError
from spotlake.packing import Unpacked
from spotlake.stores.objects import StoredObject


class FolderObjects:
    """Objects in a folder. One process writes at a time."""

    bucket = "folder"

    def __init__(self, folder: Path, below: Path | None = None) -> None:
        """Bind the folder. What it lacks is read from the folder ``below``, which is never changed."""
        self._folder, self._below = folder, below
        self._gone: set[str] = set()

    def get(self, key: str) -> StoredObject | None:
        """See ``ObjectStore``."""
        file = self._file(key)
        return None if file is None else StoredObject(file.read_bytes(), _tag(file))

    def etag(self, key: str) -> str | None:
        """See ``ObjectStore``."""
        file = self._file(key)
        return None if file is None else _tag(file)

    def _file(self, key: str) -> Path | None:
        for folder in (self._folder, self._below):
            if folder is not None and key not in self._gone and (folder / key).is_file():
                return folder / key
        return None

    def keys(self, prefix: str) -> Iterator[str]:
        """See ``ObjectStore``."""
        found: set[str] = set()
        for folder in (self._folder, self._below):
            if folder is not None:
                files = (file for file in (folder / prefix).parent.rglob("*") if file.is_file())
                found.update(file.relative_to(folder).as_posix() for file in files)
        return iter(sorted(name for name in found - self._gone if name.startswith(prefix)))

    def put(
        self, key: str, body: bytes, *, if_absent: bool = False, if_etag: str | None = None, **_types: str | None
    ) -> str:
        """See ``ObjectStore``."""
        old = self.etag(key)
        if (if_absent and old is not None) or (if_etag is not None and old != if_etag):
            raise ConflictError(f"{key}: written by somebody else meanwhile")
        self._gone.discard(key)
        (self._folder / key).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / key).write_bytes(body)
        return _tag(self._folder / key)

    def put_unpacked(
        self, key: str, packed: bytes, *, if_absent: bool = False, if_etag: str | None = None, **types: str | None
    ) -> str:
        """See ``ObjectStore``."""
        self.put(key, b"", if_absent=if_absent, if_etag=if_etag, **types)
        with (self._folder / key).open("wb") as file:
            shutil.copyfileobj(Unpacked(packed), file, 1024**2)
        return _tag(self._folder / key)

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        self._gone.add(key)
        (self._folder / key).unlink(missing_ok=True)


def _tag(file: Path) -> str:
    told = file.stat()
    return f"{told.st_mtime_ns:x}-{told.st_size:x}"
