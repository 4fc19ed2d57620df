"""Reading a bucket that may be none of ours: production's, from an account of somebody else."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import ClientError

from spotlake.errors import StoreError
from spotlake.stores.objects import ReadOnlyObjects, StoredObject

# What S3 answers for a bucket of somebody else, of nobody, or of another region (S3 API, error responses, read
# 2026-11). A reader of another account gets AccessDenied whatever its own role allows.
FOREIGN_CODES: Final = frozenset(
    {"AccessDenied", "AllAccessDisabled", "NoSuchBucket", "PermanentRedirect", "403", "301"}
)


def read_if_allowed(store: ReadOnlyObjects, key: str) -> tuple[StoredObject | None, str]:
    """An object of a bucket that may be none of ours.

    Returns:
        ``(object or None, "")``; or ``(None, why)`` when the store has no bucket name, or when S3 says that
        the bucket is not there, not here, or not for us.

    Raises:
        StoreError: It cannot be known whether there is one.
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
