"""Byte code of our own library, so that no cold start compiles it."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from layers.build import PYTHON_VERSION, LayerError, compile_layer
from spotlake.errors import ConfigurationError


def compiled(sources: Path, folder: Path) -> tuple[Path, str]:
    """Copy a layer's sources, with byte code beside them, below ``folder``.

    The copy is made once for each content. Its byte code is never checked against the sources, because unpacking gives
    these new times. So the copy has the digest of its sources as its name, and no change can be missed.

    Returns:
        The copy, and the digest.

    Raises:
        ConfigurationError: Another Python runs this, or a module does not compile.
    """
    if f"{sys.version_info.major}.{sys.version_info.minor}" != PYTHON_VERSION:  # its byte code would be ignored
        raise ConfigurationError(f"the stack needs Python {PYTHON_VERSION}, as its functions have it")
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
            try:
                compile_layer(made)
            except LayerError as error:
                raise ConfigurationError(f"{sources}: a module does not compile; its error stands above") from error
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
