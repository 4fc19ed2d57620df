"""Looks at the processes of this machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def processes_of(state: Path) -> list[str]:
    """Command lines and environments that name the state folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                seen = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(state).encode() in seen:
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found


def holders_of(file: Path) -> int:
    """How many processes have a file open."""
    found = set()
    for one in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # closed, or ended, meanwhile
            if one.readlink() == file:
                found.add(one.parts[2])
    return len(found)
