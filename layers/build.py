"""Builds the layers of dependencies without Docker: ``python layers/build.py --arch arm64``.

The locked runtime dependencies (less boto3 and what only boto3 needs: the Lambda runtime has them) are
unpacked from wheels of the wanted architecture into ``build/layers/dependencies-<arch>/python``. What KeepHistory
alone needs (pyarrow) is a layer of its own, ``history-<arch>``. Nothing is done when the same has been built before.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The runtime python3.13 stands on Amazon Linux 2023 (glibc 2.34): wheels for glibc 2.28 and older load there.
PLATFORMS = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
PYTHON_VERSION = "3.13"
# A function and its layers together, unpacked (AWS Lambda quotas, 2026-11).
LIMIT_BYTES = 250 * 1024 * 1024
_MARK = ".built-from"
_UNPACKED_AT = "/opt"  # where Lambda unpacks layers


class LayerError(Exception):
    """The layer cannot be built, or is too large; the text says what to do."""


def locked_requirements(root: Path = ROOT) -> str:
    """The runtime's pinned requirements with their hashes, less boto3's part of the tree."""
    return _uv(
        "export",
        "--locked",
        "--no-default-groups",
        "--no-emit-project",
        "--no-header",
        "--no-annotate",
        "--prune=boto3",
        "--prune=pyarrow",
        cwd=root,
    )


def locked_history_requirements(root: Path = ROOT) -> str:
    """The pinned requirements of KeepHistory's own layer, with their hashes."""
    return _uv("export", "--locked", "--only-group=history", "--no-header", "--no-annotate", cwd=root)


def build(arch: str, target: Path, requirements: str) -> bool:
    """Unpack ``requirements`` for ``arch`` into ``target / "python"``.

    Returns:
        Whether anything was done; False when ``target`` holds just that already.

    Raises:
        LayerError: uv failed (its words follow), or a package has no wheel for the architecture.
    """
    mark = hashlib.sha256(
        f"{PLATFORMS[arch]} {PYTHON_VERSION} compiled, without tests, Flight and S3\n{requirements}".encode()
    ).hexdigest()
    if (target / _MARK).exists() and (target / _MARK).read_text() == mark:
        return False
    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    listed = fresh / "requirements.txt"
    listed.write_text(requirements)
    _uv(
        *("pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"),
        *("--python-platform", PLATFORMS[arch], "--python-version", PYTHON_VERSION),
        *("--link-mode=copy", "--target", str(fresh / "python"), "--requirements", str(listed)),
        cwd=ROOT,
    )
    _remove_ballast(fresh / "python")
    compile_layer(fresh)
    (fresh / _MARK).write_text(mark)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return True


def unpacked_bytes(*folders: Path) -> int:
    """Bytes of all files below the folders."""
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())


def require_within_limit(*layers: Path, root: Path = ROOT) -> int:
    """Bytes of the layers, our own layer and the largest function together.

    Raises:
        LayerError: They are more than Lambda takes.
    """
    functions = [folder for folder in (root / "functions").iterdir() if folder.is_dir()]
    largest = max((unpacked_bytes(folder) for folder in functions), default=0)
    total = unpacked_bytes(*layers, root / "layers" / "common") + largest
    if total > LIMIT_BYTES:
        raise LayerError(
            f"function and layers are {total / 2**20:.0f} MB unpacked, Lambda takes {LIMIT_BYTES / 2**20:.0f} MB: "
            "move a dependency that only the full run needs to its image"
        )
    return total


def _remove_ballast(python: Path) -> None:
    """What no Lambda needs: console scripts, tests that packages carry along."""
    shutil.rmtree(python / "bin", ignore_errors=True)
    (python / ".lock").unlink(missing_ok=True)
    for folder in [*python.rglob("__pycache__"), *python.rglob("tests"), python / "pyarrow" / "include"]:
        shutil.rmtree(folder, ignore_errors=True)
    # Arrow's clients of Flight and S3 are a third of its bytes. Reading and writing Parquet loads neither.
    for pattern in ("libarrow_flight*", "_flight*", "libarrow_s3*", "_s3fs*"):
        for file in python.glob(f"pyarrow/{pattern}"):
            file.unlink()


def compile_layer(layer: Path) -> None:
    """Put byte code beside the sources, or each cold start compiles them: that is half of its CPU time.

    It is never checked against the sources (unpacking gives them new times), and does not depend on the build's folder.

    Raises:
        LayerError: A module does not compile.
    """
    compiled = compileall.compile_dir(
        layer,
        quiet=1,
        stripdir=str(layer),
        prependdir=_UNPACKED_AT,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        raise LayerError(f"{layer}: some modules cannot be compiled by Python {PYTHON_VERSION}")


def _uv(*arguments: str, cwd: Path) -> str:
    uv = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".tools" / "uv" / "bin"))
    if uv is None:
        raise LayerError("uv is not on the PATH: `make setup` brings it")
    environment = {**os.environ, "UV_PYTHON_PREFERENCE": "only-system"}
    done = subprocess.run([uv, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LayerError(f"uv {arguments[0]} failed:\n{done.stderr.strip()}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Build one architecture's layer and print its size."""
    parser = argparse.ArgumentParser(description="Build the dependency layer without Docker")
    parser.add_argument("--arch", choices=sorted(PLATFORMS), default="arm64")
    arch: str = parser.parse_args(arguments).arch
    target, history = (ROOT / "build" / "layers" / f"{name}-{arch}" for name in ("dependencies", "history"))
    try:
        made = build(arch, target, locked_requirements()), build(arch, history, locked_history_requirements())
        total = require_within_limit(target, history)
    except LayerError as error:
        sys.stderr.write(f"layers/build.py: {error}\n")
        return 1
    said = "built" if any(made) else "up to date"
    sys.stdout.write(
        f"layers for {arch} {said}: dependencies {unpacked_bytes(target) / 2**20:.1f} MB, "
        f"history {unpacked_bytes(history) / 2**20:.1f} MB, "
        f"together with code {total / 2**20:.1f} MB of {LIMIT_BYTES / 2**20:.0f} MB\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
