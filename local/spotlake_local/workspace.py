"""Where local runs keep things: ``.local/`` in the checkout, and what lies in it."""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from spotlake.models import from_iso, to_iso

ROOT = Path(__file__).resolve().parents[2]


def default_folder() -> Path:
    """``STATE_DIR`` of the environment, as `make run` takes it; else ``.local`` in the checkout."""
    return Path(os.environ.get("STATE_DIR") or ROOT / ".local")


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
        """What the write bucket holds, as plain files, by key."""
        return self.folder / "spotlake-test"

    def make(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def last_slot_at(self) -> datetime | None:
        """The slot that was last begun, or None on a first run."""
        path = self.folder / "last_slot.json"
        return from_iso(orjson.loads(path.read_bytes())["slot_at"]) if path.exists() else None

    def remember_slot(self, slot_at: datetime) -> None:
        """Keep the slot as the last one begun."""
        (self.folder / "last_slot.json").write_bytes(orjson.dumps({"slot_at": to_iso(slot_at)}))

    def ports(self, names: tuple[str, ...]) -> dict[str, int]:
        """A free port for each name: those of the last run where they are still free.

        The stack's settings hold the simulator's addresses; the same ports spare a new synthesis.
        """
        path = self.folder / "ports.json"
        known: dict[str, int] = orjson.loads(path.read_bytes()) if path.exists() else {}
        taken: set[int] = set()
        ports: dict[str, int] = {}
        for name in names:
            ports[name] = _free_port(known.get(name, 0), taken)
            taken.add(ports[name])
        path.write_bytes(orjson.dumps(ports))
        return ports


def _free_port(wanted: int, taken: set[int]) -> int:
    """``wanted`` when it is free, else any free port of 127.0.0.1."""
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
    return {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
