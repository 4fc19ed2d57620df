"""What the emulator lacks, a module a family. Its names are private, so each is asserted before use.

The emulator is pinned to one exact version (pyproject.toml); with another one these modules refuse to
start and say which name they miss.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotlake.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class PatchOptions:
    """What the patches are told by the launcher.

    Attributes:
        lambda_python: Interpreter of Lambdas and Batch jobs, without the tools' packages.
        cache: Folder for unpacked layers.
        job_python_path: Folders that stand for the packages inside the Batch image.
        endpoint_url: Of this emulator.
    """

    lambda_python: Path
    cache: Path
    job_python_path: tuple[Path, ...]
    endpoint_url: str


def need(owner: Any, name: str, patch: str) -> Any:
    """A private name of the emulator. Raises ConfigurationError when this version has none."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise ConfigurationError(
            f"the emulator has no {getattr(owner, '__name__', owner)}.{name}, which the patch '{patch}' needs: "
            "use the version that pyproject.toml pins"
        ) from None


def install(options: PatchOptions) -> None:
    """Close every gap; called once, before the emulator serves."""
    from spotlake_local.aws.patches import (
        account,
        batch,
        batch_resources,
        cloudformation,
        dynamodb,
        iam,
        lambdas,
        metrics,
        persistence,
        scheduler,
    )

    lambdas.install(options)
    iam.install()
    batch_resources.install()
    batch.install(options)
    scheduler.install()
    metrics.install()
    dynamodb.install()
    persistence.install()
    account.install()
    cloudformation.install()
