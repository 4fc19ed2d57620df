"""Reads production's bucket, which may be missing or belong to another account."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import ClientError

from spotlake.errors import StoreError
from spotlake.stores.objects import ReadOnlyObjects, StoredObject

# Errors of S3 for a bucket of another account, of no account, or of another region (S3 API, error responses, read
# 2026-11). A reader from another account gets AccessDenied, whatever its own role allows.
FOREIGN_CODES: Final = frozenset(
    {"AccessDenied", "AllAccessDisabled", "NoSuchBucket", "PermanentRedirect", "403", "301"}
)


def read_if_allowed(store: ReadOnlyObjects, key: str) -> tuple[StoredObject | None, str]:
    """Read an object of a bucket that may belong to somebody else.

    Returns:
        ``(object or None, "")``. Or ``(None, reason)`` when the store has no bucket name, or when S3 answers that the
        bucket is missing, in another region, or not readable for us.

    Raises:
        StoreError: S3 did not answer whether the object exists.
    """
    if not store.bucket:
        return None, "setting read_bucket is empty"
    try:
        return store.get(key), ""
    except StoreError as error:
        refused = error.__cause__
        if isinstance(refused, ClientError) and refused.response["Error"]["Code"] in FOREIGN_CODES:
            return None, str(error)
        raise
