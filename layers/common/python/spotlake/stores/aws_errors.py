"""How a failure of AWS is named."""

from __future__ import annotations

from botocore.exceptions import ClientError


def code_of(error: Exception) -> str:
    """AWS's own code of a failure ("AccessDenied"); the name of the class when no service has answered."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__
