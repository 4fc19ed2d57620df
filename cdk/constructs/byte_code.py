"""Byte code of our own library, so that no cold start compiles it."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from compileall import compile_dir
from pathlib import Path
from py_compile import PycInvalidationMode

from spotlake.errors import ConfigurationError

_RUNTIME = (3, 13)  # of the functions; byte code of another Python would be ignored
_UNPACKED_AT = "/opt"  # where Lambda unpacks layers (Lambda developer guide, "Packaging your layer content", 2026-11)


def compiled(sources: Path, folder: Path) -> tuple[Path, str]:
    """Copy a layer's sources, with byte code beside them, below ``folder``.

    The copy is made once for each content. Its byte code is never checked against the sources, because unpacking gives
    these new times. So the copy has the digest of its sources as its name, and no change can be missed.

    Returns:
        The copy, and the digest.

    Raises:
        ConfigurationError: Another Python runs this, or a module does not compile.
    """
    if sys.version_info[:2] != _RUNTIME:
        raise ConfigurationError(f"the stack needs Python {'.'.join(map(str, _RUNTIME))}, as its functions have it")
    files = sorted(path for path in sources.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(sources)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    target = folder / digest.hexdigest()[:32]
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            made = Path(fresh) / "layer"
            shutil.copytree(sources, made, ignore=shutil.ignore_patterns("__pycache__"))
            unchecked = PycInvalidationMode.UNCHECKED_HASH
            if not compile_dir(
                made, quiet=1, stripdir=fresh + "/layer", prependdir=_UNPACKED_AT, invalidation_mode=unchecked
            ):
                raise ConfigurationError(f"{sources}: a module does not compile; its error stands above")
            _take(made, target)
    return target, digest.hexdigest()


def _take(made: Path, target: Path) -> None:
    """Give the copy its name, and remove older copies. Another process may have made the same meanwhile."""
    for older in target.parent.iterdir():
        if older not in (target, made.parent) and older.stat().st_mtime < made.stat().st_mtime - 86_400:
            shutil.rmtree(older, ignore_errors=True)
    try:
        made.rename(target)
    except OSError:
        if not target.exists():
            raise
