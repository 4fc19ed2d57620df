"""The interpreter of emulated Lambdas: Python as on AWS, with boto3 and without the tools."""

from __future__ import annotations

from pathlib import Path

from spotlake.errors import ConfigurationError


def lambda_python(root: Path) -> Path:
    """Path of the interpreter that `make setup` made. Raises ConfigurationError when there is none."""
    python = root / ".tools/lambda-python/bin/python"
    if not python.exists():
        raise ConfigurationError(f"{python} is missing: run `make setup`")
    return python
