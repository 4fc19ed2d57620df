"""Reads production's bucket, which may be missing or belong to another account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from botocore.exceptions import ClientError

from spotlake.errors import StoreError
from spotlake.stores.objects import ReadOnlyObjects, StoredObject

# Errors of S3 for a bucket of another account, of no account, or of another region (S3 API, error responses, read
# 2026-11). A reader from another account gets AccessDenied, whatever its own role allows.
FOREIGN_CODES: Final = frozenset(
    {"AccessDenied", "AllAccessDisabled", "NoSuchBucket", "PermanentRedirect", "403", "301"}
)


@dataclass(frozen=True, kw_only=True)
class ForeignObject:
    """What came of reading an object of a bucket that may be none of ours.

    Attributes:
        stored: The object; None when it is not there or could not be read.
        why: Why it could not be read, "" when S3 answered.
        is_known: Whether S3's answer says that there is nothing for us; False when S3 could not be asked.
    """

    stored: StoredObject | None
    why: str = ""
    is_known: bool = True


def read_if_allowed(store: ReadOnlyObjects, key: str) -> ForeignObject:
    """An object of a bucket that may be none of ours; never raises, for nothing depends on it."""
    if not store.bucket:
        return ForeignObject(stored=None, why="setting read_bucket is empty")
    try:
        return ForeignObject(stored=store.get(key))
    except StoreError as error:
        refused = error.__cause__
        is_known = isinstance(refused, ClientError) and refused.response["Error"]["Code"] in FOREIGN_CODES
        return ForeignObject(stored=None, why=str(error), is_known=is_known)
