"""The folder of local runs, ``.local/`` in the checkout, and its contents."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from spotlake.errors import ConfigurationError, InvalidInputError, SpotlakeError
from spotlake.models import from_iso, to_iso

ROOT = Path(__file__).resolve().parents[2]


class FolderBusyError(SpotlakeError):
    """Another command is using the folder. This command has done nothing."""


@dataclass(frozen=True)
class Workspace:
    """Paths of the local state.

    Attributes:
        folder: ``.local``.
    """

    folder: Path

    @property
    def aws(self) -> Path:
        """State of the emulated AWS."""
        return self.folder / "aws"

    @property
    def azure(self) -> Path:
        """State of the simulated Azure (quota history, CA)."""
        return self.folder / "azure"

    @property
    def assembly(self) -> Path:
        """The synthesised stack."""
        return self.folder / "cdk.out"

    @property
    def summary(self) -> Path:
        """Summary of the last run."""
        return self.folder / "summary.json"

    @property
    def outputs(self) -> Path:
        """Contents of the write bucket, as plain files by key."""
        return self.folder / "spotlake-test"

    @contextmanager
    def alone(self) -> Iterator[int]:
        """Make the folder, and keep every other command out of it. Yields the lock's file descriptor.

        Two emulators on one state would overwrite each other's data. The lock ends with the last process that has it
        open: this one, or the emulator that inherits it.

        Raises:
            FolderBusyError: Another command is using the folder.
            InvalidInputError: The folder cannot be made or written.
        """
        try:
            own_folder(self.folder)
            no_link = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW  # of a link somebody else's file would be emptied
            lock = os.fdopen(os.open(self.folder / "lock", no_link, 0o600), "r+")
        except OSError as error:
            allowed = f"a folder that can be made and written ({error.strerror})"
            raise InvalidInputError("--state-dir", str(self.folder), allowed) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                busy = "another `make run` or `spotlake exec` is using it: wait for that one, or give another folder"
                raise FolderBusyError(f"--state-dir {self.folder}: {busy}") from None
            yield lock.fileno()

    def last_slot_at(self) -> datetime | None:
        """The slot that was last begun; None before the first run. Raises ConfigurationError for a damaged file."""
        last = self._last()
        return from_iso(last["slot_at"]) if last else None

    def source(self) -> str | None:
        """Source of the folder's data, "simulated" or "live"; None before the first run."""
        last = self._last()
        return last["azure"] if last else None

    def remember(self, slot_at: datetime, source: str) -> None:
        """Store the slot that was last begun, and the source of its data."""
        _write_whole(self._last_file, orjson.dumps({"slot_at": to_iso(slot_at), "azure": source}))

    @property
    def _last_file(self) -> Path:
        return self.folder / "last_slot.json"

    def _last(self) -> dict[str, str] | None:
        if not self._last_file.exists():
            return None
        last = _read_json(self._last_file)
        if not isinstance(last, dict) or set(last) != {"slot_at", "azure"}:
            way_out = "delete it to continue with the present slot, or `make clean-local` to begin again"
            raise ConfigurationError(f"{self._last_file} is damaged or of another version: {way_out}")
        return last

    def ports(self, names: tuple[str, ...]) -> dict[str, int]:
        """A free port for each name: those of the last run where they are still free.

        The stack's settings hold the simulator's addresses, so the same ports avoid a new synthesis.
        """
        path = self.folder / "ports.json"
        known = _read_json(path) if path.exists() else None
        wanted = known if isinstance(known, dict) else {}  # any free ports will do in their place
        taken: set[int] = set()
        ports: dict[str, int] = {}
        for name in names:
            ports[name] = _free_port(wanted.get(name, 0), taken)
            taken.add(ports[name])
        _write_whole(path, orjson.dumps(ports))
        return ports


def own_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter. It may hold the Azure secret of a live run.

    A folder that was there before is closed too.

    Raises:
        OSError: The folder cannot be made, or belongs to somebody else.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "it belongs to another user", str(folder))
    folder.chmod(0o700)


def _read_json(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except ValueError:
        return None


def _write_whole(path: Path, body: bytes) -> None:
    """Replace the file as a whole: after a kill, or on a full disk, the old file stays."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(body)
    partial.replace(path)


def _free_port(wanted: int, taken: set[int]) -> int:
    """``wanted`` if it is free, else any free port of 127.0.0.1."""
    for port in (wanted, 0, 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            number: int = probe.getsockname()[1]
            if number not in taken:
                return number
    raise OSError("no free port on 127.0.0.1")


def host_architecture() -> str:
    """This machine's architecture as the stack's setting spells it."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
