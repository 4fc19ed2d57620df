"""Price lists of a day, kept on disk: making them anew took most of the simulator's CPU time in a run."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from spotlake.packing import pack, unpack

_SOURCES = Path(__file__).parent


class KeptLists:
    """Lists in a folder, one file each. The lists of one day are kept, because prices change by the day.

    A file's name holds everything that the list depends on: what was asked, the world's seed, and the simulator's own
    code and data. What cannot be read or written is made anew.
    """

    def __init__(self, folder: Path, *, seed: int) -> None:
        """Keep lists of the world with this seed in ``folder``."""
        self._folder, self._seed, self._code = folder, seed, _digest_of_code()

    def find(self, asked: tuple[object, ...], day: date) -> list[bytes] | None:
        """The rows of a list (JSON), or None."""
        try:
            body = unpack(self._path(asked, day).read_bytes())
        except (OSError, ValueError):
            return None
        return body.split(b"\n") if body else []

    def keep(self, asked: tuple[object, ...], day: date, rows: Sequence[bytes]) -> None:
        """Keep a list, and forget those of other days."""
        path = self._path(asked, day)
        with suppress(OSError):  # a full disk costs time, and no run
            if not self._folder.is_dir():
                self._folder.mkdir(mode=0o700, parents=True)
            for other in self._folder.iterdir():
                if not other.name.startswith(f"{day}-"):
                    other.unlink()
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=f"{day}-new-", delete=False) as new:
                new.write(pack(b"\n".join(rows)))
            Path(new.name).replace(path)

    def _path(self, asked: tuple[object, ...], day: date) -> Path:
        digest = hashlib.sha256(self._code + repr((asked, self._seed)).encode())
        return self._folder / f"{day}-{digest.hexdigest()[:32]}"


def _digest_of_code() -> bytes:
    digest = hashlib.sha256()
    for path in sorted([*_SOURCES.glob("*.py"), *_SOURCES.glob("data/*")]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.digest()
