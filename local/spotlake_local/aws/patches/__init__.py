"""Patches for what the emulator lacks, one module per service. Each private name is checked before use.

The emulator is pinned to one exact version (pyproject.toml). With another version these modules refuse to start, and
name what they miss.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotlake.errors import ConfigurationError

if TYPE_CHECKING:
    from spotlake_local.aws.patches.federation import Issuer


@dataclass(frozen=True, kw_only=True)
class PatchOptions:
    """Options of the patches, from the launcher.

    Attributes:
        lambda_python: Interpreter of Lambdas and Batch jobs, without the tools' packages.
        cache: Folder for unpacked layers.
        job_python_path: Folders in place of the packages inside the Batch image.
        endpoint_url: URL of this emulator.
    """

    lambda_python: Path
    cache: Path
    job_python_path: tuple[Path, ...]
    endpoint_url: str


def need(owner: Any, name: str, patch: str) -> Any:
    """Return a private name of the emulator. Raises ConfigurationError when this version lacks the name."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise ConfigurationError(
            f"the emulator has no {getattr(owner, '__name__', owner)}.{name}, which the patch '{patch}' needs: "
            "use the version that pyproject.toml pins"
        ) from None


def install(options: PatchOptions) -> Issuer:
    """Install every patch. Called once, before the emulator serves. Returns the account's issuer of tokens."""
    from spotlake_local.aws.patches import (
        account,
        batch,
        batch_resources,
        cloudformation,
        dynamodb,
        federation,
        iam,
        lambdas,
        maps,
        metrics,
        persistence,
        scheduler,
    )

    lambdas.install(options)
    iam.install()
    maps.install()
    batch_resources.install()
    batch.install(options)
    scheduler.install()
    metrics.install()
    dynamodb.install()
    persistence.install()
    account.install()
    cloudformation.install()
    return federation.install(options.endpoint_url)
